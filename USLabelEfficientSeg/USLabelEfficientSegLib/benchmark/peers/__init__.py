"""Rival methods, in few lines over shared parts: the same volumes, poses, optimizer and budget for all of them."""
