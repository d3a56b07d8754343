"""A study: one folder with images, sparse labels, settings, progress, weights; safe to copy and to kill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..disk.files import guarded, remove_temporaries, sha256_of
from ..disk.in_use import remove_file
from ..disk.links import refuse_links
from ..disk.lock import StudyLock, holder_of
from ..disk.study_layout import EVENTS_NAME, LOCK_NAME, RUN, run_file
from ..errors import InputError
from ..imaging.dimension import Dimension, ScanWords, words_of
from .coverage import label_fraction
from .events import EventLog
from .manifest import Case, LabelRecord, Manifest, like_before, read_manifest, write_manifest
from .summary import summary_of, training_of

if TYPE_CHECKING:  # what reads and writes images takes long to import: whoever only looks at a study need not wait
    from ..annotation.sparse_labels import SparseLabels
    from ..imaging.orientation import Orientation
    from ..imaging.pixel_sizes import PixelSizes
    from ..imaging.scan import Scan


class Study:
    """A study on disk. Reading needs no lock; whoever writes holds `lock()`, or does while one of its methods does."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.events = EventLog(run_file(folder, EVENTS_NAME))
        self._take(manifest)
        self._locked = False

    @classmethod
    def create(
        cls,
        folder: Path,
        images: Path,
        labels: Path | None = None,
        *,
        organs: Sequence[str] | None = None,
        slice_axis: int = 2,
        label_fraction: float | None = None,
        seed: int = 0,
        dimension: Dimension | None = None,
        pixel_sizes: PixelSizes | None = None,
        orientation: Orientation = "as-stored",
    ) -> Study:
        """Make a study of the images in a folder and the labels of the same names in another.

        Everything is validated before anything is written, and the folder appears complete or not at all.

        Args:
            folder: the new study; must not exist or be empty.
            images: folder of volumes or 2-D images `NAME.ext`.
            labels: folder of label maps `NAME.ext`: 0 background, n the n-th organ, 255 unlabelled (of volumes only;
                for the labels of 2-D images see `read_labels`).
            organs: their names, in the order of their classes; by default "organ 1", ... for each class.
            slice_axis: array axis along which slices were acquired or annotated.
            label_fraction: keep only this fraction of the slices of dense labels, or of the labels of 2-D images.
                Hidden labels and sparse ones are not stored. By default labels are taken as they are.
            seed: of the choice of these slices.
            dimension: 3 for volumes, 2 for images; by default what the files are.
            pixel_sizes: of 2-D images whose files do not tell them.
            orientation: "as-stored" keeps the order of the axes, which for a probe fits the anatomy; "anatomical"
                brings volumes and labels to the axes L, P, S of the patient, by the directions in files.

        Raises:
            InputError: bad image, volumes and 2-D images together, unknown pixel size; a label without an image,
                with another geometry or without a labelled slice; a class in only one of several labels (probably a
                mistake; naming organs allows it); a fraction outside (0, 1]; no room or permission to write.

        Examples:
            >>> study = Study.create(
            ...     Path("new-study"), Path("images"), Path("labels"), organs=["solid", "fluid"], label_fraction=0.2
            ... )
            >>> len(study.cases), study.organs, 0.1 < study.label_fraction() < 0.3
            (3, ('solid', 'fluid'), True)
        """
        from ..imaging.pixel_sizes import UNKNOWN_PIXEL_SIZES
        from .creation import create_study

        create_study(
            folder,
            images,
            labels,
            organs=organs,
            slice_axis=slice_axis,
            label_fraction=label_fraction,
            seed=seed,
            dimension=dimension,
            pixel_sizes=pixel_sizes or UNKNOWN_PIXEL_SIZES,
            orientation=orientation,
        )
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path, before: Study | None = None) -> Study:
        """Open an existing study. Raises `InputError`: damaged, incomplete, or of a newer version.

        Args:
            folder: of the study.
            before: the study as it was read earlier; cases that are as they were then are the same objects, so that
                thousands are compared in no time.

        Examples:
            >>> study = Study.open(Path("my-study"))
            >>> [case.name for case in study.cases]
            ['simulated_0000', 'simulated_0001', 'simulated_0002']
        """
        manifest = read_manifest(folder)
        study = cls(folder, manifest if before is None else like_before(manifest, before.cases))
        for case in study.cases:
            for record in (case.image, case.labels):
                if record is not None and not (folder / record.file).is_file():
                    raise InputError(
                        folder / record.file,
                        "is missing from the study",
                        "restore it or create the study again",
                    )
        return study

    @property
    def cases(self) -> tuple[Case, ...]:
        """The volumes or images, sorted by name."""
        return self._manifest.cases

    @property
    def created(self) -> str:
        """When the study was made, which tells studies apart wherever their folders are."""
        return self._manifest.created

    @property
    def organs(self) -> tuple[str, ...]:
        """Names of the organs; organ `n` (from 0) has the label value `n + 1`."""
        return self._manifest.organs

    @property
    def dimension(self) -> Dimension:
        """3 for a study of volumes, 2 for one of images; an image is a volume of one slice along `slice_axis`."""
        return self._manifest.dimension

    @property
    def is_planar(self) -> bool:
        """Whether it is a study of 2-D images."""
        return self.dimension == 2

    @property
    def words(self) -> ScanWords:
        """What people call its scans and slices."""
        return words_of(self.dimension)

    @property
    def slice_axis(self) -> int:
        """Array axis along which slices were acquired or annotated."""
        return self._manifest.slice_axis

    @property
    def orientation(self) -> Orientation:
        """Whether the axes of volumes are in the order of their files, or in that of the anatomy."""
        return self._manifest.orientation

    @property
    def label_seed(self) -> int | None:
        """Of the choice of the labelled slices, where they are a fraction of dense labels."""
        return self._manifest.label_seed

    @property
    def run_folder(self) -> Path:
        """Where training keeps its settings, events and weights."""
        return self.folder / RUN

    def has(self, name: str | None) -> bool:
        """Whether there is a case of a name."""
        return name in self._by_name

    def case(self, name: str) -> Case:
        """The case of a name. Raises `InputError` when there is none."""
        if self.has(name):
            return self._by_name[name]
        raise InputError(
            self.folder,
            f"has no {self.words.scan} named {name}",
            "see `study show` for the names",
        )

    def read_scan(self, name: str) -> Scan:
        """The volume or image of a case."""
        from ..imaging.scan_files import read_scan

        return replace(read_scan(self.folder / self.case(name).image.file, self.dimension), name=name)

    def read_labels(self, name: str) -> SparseLabels | None:
        """The sparse labels of a case, or None when nothing of it is labelled."""
        record = self.case(name).labels
        return None if record is None else self._read_labels(record)

    def set_labels(self, name: str, labels: SparseLabels) -> None:
        """Replace the labels of a case. Raises `InputError` when they do not fit or no slice is labelled."""
        self.set_all_labels({name: labels})

    def set_all_labels(self, labels: Mapping[str, SparseLabels]) -> None:
        """Replace the labels of several cases, by name, all of them or none; raises as `set_labels`."""
        from .label_replacing import replaced

        with self._writing():
            changed = replaced(self, [(self.case(name), one) for name, one in labels.items()])
            self._write(tuple(changed.get(case.name, case) for case in self.cases))

    def remove_labels(self, name: str) -> None:
        """Make a case unlabelled; its label file goes, too."""
        with self._writing():
            record = self.case(name).labels
            if record is not None:
                self._replace(self.case(name).model_copy(update={"labels": None}))
                remove_file(self.folder / record.file, missing_ok=True)

    def add_images(self, images: Path, pixel_sizes: PixelSizes | None = None) -> list[str]:
        """Add the images of a folder, without labels; returns their names.

        Raises `InputError`, before anything is written: a bad image, or a name that the study has already.
        """
        from ..imaging.pixel_sizes import UNKNOWN_PIXEL_SIZES
        from .creation import stored_images

        with (
            self._writing(),
            stored_images(self.folder, images, self._manifest, pixel_sizes or UNKNOWN_PIXEL_SIZES) as added,
        ):
            cases = sorted((*self.cases, *added), key=lambda case: case.name)
            self._write(tuple(cases))
            return [case.name for case in added]

    def check_files(self) -> None:
        """Compare files with their checksums: a changed image is refused, an edited label is taken over."""
        with self._writing():
            self._check_files()

    def _check_files(self) -> None:
        from .creation import label_record

        for case in self.cases:
            if sha256_of(self.folder / case.image.file) != case.image.sha256:
                raise InputError(
                    self.folder / case.image.file, "has changed since the study was created",
                    "restore it or create the study again",
                )  # fmt: skip
            if case.labels is not None and sha256_of(self.folder / case.labels.file) != case.labels.sha256:
                labels = self._read_labels(case.labels)
                labels.validate(case.name, self.read_scan(case.name).geometry)
                record = label_record(self.folder, case.labels.file, labels, self.slice_axis)
                self._replace(case.model_copy(update={"labels": record}))

    def label_fraction(self) -> float:
        """Labelled slices over all slices along the slice axis, see `coverage.label_fraction`."""
        return label_fraction(self.cases, self.slice_axis)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only writer, of the study as it is now on disk, and clean up after killed ones.

        Raises:
            InputError: another program writes; a link in the study; its manifest was damaged meanwhile. While the lock
                is held, writing to the study raises it, too, once the study's folder has been moved or renamed.
        """
        refuse_links(self.folder)
        with StudyLock(self.folder / LOCK_NAME, self.folder) as lock, guarded(self.folder, lock.verify):
            remove_temporaries(self.folder)
            self._take(read_manifest(self.folder))  # another may have written it since it was read
            self._locked = True
            try:
                yield
            finally:
                self._locked = False

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the lock, if need be."""
        if self._locked:
            yield
        else:
            with self.lock():
                yield

    def is_training(self) -> bool:
        """Whether somebody holds the study's lock."""
        return holder_of(self.folder / LOCK_NAME) is not None

    def training(self) -> dict[str, Any] | None:
        """How far the study is trained, as JSON values: stage, step, of, and state; None before its first training.

        The state is "finished" if there is a model of the last training, even if a later one was stopped before it
        replaced that model; else "running" or "stopped".
        """
        return training_of(self)

    def summary(self) -> dict[str, Any]:
        """What `study show` tells, as JSON values."""
        return summary_of(self)

    def _read_labels(self, record: LabelRecord) -> SparseLabels:
        from ..annotation.label_files import read_labels
        from ..annotation.sparse_labels import SparseLabels

        path = self.folder / record.file
        label = read_labels(path, self.organs, dimension=self.dimension)
        return SparseLabels(label.voxels, label.geometry, self.organs)

    def _replace(self, changed: Case) -> None:
        cases = tuple(changed if case.name == changed.name else case for case in self.cases)
        self._write(cases)

    def _write(self, cases: tuple[Case, ...]) -> None:
        manifest = self._manifest.model_copy(update={"cases": cases})
        write_manifest(self.folder, manifest)
        self._take(manifest)

    def _take(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._by_name = {case.name: case for case in manifest.cases}
