"""A network that knows organs in ultrasound as such, and is told by slices, strokes and clicks which one is meant."""
