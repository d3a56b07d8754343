"""The sections of a report, in the order in which a clinician reads them."""
