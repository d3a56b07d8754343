"""Labels that the user has kept, on disk before the click returns: the labelled slices alone, a small file a case.

Writing the label map of a large volume takes tenths of a second, which happens beside the user's work. Whatever ends
the program meanwhile, the slices are in the folder `kept` of the study, and are taken up when it is opened next.
"""

from __future__ import annotations

import base64
import json
import threading
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..annotation.sparse_labels import LabelledSlice, SparseLabels
from ..disk.files import atomic_write_text
from ..disk.in_use import remove_file
from ..disk.json_files import read_json
from ..disk.links import refuse_link
from ..disk.study_layout import KEPT
from ..errors import InputError
from .inbox import leave_labels

if TYPE_CHECKING:
    from ..imaging.geometry import Geometry
    from .study import Study

SliceLabels = Mapping[LabelledSlice, NDArray[np.uint8]]
Packed = dict[str, Any]  # a slice as JSON values
_SUFFIX = ".json"
_FASTEST = 1  # of zlib


class KeptSlices:
    """Writes the labelled slices of a study's cases, and removes them once the study holds them."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._packed: dict[str, dict[LabelledSlice, tuple[NDArray[np.uint8], Packed]]] = {}
        self._latest: dict[str, object] = {}

    def write(self, study: Study, case: str, slices: SliceLabels) -> Callable[[], None]:
        """Write all labelled slices of a case; they replace those before. What cannot be written is not told here.

        Args:
            study: open, of the case.
            case: its name.
            slices: 2-D labels: 0 background, n the n-th organ.

        Returns:
            To be called once the study holds them: removes them, unless others of the case were written since.
        """
        path, token = _path(study, case), object()
        known = self._packed.get(case, {})
        packed = {place: _packed(place, labels, known.get(place)) for place, labels in slices.items()}
        self._packed[case] = packed
        text = json.dumps({"case": case, "slices": [one for _labels, one in packed.values()]})
        with self._guard:
            self._latest[case] = token
            with suppress(InputError, OSError):  # whoever writes the labels themselves is told
                refuse_link(path.parent)
                if study.folder.is_dir():
                    atomic_write_text(path, text + "\n")

        def held() -> None:
            with self._guard, suppress(OSError):
                if self._latest.get(case) is token:
                    remove_file(path, missing_ok=True)

        return held


def leave_kept(study: Study) -> list[str]:
    """Leave the slices that a program kept, but had no time to write, in the inbox; returns the names of their cases.

    Needs no lock. Slices that do not fit the study, or a damaged file, stay where they are.
    """
    left = []
    for path in sorted((study.folder / KEPT).glob(f"*{_SUFFIX}")):
        with suppress(InputError, OSError, ValueError, KeyError, TypeError, zlib.error):
            content = read_json(path)
            case = content["case"]
            leave_labels(study, case, _labels(study, case, content["slices"]))
            left.append(case)
            remove_file(path, missing_ok=True)
    return left


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
