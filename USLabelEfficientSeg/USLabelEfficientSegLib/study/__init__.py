"""A study on disk: volumes, sparse labels, settings, progress events, lock, checkpoints."""
