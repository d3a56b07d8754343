"""The commands of `uslabelseg`, a file for each group. Heavy packages are imported where a command needs them."""
