"""Segmentations and measurements as DICOM objects that belong to the images they were made from."""
