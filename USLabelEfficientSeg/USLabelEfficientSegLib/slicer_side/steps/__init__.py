"""The panel, step by step."""
