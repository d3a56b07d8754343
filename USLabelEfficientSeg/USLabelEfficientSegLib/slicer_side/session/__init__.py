"""An open study, its labels and what to label next."""
