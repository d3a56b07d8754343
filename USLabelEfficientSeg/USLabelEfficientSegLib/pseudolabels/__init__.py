"""From slice predictions to volumetric pseudo-labels: views, uncertainty, fusion of axes, refinement."""
