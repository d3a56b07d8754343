"""Where organs lie: volumes on the working grid, their alignment, targets and the location prior."""
