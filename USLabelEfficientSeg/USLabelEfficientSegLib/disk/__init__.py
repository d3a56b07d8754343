"""Files on a disk that may be full, shared or killed: atomic writing, links, locks, and where results go."""
