"""What runs beside Slicer, and what it needs."""
