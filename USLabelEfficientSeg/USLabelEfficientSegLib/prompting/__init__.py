"""Slices, strokes and clicks in a volume become whole organs."""
