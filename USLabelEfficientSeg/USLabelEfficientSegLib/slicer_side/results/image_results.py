"""Results of 2-D images: files beside the study for all of its images, and nodes for those that are looked at.

A study has hundreds of images. Their segmentations and measurements are files in a folder beside it, as
`uslabelseg segment` writes them; a table shows all of them, and a row brings its image, segmentation and ellipse.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ...disk.study_layout import IMAGES, RECORD_SUFFIX
from ...errors import InputError
from ...imaging.scan import LabelMap
from ...segmentation.segments import segment_metadata
from ..nodes.ellipse_markups import removeEllipses, showEllipses
from ..nodes.segmentation_nodes import Organ, labelMapFromSegmentation, organsNamed, segmentationFromLabelMap
from ..nodes.slice_views import showScan
from ..nodes.study_nodes import RESULT, UNCERTAINTY, attach, inScene, isShown, madeFor, results, showOnly, volumeOf
from ..nodes.tables_and_plots import uncertaintyNode
from ..nodes.volume_nodes import geometryOfNode, isImage
from ..processes.aside import aside
from ..processes.jobs import Job, Steps, WorkError, finished
from ..processes.temporary_folders import temporaryFolder
from ..processes.worker import Worker
from .image_measurements import imageMeasurements, isEdited, keepMeasuredImage
from .report_pages import writePages

if TYPE_CHECKING:
    from ...measurement.planar import PlanarMeasurement
    from ..session.study_session import StudySession

MrmlNode = Any


def resultName(image: str) -> str:
    """The name of the segmentation node of an image, in tables as well."""
    return f"{image} segmentation"


def imageResult(file: Path, volumeNode: MrmlNode, looks: Sequence[Organ], uncertainty: bool = False) -> MrmlNode:
    """A segmentation node of a file that the worker has written, with what was measured.

    Args:
        file: of the label map; measurements and, if wanted, the uncertainty lie beside it.
        volumeNode: the image.
        looks: colours and terminology for organs of these names; others get the library's.
        uncertainty: add the uncertainty as a node.

    Raises:
        InputError: not measured, edited since, or an image that was changed meanwhile.
    """
    from ...imaging.image_files import read_image
    from ...measurement.measuring import of_kind, read_measurements_of
    from ...measurement.planar import PlanarMeasurement
    from ...measurement.segmentation_files import read_segmentation

    label_map, measured = read_segmentation(file), read_measurements_of(file)
    if measured is None:
        problem = "was segmented, but not measured, or its segmentation was edited by another program"
        raise InputError(volumeNode.GetName(), problem, "segment it again")
    if not label_map.geometry.same_grid(geometryOfNode(volumeNode)):
        raise InputError(volumeNode.GetName(), "was changed while it was segmented", "segment it again")
    rows = of_kind(measured, PlanarMeasurement)
    by_name = {organ.name: organ for organ in looks}
    organs = [by_name.get(organ.name, organ) for organ in organsNamed([row.organ for row in rows])]
    node = segmentationFromLabelMap(label_map.voxels, volumeNode, organs, resultName(volumeNode.GetName()))
    attach(node, volumeNode, RESULT)
    node.SetDisplayVisibility(isShown(volumeNode))
    masks = {row.organ: label_map.voxels == row.label for row in rows}
    keepMeasuredImage(node, rows, masks, label_map.geometry.spacing[:2])
    if uncertainty:
        values = read_image(file.with_name(f"{file.name.removesuffix('.nrrd')}_uncertainty.nrrd")).voxels
        attach(uncertaintyNode(values, volumeNode, f"{volumeNode.GetName()} uncertainty"), volumeNode, UNCERTAINTY)
    return node


def removeImageResults(imageNode: MrmlNode, keepEdited: bool) -> None:
    """Take the results of an image, with ellipses and uncertainty, out of the scene, perhaps but for corrected ones."""
    for node in madeFor(imageNode, RESULT):
        if not (keepEdited and isEdited(node, imageNode)):
            removeEllipses(node)
            slicer.mrmlScene.RemoveNode(node)
    for node in madeFor(imageNode, UNCERTAINTY):
        slicer.mrmlScene.RemoveNode(node)


def _measured(segmentationNode: MrmlNode) -> list[PlanarMeasurement]:
    rows = imageMeasurements(segmentationNode)
    showEllipses(segmentationNode, rows)
    return rows


class ImageResults:
    """The results of all images of a study.

    Args:
        session: of a study of images.
    """

    def __init__(self, session: StudySession) -> None:
        self._session = session
        self._rows: dict[str, list[PlanarMeasurement]] = {}

    @property
    def any(self) -> bool:
        """Whether there are results of images that are not loaded."""
        return bool(self._rows)

    @property
    def folder(self) -> Path:
        """Where the results lie: beside the study, for nothing but the study itself is written into it."""
        return self._session.folder.with_name(f"{self._session.folder.name} results")

    def segment(self, job: Job, device: str = "auto") -> Steps:
        """Steps that segment and measure all images of the study by its model; returns how many.

        Results of an earlier model go, files and nodes, except nodes that were corrected by hand.

        Raises:
            InputError: while they run: no model, an image that cannot be segmented (the others are done), a result
                file that another program has edited.
        """
        session = self._session
        if session.model is None:
            raise InputError(session.folder, "is not trained to the end yet", "train it first")
        stems = self._stems()
        finished: list[str] = []
        self._rows = {}
        for volume_node in filter(None, map(session.volumeNode, session.cases())):
            removeImageResults(volume_node, keepEdited=True)

        def watch(worker: Worker) -> None:
            for record in worker.records():
                case = stems[Path(record["file"]).name.removesuffix(".nrrd")]
                self._take(case)
                finished.append(case)
            job.progress = len(finished) / len(stems)

        images = session.folder / IMAGES
        arguments = ["segment", str(session.folder), str(images), "--output", str(self.folder), "--json"]
        try:
            yield from job.work([*arguments, "--device", device, "--uncertainty"], session.logs, watch)
        except WorkError:
            if finished:  # the table shows what there is, and the sentence what is missing
                self._rows = {case: self._rows[case] for case in finished}
            raise
        return len(finished)

    def read(self, job: Job) -> Steps:
        """Steps that read the measurements of earlier results; images without a result are passed over."""
        stems = self._stems()
        for number, case in enumerate(stems.values()):
            job.progress = number / len(stems)
            if self._file(case).with_name(f"{self._stem(case)}{RECORD_SUFFIX}").is_file():
                self._take(case)
                yield
        return len(self._rows)

    def measuring(self, job: Job | None = None) -> Generator[None, None, list[PlanarMeasurement]]:
        """Steps that measure every organ of every image with a result, an image in the scene each.

        Of an image with a segmentation node in the scene they are that node's: an edited organ is measured anew, and
        its ellipse is drawn anew. Images that are not of the study come last; what is removed meanwhile is left out.

        Args:
            job: that is told how far it is.

        Returns:
            The measurements in the order of the images.
        """
        found: list[PlanarMeasurement] = []
        cases = self._session.cases()
        for number, case in enumerate(cases):
            nodes = self.nodes(case)
            found += self._rows.get(case, []) if not nodes else []
            for node in nodes:
                found += _measured(node)
            if nodes:
                if job is not None:
                    job.tell(_("measuring"), number, len(cases))
                yield
        for node in results():
            if inScene(node) and isImage(volumeOf(node)) and self._session.caseOf(volumeOf(node)) is None:
                found += _measured(node)
                yield
        return found

    def rows(self) -> list[PlanarMeasurement]:
        """The same at once."""
        measured: list[PlanarMeasurement] = finished(self.measuring())
        return measured

    def nodes(self, case: str) -> list[MrmlNode]:
        """The segmentation nodes of an image's results that are in the scene."""
        volume_node = self._session.volumeNode(case)
        return [] if volume_node is None else madeFor(volume_node, RESULT)

    def caseOf(self, name: str) -> str | None:
        """The image of a result by the result's name in a table; None for another."""
        return next((case for case in self._session.cases() if resultName(case) == name), None)

    def show(self, case: str) -> MrmlNode:
        """Show an image with its result and ellipses in the views; both are loaded if the scene lacks them.

        Returns:
            The segmentation node.

        Raises:
            InputError: no result, or one that does not fit the image any more.
        """
        volume_node = self._session.node(case)
        nodes = self.nodes(case)
        if not nodes and not self._file(case).is_file():
            raise InputError(case, "has no result yet", "let the model segment the study's images")
        node = nodes[-1] if nodes else imageResult(self._file(case), volume_node, self._session.organs(), True)
        showEllipses(node, imageMeasurements(node))
        showScan(volume_node)
        showOnly(node)
        return node

    def bring(self, case: str) -> None:
        """Add the segmentation node of a loaded image if it has a result that fits: a label may begin with it."""
        if case in self._rows and not self.nodes(case):
            with suppress(InputError):  # `show` tells what is wrong
                imageResult(self._file(case), self._session.volumeNode(case), self._session.organs(), True)

    def report(self, job: Job, output: Path, pdf: bool = False) -> Steps:
        """Steps that write the report of all results (HTML), as the table shows them; returns its path, or the PDF's.

        A result that was corrected by hand says so, and has no interval.
        """
        session = self._session
        with temporaryFolder() as temporary:
            staged = Path(temporary) / "results"
            yield from aside(lambda: shutil.copytree(self.folder, staged))
            for case in session.cases():
                for node in self.nodes(case)[-1:]:
                    if isEdited(node, session.volumeNode(case)):
                        self._stage(node, case, staged)
                        yield
            arguments = ["report", str(staged), "--images", str(session.folder / IMAGES)]
            arguments += ["--study", str(session.folder)]
            return (yield from writePages(job, arguments, output, session.logs, pdf))

    def _stage(self, node: MrmlNode, case: str, folder: Path) -> None:
        """Put a corrected label map beside the model's measurements: the worker sees that they are of other pixels."""
        from ...imaging.files import write_label_map

        image = self._session.volumeNode(case)
        names = [row.organ for row in imageMeasurements(node)]
        voxels = labelMapFromSegmentation(node, image, organsNamed(names))
        label_map = LabelMap(voxels, geometryOfNode(image), self._stem(case))
        write_label_map(folder / f"{self._stem(case)}.nrrd", label_map, segment_metadata(label_map, names))

    def _take(self, case: str) -> None:
        from ...measurement.measuring import of_kind
        from ...measurement.planar import PlanarMeasurement
        from ...measurement.record import read_record_of

        record = read_record_of(self._file(case))
        if record is not None:
            rows = of_kind(record.rows, PlanarMeasurement)
            self._rows[case] = [replace(row, case=resultName(case)) for row in rows]

    def _stems(self) -> dict[str, str]:
        """The images by the name of their file, which is that of the result's as well."""
        return {self._stem(case): case for case in self._session.cases()}

    def _stem(self, case: str) -> str:
        return Path(self._session.study.case(case).image.file).name.removesuffix(".nrrd")

    def _file(self, case: str) -> Path:
        return self.folder / f"{self._stem(case)}.nrrd"
