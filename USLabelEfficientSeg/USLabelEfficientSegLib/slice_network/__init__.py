"""2-D networks on slices at the labels' own resolution: each slice is seen alike, wherever it lies in the volume."""
