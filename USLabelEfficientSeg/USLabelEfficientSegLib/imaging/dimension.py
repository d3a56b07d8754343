"""Scans are volumes or 2-D images, and what people call them."""

from dataclasses import dataclass
from typing import Literal

Dimension = Literal[2, 3]


@dataclass(frozen=True)
class ScanWords:
    """What people call scans of one dimension.

    Attributes:
        scan: one of them, without an article.
        article: of that word.
        slice: the part of it that is labelled at a time: of an image, all of it.
    """

    scan: str
    article: str
    slice: str

    @property
    def scans(self) -> str:
        """Several of them."""
        return f"{self.scan}s"

    @property
    def slices(self) -> str:
        """Several of the parts that are labelled at a time."""
        return f"{self.slice}s"


VOLUME_WORDS, IMAGE_WORDS = ScanWords("volume", "a", "slice"), ScanWords("image", "an", "image")


def words_of(dimension: Dimension) -> ScanWords:
    """What people call scans of a dimension."""
    return IMAGE_WORDS if dimension == 2 else VOLUME_WORDS
