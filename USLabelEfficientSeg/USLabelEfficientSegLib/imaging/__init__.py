"""Volumes with their place in the patient: file formats, resampling, sector mask, simulator."""
