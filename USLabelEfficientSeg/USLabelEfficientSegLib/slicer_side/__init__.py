"""The library inside 3D Slicer: MRML nodes in, MRML nodes out. The only folder that imports slicer, qt and ctk."""
