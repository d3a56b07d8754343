"""Calibration of probabilities, and of prediction intervals."""
