"""A network that knows organs in ultrasound; slices, strokes and clicks tell it which organ is meant."""
