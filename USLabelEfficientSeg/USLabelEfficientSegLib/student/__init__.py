"""The 3-D student: what it sees, what it is taught, how it is trained."""
