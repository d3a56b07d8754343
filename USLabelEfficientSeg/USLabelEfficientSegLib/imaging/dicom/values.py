"""Attributes of data sets. An empty attribute (type 2, PS3.5 7.4.3) says as little as an absent one."""

from typing import Any, cast

from pydicom.dataset import Dataset

from ...text.display import printable

_SHOWN = 120  # letters


def told(dataset: Dataset, name: str) -> Any:
    """The value of an attribute, None where it is absent or empty."""
    value = dataset.get(name)
    return None if value is None or (hasattr(value, "__len__") and len(value) == 0) else value


def shown(text: object) -> str:
    """A text of a file as part of a sentence: one line, and not a long one."""
    line = printable(text)
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


def count_of(dataset: Dataset, name: str, otherwise: int) -> int:
    """A whole number, or its default where it is not told."""
    value = told(dataset, name)
    return otherwise if value is None else int(value)


def frame_count(dataset: Dataset) -> int:
    """The number of frames that an image declares."""
    return count_of(dataset, "NumberOfFrames", 1)


def group(dataset: Dataset, frame: int, name: str) -> Dataset:
    """The functional group of a frame, its own or the shared one (PS3.3 C.7.6.16); empty where there is none."""
    for groups, index in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        items = told(dataset, groups)
        found = told(items[index], name) if items is not None else None
        if found is not None:
            return cast(Dataset, found[0])
    return Dataset()
