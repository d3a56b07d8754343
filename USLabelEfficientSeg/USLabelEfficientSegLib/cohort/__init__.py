"""The same work on many files: on this computer or a cluster, resumable, with a table that grows."""
