"""The content of a report from the user's input: a trained study, or segmentations in files with their images."""

from collections.abc import Sequence
from pathlib import Path

from ..disk.failures import Failures
from ..disk.kinds import kind_of
from ..errors import InputError
from ..segmentation.model import choose_device
from .cases_of_files import content_of_files
from .cases_of_study import content_of_study
from .content import ReportContent


def open_report(
    source: Path,
    *,
    images: Path | None = None,
    references: Path | None = None,
    visits: Path | None = None,
    study: Path | None = None,
    organs: Sequence[str] | None = None,
    show_names: bool = False,
    device: str = "auto",
    failures: Failures | None = None,
) -> ReportContent:
    """The content of the report; its cases are read one at a time.

    Args:
        source: a trained study, which takes only `visits`, `show_names` and `failures`, or a folder of segmentations.
        images: the segmented images, of the same names.
        references: label maps, or a table of volumes, to compare with.
        visits: table of repeated scans.
        study: the study that the segmentations were made with.
        organs: their names, where the files do not tell them.
        show_names: whether names of cases are shown.
        device: where a study is segmented, see `choose_device`.
        failures: collects files that cannot be read; None: the first one ends the report.

    Raises:
        InputError: what was given does not fit together or cannot be read.

    Examples:
        >>> from USLabelEfficientSegLib.report.writing import write_report
        >>> write_report(Path("report.html"), open_report(Path("my-study"))).cases
        3
    """
    if kind_of(source) == "a study":
        given = {"--images": images, "--references": references, "--study": study, "--organs": organs}
        for option, value in given.items():
            if value is not None:
                raise InputError(option, "is for a folder of segmentations, not for a study", "leave it out")
        where = choose_device(device)
        return content_of_study(source, where, visits=visits, show_names=show_names, failures=failures)
    if images is None:
        problem = "is no study, and of segmentations the images are needed, too"
        raise InputError(
            source,
            problem,
            "give the folder of a study, or that of the images with --images",
            in_panel="open its study first",
        )
    return content_of_files(
        source,
        images,
        organs=organs,
        references=references,
        visits=visits,
        study=study,
        show_names=show_names,
        failures=failures,
    )
