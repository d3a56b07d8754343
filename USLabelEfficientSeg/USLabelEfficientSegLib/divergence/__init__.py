"""Two 2-D networks of different kind that teach each other on unlabelled images (IDL, arXiv 2509.06495)."""
