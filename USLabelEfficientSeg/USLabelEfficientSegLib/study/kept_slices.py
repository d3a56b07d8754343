"""Labels that the user has kept, on disk before the click returns: the labelled slices alone, a small file a case.

Writing the label map of a large volume takes tenths of a second, which happens beside the user's work. Whatever ends
the program meanwhile, the slices are in the folder `kept` of the study, and are taken up when it is opened next.
"""

from __future__ import annotations

import base64
import json
import threading
import warnings
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..annotation.sparse_labels import LabelledSlice, SparseLabels
from ..disk.files import atomic_write_text
from ..disk.identity import identity_of
from ..disk.in_use import remove_file
from ..disk.json_files import read_json
from ..disk.links import refuse_link
from ..disk.study_layout import KEPT
from ..errors import InputError, Notice
from .inbox import Held, Taken, leave_labels

if TYPE_CHECKING:
    from ..imaging.geometry import Geometry
    from .joining import Checksums
    from .study import Study

SliceLabels = Mapping[LabelledSlice, NDArray[np.uint8]]
Packed = dict[str, Any]  # a slice as JSON values
_SUFFIX = ".json"
_FASTEST = 1  # of zlib


class KeptSlices:
    """Writes the labelled slices of a study's cases, and removes them once the study holds them."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.latest: dict[str, KeptCase] = {}
        self.packed: dict[str, dict[LabelledSlice, tuple[NDArray[np.uint8], Packed]]] = {}

    def write(
        self, study: Study, case: str, slices: SliceLabels, agreed: Checksums | None = None
    ) -> Callable[[], None]:
        """Write all labelled slices of a case; they replace those before. What cannot be written is not told here.

        Args:
            study: open, of the case.
            case: its name.
            slices: 2-D labels: 0 background, n the n-th organ.
            agreed: checksums of the slices that the study held alike; None: all others of the case are replaced.

        Returns:
            To be called once the study holds them: removes them, unless others of the case were given since.
        """
        kept = self.given(study, case, slices, agreed)
        kept.write()
        return kept.held

    def given(self, study: Study, case: str, slices: SliceLabels, agreed: Checksums | None = None) -> KeptCase:
        """The same, to be written in another thread; nothing is written once others of the case were given."""
        kept = KeptCase(self, study, case, slices, agreed)
        self.latest[case] = kept
        return kept


class KeptCase:
    """The labelled slices of a case that were given together, see `KeptSlices`."""

    def __init__(
        self, all_kept: KeptSlices, study: Study, case: str, slices: SliceLabels, agreed: Checksums | None
    ) -> None:
        self._all, self._folder, self._path = all_kept, study.folder, _path(study, case)
        self._case, self._slices, self._agreed = case, slices, agreed

    @property
    def _is_latest(self) -> bool:
        return self._all.latest.get(self._case) is self

    def write(self) -> None:
        """Write them into the study's folder."""
        with self._all.guard, suppress(InputError, OSError):  # whoever writes the labels themselves is told
            if self._is_latest:
                refuse_link(self._path.parent)
                if self._folder.is_dir():
                    atomic_write_text(self._path, self._text())

    def held(self) -> None:
        """The study holds them."""
        with self._all.guard, suppress(OSError):
            if self._is_latest:
                remove_file(self._path, missing_ok=True)

    def _text(self) -> str:
        known = self._all.packed.get(self._case, {})
        packed = {place: _packed(place, labels, known.get(place)) for place, labels in self._slices.items()}
        self._all.packed[self._case] = packed
        content: dict[str, Any] = {"case": self._case, "slices": [one for _labels, one in packed.values()]}
        if self._agreed is not None:
            content["agreed"] = [[place.axis, place.index, known] for place, known in sorted(self._agreed.items())]
        return json.dumps(content) + "\n"


def leave_kept(study: Study) -> Taken:
    """Leave the slices that a program kept, but had no time to write, in the inbox.

    Needs no lock. Slices that do not fit the study, or a damaged file, stay where they are; a `Notice` tells of each.

    Raises:
        InputError: the inbox cannot be written.
    """
    left = Taken()
    for path in kept_files(study):
        found = identity_of(path)
        kept = _read(study, path)
        if isinstance(kept, InputError):
            if found is not None and identity_of(path) == found:  # else the program lives, and has written them
                left.unfit.append(kept)
                warnings.warn(Notice(kept.subject, f"{kept.problem}; {kept.remedy}"), stacklevel=2)
            continue
        left.note(kept.case, leave_labels(study, kept.case, kept.labels, kept.held).set_aside)
        if identity_of(path) == found:  # else the program lives, and has kept more
            remove_file(path, missing_ok=True)
    return left


@dataclass(frozen=True)
class _Read:
    """What a file holds: the labels of a case, and what was known of those on disk."""

    case: str
    labels: SparseLabels
    held: Held | None


def _read(study: Study, path: Path) -> _Read | InputError:
    """What a file holds, or why that does not fit the study."""
    remedy = "label its slices again, then remove the file"
    try:
        content = read_json(path)
        case, agreed = content["case"], content.get("agreed")
        if not study.has(case):
            return InputError(path, f"holds slices of {case}, which is not in this study", remedy)
        held = None if agreed is None else Held({LabelledSlice(axis, index): sum_ for axis, index, sum_ in agreed})
        return _Read(case, _labels(study, case, content["slices"]), held)
    except InputError as error:
        return InputError(path, f"holds slices that do not fit ({error.subject} {error.problem})", remedy)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, zlib.error):
        return InputError(path, "is damaged, or holds slices of another size than the image", remedy)


def kept_cases(study: Study) -> set[str]:
    """The cases of which a program kept slices, but had no time to write them."""
    return {kept.case for path in kept_files(study) if isinstance(kept := _read(study, path), _Read)}


def kept_places(study: Study) -> dict[str, list[LabelledSlice]]:
    """Which slices those are, by case."""
    found = [kept for path in kept_files(study) if isinstance(kept := _read(study, path), _Read)]
    return {kept.case: kept.labels.labelled_slices() for kept in found}


def unfit_files(study: Study) -> list[InputError]:
    """The files of kept slices that do not fit the study, each with its problem and a remedy."""
    return [kept for path in kept_files(study) if isinstance(kept := _read(study, path), InputError)]


def kept_files(study: Study) -> list[Path]:
    """The files of slices that a program kept, but had no time to write."""
    return sorted((study.folder / KEPT).glob(f"*{_SUFFIX}"))


def _path(study: Study, case: str) -> Path:
    return study.folder / KEPT / (study.case(case).image.file.rpartition("/")[2] + _SUFFIX)


def _packed(
    place: LabelledSlice, labels: NDArray[np.uint8], known: tuple[NDArray[np.uint8], Packed] | None
) -> tuple[NDArray[np.uint8], Packed]:
    """A slice with its packed form, as it was if the slice is."""
    if known is not None and np.array_equal(known[0], labels):
        return known
    data = base64.b64encode(zlib.compress(labels.astype(np.uint8).tobytes(), _FASTEST)).decode()
    return labels, {"axis": place.axis, "index": place.index, "shape": list(labels.shape), "labels": data}


def _labels(study: Study, case: str, slices: list[Packed]) -> SparseLabels:
    from ..imaging.volume_files import read_geometry

    geometry: Geometry = read_geometry(study.folder / study.case(case).image.file, planar=study.is_planar)
    labels = SparseLabels.unlabelled(geometry, study.organs)
    for one in slices:
        voxels = np.frombuffer(zlib.decompress(base64.b64decode(one["labels"])), dtype=np.uint8)
        labels.set_slice(one["axis"], one["index"], voxels.reshape(one["shape"]))
    return labels
