"""What was measured, as the panel shows and files it."""
