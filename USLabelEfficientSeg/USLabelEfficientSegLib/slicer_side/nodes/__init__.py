"""Scans, segmentations, tables and views of a scene."""
