"""Label-efficient segmentation of 3-D ultrasound: from a few labelled slices to organ volumes."""

__version__ = "0.12.0"
