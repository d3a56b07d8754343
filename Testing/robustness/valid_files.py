"""Small valid volumes of all formats, which the families damage, and what reading a damaged one may lead to."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import SimpleITK as sitk  # noqa: N813

from USLabelEfficientSegLib.errors import InputError, Notice
from USLabelEfficientSegLib.imaging.files import read_geometry, read_label_map, read_volume, split_frames
from USLabelEfficientSegLib.imaging.geometry import Geometry

SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd", ".nii", ".nii.gz", ".gipl", ".gipl.gz")
TYPES = ("uint8", "int16", "uint16", "float32", "float64", "int8", "int32")
SEGMENTS = (
    b"\nSegmentation_ConversionParameters:=Reference image geometry|"
    b"-0.3;0;0;12.5;0;-0.45;0;-40;0;0;1.25;7.75;0;0;0;1;0;9;0;9;0;9;|Image&\n"
    b"Segment0_ID:=a\nSegment0_Name:=a\nSegment0_LabelValue:=1\nSegment0_Layer:=0\n"
    b"Segment1_ID:=b\nSegment1_Name:=b\nSegment1_LabelValue:=2\nSegment1_Layer:=0\n\n"
)
Found = TypeVar("Found")
SECONDS = 10.0  # of one check, with other programs beside


@dataclass(frozen=True)
class ValidFile:
    """A volume on disk: its files by name, and what reading it gives."""

    path: Path
    contents: dict[str, bytes]
    voxels: np.ndarray
    geometry: Geometry
    compressed: bool

    def store(self, **changed: bytes) -> None:
        """Put the files back on disk, some of them with other contents."""
        for name, content in {**self.contents, **changed}.items():
            (self.path.parent / name).write_bytes(content)

    @property
    def data_name(self) -> str:
        """The file that holds the voxels."""
        return next((name for name in self.contents if name != self.path.name), self.path.name)

    @property
    def header_bytes(self) -> int:
        """Size of the header, of the decompressed file where all of it is compressed."""
        content = self.contents[self.path.name]
        if self.data_name != self.path.name:
            return len(content)
        if ".nii" in self.path.name:
            return 352
        if ".gipl" in self.path.name:
            return 256
        end = b"\n\n" if self.path.suffix == ".nrrd" else b"ElementDataFile = LOCAL\n"
        return content.index(end) + len(end)


def valid_files(folder: Path, random: np.random.Generator) -> list[ValidFile]:
    """A volume of every format, compressed and not, of several types."""
    made = []
    for number, suffix in enumerate(SUFFIXES):
        for compressed in {suffix.endswith(".gz"), suffix not in (".nii", ".gipl")}:
            place = folder / f"{number}{int(compressed)}"
            place.mkdir(parents=True)
            path = place / f"a{suffix}"
            kind = TYPES[(2 * number + compressed) % (4 if "gipl" in suffix else len(TYPES))]
            image = sitk.GetImageFromArray(random.integers(0, 100, (4, 5, 6)).astype(kind))
            image.SetSpacing((0.3, 0.45, 1.25))
            image.SetOrigin((-12.5, 40.0, 7.75))
            if "gipl" not in suffix:
                turned, _ = np.linalg.qr(random.normal(size=(3, 3)))
                image.SetDirection(turned.ravel().tolist())
            sitk.WriteImage(image, str(path), compressed)
            if suffix == ".nrrd" and not compressed:
                path.write_bytes(path.read_bytes().replace(b"\n\n", SEGMENTS, 1))
            contents = {file.name: file.read_bytes() for file in place.iterdir()}
            volume = read_volume(path)
            assert np.array_equal(np.swapaxes(volume.voxels, 0, 2), sitk.GetArrayViewFromImage(image))
            made.append(ValidFile(path, contents, volume.voxels, volume.geometry, compressed))
    return made


def outcome(read: Callable[[Path], Found], path: Path) -> Found | None:
    """What a reader makes of a file, None if it refuses it in one sentence; anything else is an error."""
    began = time.monotonic()
    with warnings.catch_warnings(action="error"):
        warnings.simplefilter("ignore", Notice)
        try:
            found: Found | None = read(path)
        except InputError as error:
            found = None
            sentence = str(error)
            assert "\n" not in sentence and len(sentence) < 400 + len(str(path)), sentence
            assert isinstance(error.subject, Path), f"no file is named: {sentence}"
    assert time.monotonic() - began < SECONDS, "took too long"
    return found


def check_refused(path: Path) -> None:
    """All readers refuse a file."""
    for read in (read_volume, read_label_map, split_frames):
        assert outcome(read, path) is None, f"{read.__name__} accepts it"


def check_sensible(path: Path) -> None:
    """All readers refuse a file, or agree on a volume that it can hold."""
    volume = outcome(read_volume, path)
    labels = outcome(read_label_map, path)
    outcome(split_frames, path)
    grid = outcome(read_geometry, path)
    for found in (volume, labels):
        if found is not None:
            assert found.voxels.shape == found.geometry.shape
            assert grid is not None and _place(grid) == _place(found.geometry), "the header says another grid"
            assert found.geometry.voxel_volume_ml > 0


def _place(grid: Geometry) -> list[object]:
    return [grid.shape, grid.spacing, grid.origin, grid.direction.tolist()]


def check_equal(valid: ValidFile) -> None:
    """A file is refused, or read with the right voxels in the right place."""
    volume = outcome(read_volume, valid.path)
    if volume is not None:
        assert np.array_equal(volume.voxels, valid.voxels), "wrong voxels"
        assert volume.geometry.same_grid(valid.geometry, 1e-9), "wrong geometry"
