"""Pictures and charts of a report."""
