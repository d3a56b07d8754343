"""Data sets, rivals, degradations, and the page that compares them."""
