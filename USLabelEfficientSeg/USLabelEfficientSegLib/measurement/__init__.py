"""Organ volumes in millilitres, and the report of a study."""
