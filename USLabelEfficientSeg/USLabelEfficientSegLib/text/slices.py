"""Slices in words, the same in the panel, on the command line and in reports: "coronal, slice 25 of 48"."""

from collections.abc import Sequence


def slice_words(plane: str, index: int, count: int) -> str:
    """A slice in words, for example "coronal, slice 25 of 48" for the index 24.

    Args:
        plane: the name of the slices of its direction.
        index: of the slice, from 0; people count from 1.
        count: slices of that direction.
    """
    return f"{plane}, slice {index + 1} of {count}"


def slices_words(plane: str, indices: Sequence[int], count: int) -> str:
    """Several slices of one direction, for example "axial, slices 3, 12 of 48"; as `slice_words` for one."""
    if len(indices) == 1:
        return slice_words(plane, indices[0], count)
    if len(indices) == count:
        return f"{plane}, all {count} slices"
    return f"{plane}, slices {', '.join(str(index + 1) for index in sorted(indices))} of {count}"
