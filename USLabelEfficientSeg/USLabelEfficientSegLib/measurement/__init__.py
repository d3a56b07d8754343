"""Measuring organs: volume, area, shape, quality flags, and the files that hold them."""
