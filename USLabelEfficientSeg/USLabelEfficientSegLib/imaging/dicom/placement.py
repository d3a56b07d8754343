"""Where a frame lies in space, and when it was taken.

Read from the functional groups of an enhanced file (PS3.3 C.7.6.16.2 and, for the positions relative to the transducer
of an Enhanced US Volume, C.8.24.6) or from the image plane of a single frame (C.7.6.2). Positions relative to the
patient are preferred to those relative to the transducer. The frames of a multi-frame file without such positions are a
volume if the file tells their distance and does not say that they follow each other in time (C.7.6.5, C.7.6.6).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset

from ...errors import InputError
from .values import count_of, frame_count, group, told

_POSITION_GROUP = {"Patient": "PlanePositionSequence", "Volume": "PlanePositionVolumeSequence"}
_ORIENTATION_GROUP = {"Patient": "PlaneOrientationSequence", "Volume": "PlaneOrientationVolumeSequence"}
_NO_POSITION, _NO_ROTATION = (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_LOCATIONS = "SliceLocationVector"
_STEPS_IN_SPACE = {_LOCATIONS, "SliceLocation", "SpacingBetweenSlices", "ImagePositionPatient", "SliceVector"}
_TIMES = ("FrameTime", "FrameTimeVector", "CineRate", "ActualFrameDuration", "FrameDelay")
_FARTHEST_MM = 1e6
_NO_UNIT_VECTORS = 1e-2
_COARSEST_MM = 0.01  # of positions that count as rounded
_CINE_REMEDY = "give a 3-D volume (export it as Enhanced US Volume, NRRD or NIfTI), or one frame as a 2-D image"


@dataclass(frozen=True)
class Placement:
    """Of the centre of the first pixel, in LPS mm, and the unit vectors (2, 3) along i and j."""

    position: NDArray[np.float64]
    axes: NDArray[np.float64]


def placements(dataset: Dataset, file: Path) -> list[Placement]:
    """Where every frame lies.

    Raises:
        InputError: there is no position, or the frames are a film over time.
    """
    count = frame_count(dataset)
    found = _of_frames(dataset, count)
    if found is None:
        position, orientation = told(dataset, "ImagePositionPatient"), told(dataset, "ImageOrientationPatient")
        if count > 1:
            found = _at_a_distance(dataset, count, position or _NO_POSITION, orientation or _NO_ROTATION, file)
        elif position and orientation:
            found = [(position, orientation)]
        else:
            problem = "does not say where its slice lies (no Image Position and Orientation)"
            export = "export the volume as Enhanced US Volume, NRRD or NIfTI"
            raise InputError(file, problem, f"{export}, or study 2-D images alone (--dimension 2)", in_panel=export)
    return [_placement(position, orientation) for position, orientation in found]


def _placement(position: Sequence[float], orientation: Sequence[float]) -> Placement:
    place = Placement(np.array(position, dtype=np.float64), np.array(orientation, dtype=np.float64).reshape(2, 3))
    if not (place.position.shape == (3,) and np.abs(place.position).max() < _FARTHEST_MM):  # not NaN either
        raise ValueError(f"a position of {place.position} mm")
    if not np.allclose(place.axes @ place.axes.T, np.eye(2), atol=_NO_UNIT_VECTORS):
        raise ValueError(f"an orientation of {place.axes.ravel()}")
    return place


def has_position(dataset: Dataset) -> bool:
    """Whether a frame has a position in space."""
    return bool(told(dataset, "ImagePositionPatient")) or _of_frames(dataset, 1) is not None


def rounding_mm(dataset: Dataset) -> float:
    """The largest rounding of positions: half a unit of their last digit, no coarser than 0.01 mm."""
    positions = [told(dataset, "ImagePositionPatient") or ()]
    for frame in told(dataset, "PerFrameFunctionalGroupsSequence") or ():
        for place, name in _POSITION_GROUP.items():
            for item in told(frame, name) or ():
                positions.append(told(item, f"ImagePosition{place}") or ())
    texts = [getattr(value, "original_string", repr(float(value))) for values in positions for value in values]
    decimals = max((len(text.partition(".")[2].strip()) for text in texts if "e" not in text.lower()), default=17)
    return min(_COARSEST_MM, 10.0**-decimals) / 2


def time_of(dataset: Dataset, frame: int) -> tuple[int, int, int]:
    """The order of frames at the same place: temporal position, instance number, frame."""
    context = group(dataset, frame, "FrameContentSequence")
    temporal = count_of(context, "TemporalPositionIndex", count_of(dataset, "TemporalPositionIdentifier", 0))
    return temporal, count_of(dataset, "InstanceNumber", 0), frame


def _of_frames(dataset: Dataset, count: int) -> list[tuple[Sequence[float], Sequence[float]]] | None:
    """Positions and orientations in the functional groups, None where some frame has none."""
    items = told(dataset, "PerFrameFunctionalGroupsSequence")
    if items is not None and len(items) != count:
        raise ValueError(f"{len(items)} of {count} frames described")
    if items is None and count > 1:
        return None
    for place in ("Patient", "Volume"):
        groups = [
            (
                told(group(dataset, frame, _POSITION_GROUP[place]), f"ImagePosition{place}"),
                told(group(dataset, frame, _ORIENTATION_GROUP[place]), f"ImageOrientation{place}"),
            )
            for frame in range(count)
        ]
        if all(position is not None and orientation is not None for position, orientation in groups):
            return groups
    return None


def _at_a_distance(
    dataset: Dataset, count: int, position: Sequence[float], orientation: Sequence[float], file: Path
) -> list[tuple[Sequence[float], Sequence[float]]]:
    """Frames without positions of their own, in a row along their normal."""
    pointers = _pointers(dataset)
    if not pointers & _STEPS_IN_SPACE and (times := _times(dataset, count, pointers)):
        problem = f"is a film: its frames follow each other in time ({times}) and have no position in space"
        raise InputError(file, problem, _CINE_REMEDY)
    locations, step = told(dataset, _LOCATIONS), told(dataset, "SpacingBetweenSlices")
    if step is None and (measures := told(group(dataset, 0, "PixelMeasuresSequence"), "SpacingBetweenSlices")):
        step = measures
    if locations is not None and _LOCATIONS in pointers:
        if len(locations) != count:
            raise ValueError(f"{len(locations)} slice locations of {count} frames")
        distances = np.array([float(location) for location in locations])
        distances -= distances[0]
    elif not step:
        problem = "is a film whose frames have no position in space (no Spacing Between Slices)"
        raise InputError(file, problem, "export the volume as Enhanced US Volume, NRRD or NIfTI")
    elif float(step) < 0:
        problem = f"has frames without position and the distance {float(step):g} mm, so that their order is not known"
        raise InputError(file, problem, "export the volume as Enhanced US Volume, NRRD or NIfTI")
    else:
        distances = np.arange(count) * float(step)
    axes = np.array(orientation, dtype=np.float64)
    normal = np.cross(axes[:3], axes[3:])
    first = np.array(position, dtype=np.float64)
    with np.errstate(all="ignore"):  # what is not finite is refused later
        return [((first + distance * normal).tolist(), axes.tolist()) for distance in distances]


def _pointers(dataset: Dataset) -> set[str]:
    """The attributes that, by a Frame Increment Pointer, differ from frame to frame."""
    pointers = told(dataset, "FrameIncrementPointer")
    if pointers is None:
        return set()
    return {keyword_for_tag(tag) for tag in ([pointers] if isinstance(pointers, int) else pointers)}


def _times(dataset: Dataset, count: int, pointers: set[str]) -> str:
    """The attribute by which frames follow each other in time, empty if there is none."""
    found = [name for name in _TIMES if name in pointers or _is_duration(told(dataset, name))]
    described = count if told(dataset, "PerFrameFunctionalGroupsSequence") is not None else 0
    contexts = (group(dataset, frame, "FrameContentSequence") for frame in range(described))
    indices = {told(context, "TemporalPositionIndex") for context in contexts}
    if len(indices) > 1:
        found.append("TemporalPositionIndex")
    return ", ".join(found)


def _is_duration(value: object) -> bool:
    """Whether an attribute tells a time: zero tells none."""
    if value is None:
        return False
    values = value if hasattr(value, "__iter__") and not isinstance(value, str) else [value]
    return any(float(item) > 0 for item in values)
