"""A process that stays and answers a program's requests at once: see `protocol`."""
