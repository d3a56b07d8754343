"""The colours of organs, one list for pictures, charts, segmentation files, DICOM and Slicer.

The first six are those of Okabe and Ito that are light enough for ultrasound (https://jfly.uni-koeln.de/color/). A
search found the others, so that any two of the 24 lie far apart in CIELAB: at least 20, and at least 12 for people
without long-, medium- or short-wave cones (Machado, Oliveira, Fernandes 2009, doi:10.1109/TVCG.2009.113).
"""

ORGAN_COLOURS = (
    "#E69F00", "#56B4E9", "#F0E442", "#CC79A7", "#009E73", "#D55E00", "#963CFF", "#00FF87",
    "#6969D2", "#F0004B", "#A5F0B4", "#C33CA5", "#F03CFF", "#FFD2FF", "#B4E15A", "#F07887",
    "#5A874B", "#78E1D2", "#69C35A", "#96962D", "#5A87D2", "#00D21E", "#B4C387", "#F0A5B4",
)  # fmt: skip


def organ_colour(label: int) -> str:
    """Colour of an organ, "#RRGGBB", by its label, which counts from 1."""
    return ORGAN_COLOURS[(label - 1) % len(ORGAN_COLOURS)]


def organ_rgb(label: int) -> tuple[int, int, int]:
    """Red, green and blue of an organ's colour, 0 to 255."""
    red, green, blue = bytes.fromhex(organ_colour(label)[1:])
    return red, green, blue
