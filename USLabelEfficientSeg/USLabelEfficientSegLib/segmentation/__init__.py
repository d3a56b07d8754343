"""A trained model on whole volumes: memory stays bounded, the result lies exactly on its input."""
