"""Sparse labels of a volume, and which slices are labelled."""
