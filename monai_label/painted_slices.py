"""Which slices a client has painted: clients of MONAI Label know no "unlabelled", the study needs to know."""

from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray

UNLABELLED = 255
_FEWER = 2 / 3  # so many slices of other axes, for one of the study's, tell that these were painted


def write_sparse(source: Path, target: Path, axis: int) -> None:
    """Write a client's label map as sparse labels: slices without any organ are unlabelled, for clients know no 255.

    Args:
        source: 0 background, n the n-th organ.
        target: the same with 255 on all but the painted slices; not written if nothing is painted.
        axis: array axis of the study, 2 for the third axis of the file.

    Raises:
        ValueError: it is no label map of a volume.
    """
    image = SimpleITK.ReadImage(str(source))
    voxels = SimpleITK.GetArrayFromImage(image).transpose()  # the array has the axes of the file in reverse
    if voxels.ndim != 3 or not np.isin(voxels, np.arange(UNLABELLED)).all():
        raise ValueError(f"{source}: is no label map of a volume; save whole numbers, 0 for background.")
    if not voxels.any():
        return
    sparse = np.full(voxels.shape, UNLABELLED, dtype=np.uint8)
    for across, index in painted_slices(voxels != 0, axis):
        where = (slice(None),) * across + (index,)
        sparse[where] = voxels[where]
    written = SimpleITK.GetImageFromArray(np.ascontiguousarray(sparse.transpose()))
    written.CopyInformation(image)
    SimpleITK.WriteImage(written, str(target), useCompression=True)


def painted_slices(marked: NDArray[np.bool_], axis: int) -> list[tuple[int, int]]:
    """The slices (axis, index) on which somebody has painted what is marked.

    Those across the study's axis, if not much fewer slices of other axes hold the same: then somebody has painted
    there, and across the study's axis their organs are but lines. Of a volume that is painted throughout all slices
    are whole, whatever the axis.

    Args:
        marked: (I, J, K) whether a voxel is of an organ.
        axis: of the study.
    """
    across_study = np.flatnonzero(marked.any(axis=tuple({0, 1, 2} - {axis})))
    left, found = marked.copy(), list[tuple[int, int]]()
    axes = (axis, *sorted({0, 1, 2} - {axis}))  # the study's wins where two hold as much
    while len(found) <= _FEWER * len(across_study):
        counts = {across: left.sum(axis=tuple({0, 1, 2} - {across})) for across in axes}
        fullest = max(axes, key=lambda across: int(counts[across].max()))
        index = int(counts[fullest].argmax())
        if not counts[fullest][index]:
            return found
        found.append((fullest, index))
        left[(slice(None),) * fullest + (index,)] = False
    return [(axis, int(index)) for index in across_study]
