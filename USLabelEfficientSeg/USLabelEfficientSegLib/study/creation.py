"""Making a study from folders of images and labels: validated first, then it appears as a whole."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ..annotation.label_files import read_labels, write_label_map
from ..annotation.protocol import choose_labelled_slices
from ..annotation.segments import LabelFile, numbered_organs, segments_of
from ..annotation.sparse_labels import SparseLabels, classes_in
from ..disk.files import sha256_of, temporary_path, writing
from ..disk.in_use import remove_file, remove_tree, replace_file
from ..disk.links import is_link
from ..disk.names import name_problem, safe_stems
from ..disk.study_layout import IMAGES, LABELS
from ..errors import InputError
from ..imaging.dimension import Dimension, words_of
from ..imaging.files import find_images, write_volume
from ..imaging.geometry import Geometry
from ..imaging.orientation import Orientation, oriented
from ..imaging.pixel_sizes import UNKNOWN_PIXEL_SIZES, PixelSizes
from ..imaging.scan import LabelMap, Scan
from ..imaging.scan_files import dimension_of_folder, read_scan
from ..text.counting import counted
from .building import building, remove_leftovers
from .manifest import Case, ImageRecord, LabelRecord, Manifest, write_manifest
from .organs import study_organs

_IMAGE_AXIS = 2  # of which an image is the only slice


@dataclass(frozen=True)
class _Reader:
    """How the files of a study are read."""

    dimension: Dimension
    pixel_sizes: PixelSizes
    orientation: Orientation = "as-stored"

    def find(self, folder: Path, *, labels: bool = False) -> dict[str, Path]:
        return find_images(folder, self.dimension, labels=labels)

    def scan(self, path: Path) -> Scan:
        return oriented(read_scan(path, self.dimension, self.pixel_sizes), self.orientation)

    def labels(self, path: Path, geometry: Geometry, organs: Sequence[str] | None = None) -> LabelMap:
        return read_labels(path, organs, geometry=geometry, pixel_sizes=self.pixel_sizes, orientation=self.orientation)


@dataclass(frozen=True)
class _Source:
    """A case as the user gave it, after validation."""

    name: str
    image: Path
    label: Path | None
    geometry: Geometry
    labels: LabelFile | None = None
    dense: bool = False


def create_study(
    folder: Path,
    images: Path,
    labels: Path | None,
    *,
    organs: Sequence[str] | None,
    slice_axis: int,
    label_fraction: float | None,
    seed: int,
    dimension: Dimension | None,
    pixel_sizes: PixelSizes,
    orientation: Orientation = "as-stored",
) -> None:
    """Build a study folder; see `Study.create`."""
    if slice_axis not in (0, 1, 2):
        raise InputError(f"slice axis {slice_axis}", "does not exist", "choose 0, 1 or 2")
    if label_fraction is not None and labels is None:
        raise InputError("label fraction", "was given without labels", "give the folder of the dense labels, too")
    remove_leftovers(folder)
    _check_free(folder)

    reader = _Reader(dimension or dimension_of_folder(images), pixel_sizes, orientation)
    if reader.dimension == 2:
        slice_axis = _IMAGE_AXIS
        if orientation != "as-stored":
            raise InputError(f"orientation {orientation}", "is for volumes, and these are 2-D images", "leave it out")
    elif pixel_sizes != UNKNOWN_PIXEL_SIZES:
        raise InputError("pixel sizes", "are for 2-D images, and these are volumes", "leave them out")
    sources = _examine(reader, images, labels)
    names = study_organs([source.labels for source in sources if source.labels is not None], organs)
    kept = None if label_fraction is None else _protocol(sources, slice_axis, label_fraction, seed)

    with building(folder) as hidden:
        (hidden / IMAGES).mkdir()
        (hidden / LABELS).mkdir()
        stems = safe_stems(source.name for source in sources)
        cases = tuple(
            _store(hidden, reader, source, stem, names, slice_axis, kept)
            for source, stem in counted(list(zip(sources, stems, strict=True)), "copying")
        )
        manifest = Manifest(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            dimension=reader.dimension,
            slice_axis=slice_axis,
            orientation=orientation,
            organs=names,
            label_fraction=label_fraction,
            label_seed=None if label_fraction is None else seed,
            cases=cases,
        )
        write_manifest(hidden, manifest)


def _check_free(folder: Path) -> None:
    """Refuse, before anything is read, a place where no study can be made."""
    if is_link(folder) and not folder.exists():
        raise InputError(folder, "is a link to nothing", "choose another folder for the new study")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(folder, "already exists and is not an empty folder", "choose another folder for the new study")
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not place.is_dir():
        raise InputError(folder, f"cannot be made, as {place} is a file", "choose another folder for the new study")
    if not os.access(place, os.W_OK):
        raise InputError(place, "no permission to write here", "choose another folder or ask for write permission")


@contextmanager
def stored_images(
    folder: Path, images: Path, manifest: Manifest, pixel_sizes: PixelSizes
) -> Iterator[tuple[Case, ...]]:
    """The images of a folder in an existing study, whose manifest is to be written within; see `Study.add_images`.

    They are copied to a hidden folder of the study first: killed or refused, nothing of them stays.
    """
    reader = _Reader(manifest.dimension, pixel_sizes, manifest.orientation)
    sources = _examine(reader, images, None)
    known = {case.name for case in manifest.cases}
    words = words_of(manifest.dimension)
    for source in sources:
        if source.name in known:
            problem = f"has the same name as {words.article} {words.scan} of the study {folder}"
            raise InputError(source.image, problem, "rename it")
    present = [Path(case.image.file).name.removesuffix(".nrrd") for case in manifest.cases]
    stems = safe_stems([*present, *(source.name for source in sources)])[len(present) :]
    hidden, moved = temporary_path(folder), []
    with writing(folder):
        try:
            (hidden / IMAGES).mkdir(parents=True)
            cases = tuple(
                _store(hidden, reader, source, stem, manifest.organs, manifest.slice_axis, None)
                for source, stem in counted(list(zip(sources, stems, strict=True)), "copying")
            )
            for case in cases:
                replace_file(hidden / case.image.file, folder / case.image.file)
                moved.append(folder / case.image.file)
            yield cases
        except BaseException:
            for path in moved:
                remove_file(path, missing_ok=True)
            raise
        finally:
            remove_tree(hidden, ignore_errors=True)


def label_record(folder: Path, file: str, labels: SparseLabels, slice_axis: int) -> LabelRecord:
    """The manifest's record of a label file that has just been written."""
    slices = labels.labelled_slices(slice_axis if labels.is_dense else None)
    shown = [set(classes_in(labels.of_slice(s)[None])) for s in slices]
    return LabelRecord(
        file=file,
        sha256=sha256_of(folder / file),
        slices=tuple((s.axis, s.index) for s in slices),
        organ_slices=tuple(sum(value + 1 in classes for classes in shown) for value in range(len(labels.organs))),
    )


def _examine(reader: _Reader, images: Path, labels: Path | None) -> list[_Source]:
    """Read everything once, so that every fault is found before anything is written."""
    image_paths = reader.find(images)
    label_paths = {} if labels is None else reader.find(labels, labels=True)
    for name, path in label_paths.items():
        if name not in image_paths:
            raise InputError(
                path,
                f"is a label without an image of the same name in {images}",
                "add its image or remove it",
            )
    sources = []
    for name, path in counted(image_paths.items(), "checking"):
        if problem := name_problem(name):
            raise InputError(path, f"has a name that {problem}", "rename it")
        geometry = reader.scan(path).geometry
        label_path = label_paths.get(name)
        if label_path is None:
            sources.append(_Source(name, path, None, geometry))
            continue
        label = reader.labels(label_path, geometry)
        labels_of = LabelFile.of(label_path, label)
        sparse = SparseLabels(label.voxels, label.geometry, numbered_organs(max(labels_of.present, default=0)))
        sparse.validate(str(label_path), geometry)
        sources.append(_Source(name, path, label_path, geometry, labels_of, sparse.is_dense))
    return sources


def _protocol(sources: Sequence[_Source], axis: int, fraction: float, seed: int) -> dict[str, list[int]]:
    """The slices that stay labelled, by case; sparse labels take no part and stay hidden."""
    dense = [source for source in sources if source.dense]
    chosen = choose_labelled_slices([source.geometry.shape[axis] for source in dense], fraction, seed)
    return {source.name: indices for source, indices in zip(dense, chosen, strict=True)}


def _store(
    folder: Path,
    reader: _Reader,
    source: _Source,
    stem: str,
    organs: tuple[str, ...],
    slice_axis: int,
    kept: dict[str, list[int]] | None,
) -> Case:
    file = f"{IMAGES}/{stem}.nrrd"
    volume = reader.scan(source.image)
    write_volume(folder / file, volume)
    _check_copy(source.image, volume, read_scan(folder / file, reader.dimension))
    image = ImageRecord(
        file=file,
        sha256=sha256_of(folder / file),
        shape=volume.geometry.shape,
        spacing=volume.geometry.spacing,
    )
    indices = None if kept is None else kept.get(source.name, [])
    if source.label is None or indices == []:
        return Case(name=source.name, image=image)
    labels = SparseLabels(reader.labels(source.label, volume.geometry, organs).voxels, volume.geometry, organs)
    if indices is not None:
        labels = labels.keep_slices(slice_axis, indices)
    label_file = f"{LABELS}/{stem}.nrrd"
    stored = LabelMap(labels.voxels, volume.geometry, source.name, segments_of(organs))
    write_label_map(folder / label_file, stored)
    return Case(name=source.name, image=image, labels=label_record(folder, label_file, labels, slice_axis))


def _check_copy(path: Path, original: Scan, copy: Scan) -> None:
    a, b = original.geometry, copy.geometry
    same = np.allclose(
        [*a.spacing, *a.origin, *a.direction.ravel()],
        [*b.spacing, *b.origin, *b.direction.ravel()],
        rtol=0,
        atol=1e-9,
    )
    if not (same and np.array_equal(original.voxels, copy.voxels)):
        raise InputError(path, "cannot be copied exactly as NRRD", "convert it to NRRD or NIfTI yourself and check it")
