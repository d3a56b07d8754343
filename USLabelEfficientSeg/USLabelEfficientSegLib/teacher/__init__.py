"""The 2-D teacher: ViT, unsupervised pretraining, cached features, slice head (method stages 1 and 2)."""
