"""A 2-D network and its partner, which teach each other on unlabelled images (IDL, arXiv 2509.06495)."""
