"""Comparison of segmentations with reference segmentations."""
