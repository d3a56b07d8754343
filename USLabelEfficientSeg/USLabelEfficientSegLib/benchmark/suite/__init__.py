"""A suite of data sets of different character, on which a method has to hold its own everywhere."""
