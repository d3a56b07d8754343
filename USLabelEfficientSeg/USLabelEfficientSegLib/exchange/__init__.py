"""Models for other programs: MONAI bundles, and networks as ONNX graphs, each with a card that tells what it is."""
