"""Reports for people, DICOM for archives."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..disk.failures import Failures
from ..errors import InputError
from ..text.counting import counted
from .cohorts import ClusterAddress, Workers, where_of
from .console import console
from .long_commands import Overwrite, end_batch, end_if_none_is_left, long_command, outputs_of, told_failures
from .options import DeviceName, OrganNames, parse_organs
from .waiting import take_waiting_if_free

if TYPE_CHECKING:
    from ..report.content import ReportCase

ShowNames = Annotated[
    bool, typer.Option("--show-names", help="Tell the names of cases and subjects, which may identify patients.")
]
Images = Annotated[
    Path | None,
    typer.Option(metavar="DIR|FILE", help="Images of the segmentations, of the same names.", show_default=False),
]
_TO_ARCHIVE = "Next: send these files to the archive, with the images that they belong to."


@long_command
def report(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="STUDY|SEGMENTATIONS", help="A trained study, or a folder of segmentations.", show_default=False
        ),
    ],
    output: Annotated[Path, typer.Option(metavar="FILE", help="The report (HTML).", show_default=False)],
    pdf: Annotated[bool, typer.Option("--pdf", help="Write the same as PDF, too, beside the HTML file.")] = False,
    images: Images = None,
    references: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|CSV",
            help="References to compare with: label maps of the same names, or a table with the "
            "columns case, organ, volume_ml.",
            show_default=False,
        ),
    ] = None,
    visits: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Repeated scans: a table with the columns case, subject, and date (2024-02-29) or order (1, 2, ...).",
            show_default=False,
        ),
    ] = None,
    study: Annotated[
        Path | None,
        typer.Option(
            metavar="STUDY",
            help="The study that the segmentations were made with, to tell its settings and checksums.",
            show_default=False,
        ),
    ] = None,
    organs: OrganNames = None,
    show_names: ShowNames = False,
    device: DeviceName = "auto",
    workers: Workers = None,
    cluster: ClusterAddress = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a report: organ volumes with intervals and quality flags, pictures, agreement, changes, provenance.

    For a trained study, its own volumes are segmented now. For a folder of segmentations, one or a cohort, the
    measurements of `segment` with their prediction intervals are taken over unless a segmentation was edited since.
    The report is one file that any browser shows without a network. It numbers the cases in the order of their names
    and holds no names or dates of scans, unless --show-names is given. For 2-D images it shows areas, fitted ellipses
    and their circumferences.

    More than 200 cases, or those that are read with --workers or --cluster, get the report of a cohort: summary,
    distributions, outliers first with pictures, and pages of all cases to unfold.

    \b
    Examples:
      uslabelseg report my-study --output report.html --pdf
      uslabelseg report segmentations --images volumes --references expert-labels --output report.html
      uslabelseg report segmentations --images volumes --visits visits.csv --study my-study --output report.html
    """
    console.getting_ready()

    from ..disk.kinds import kind_of
    from ..report.opening import open_report
    from ..report.writing import write_report
    from ..study.study import Study

    results = _results(source, output, pdf=pdf)
    failures = told_failures()
    outputs = outputs_of(overwrite, [source, images, references, visits, study], *results, texts=True)
    if (cohort := where_of(workers, cluster)) is not None:
        from .cohort_reporting import report_cohort

        named = parse_organs(organs)
        report_cohort(cohort, source, images, results, outputs, references, visits, study, named, show_names=show_names)
        console.say(f"Next: look at {output} in a browser.")
        return
    if kind_of(source) == "a study":
        take_waiting_if_free(Study.open(source))
    content = open_report(
        source,
        images=images,
        references=references,
        visits=visits,
        study=study,
        organs=parse_organs(organs),
        show_names=show_names,
        device=device,
        failures=failures,
    )
    with outputs.written(*results) as files:
        content = replace(content, cases=_if_any(content.cases, failures))
        written = write_report(files[0], content, pdf=files[1] if pdf else None)
    console.say(f"Report of {written.cases} {content.kind.scans}: {' and '.join(map(str, results))}")
    for remark in written.remarks:
        console.caution(remark)
    end_batch(failures)
    console.say(f"Next: look at {output} in a browser.")


def _results(source: Path, output: Path, *, pdf: bool) -> list[Path]:
    """The files to write. Raises `InputError` when there is no report of the source, or no place for them."""
    from ..disk.kinds import kind_of
    from ..disk.outputs import is_stream

    pdf_file = output.with_suffix(".pdf")
    if pdf and pdf_file == output:
        raise InputError(
            output, "is the name of a PDF", "give the name of the HTML file; --pdf writes the PDF beside it"
        )
    kind = kind_of(source)
    if kind in ("a model", "an image"):
        problem = f"is {kind}, and a report is of a trained study or of segmentations"
        raise InputError(source, problem, "give the folder of one of these")
    if pdf and is_stream(output):
        raise InputError("--pdf", "needs a file beside which the PDF is written", "give --output a file")
    return [output, pdf_file] if pdf else [output]


def _if_any(cases: Iterable["ReportCase"], failures: Failures) -> Iterator["ReportCase"]:
    """The cases; without any, the command ends before it writes."""
    yield from cases
    end_if_none_is_left(failures)


@long_command
def export_dicom(
    segmentations: Annotated[
        Path, typer.Argument(metavar="SEGMENTATIONS", help="Folder of segmentations.", show_default=False)
    ],
    images: Annotated[
        Path,
        typer.Option(
            metavar="DIR|FILE",
            help="The DICOM images that were segmented, by name: files, or a folder for each series; or one of them.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the DICOM files.", show_default=False)],
    organs: OrganNames = None,
    workers: Workers = None,
    cluster: ClusterAddress = None,
    overwrite: Overwrite = False,
) -> None:
    """Write segmentations and measurements as DICOM objects that belong to the images.

    The measurements of `segment` are taken over. NAME_SEG.dcm is the segmentation. NAME_SR.dcm refers to it: a
    measurement report (TID 1500) with volumes, or with areas and circumferences of 2-D images, prediction intervals and
    quality flags. Both refer to the source images and carry the name, id and study of the patient, as DICOM objects
    must.

    \b
    Example:
      uslabelseg segment my-study dicom-volumes --output segmentations --probability
      uslabelseg export-dicom segmentations --images dicom-volumes --output dicom
    """
    from ..cohort.tasks import Task
    from ..report.cases_of_files import open_segmentations

    try:
        from ..dicom_export.work import Exporting
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "highdicom":
            raise
        raise InputError("DICOM export", "needs highdicom", "pip install us-label-efficient-seg[dicom]") from None
    if (cohort := where_of(workers, cluster)) is not None:
        from .cohort_measuring import export_cohort

        files = open_segmentations(segmentations, images, organs=parse_organs(organs), of_cohort=True)
        work = Exporting(files.kind.dimension, tuple(files.organs), output)
        export_cohort(cohort, work, files.segmentations, files.images, outputs_of(overwrite, [segmentations, images]))
        console.say(_TO_ARCHIVE)
        return
    failures = told_failures()
    files = open_segmentations(segmentations, images, organs=parse_organs(organs), failures=failures)
    end_if_none_is_left(failures)
    work = Exporting(files.kind.dimension, tuple(files.organs), output)
    objects = [file for name in files.segmentations for file in work.objects(name)]
    outputs = outputs_of(overwrite, [segmentations, images], *objects)
    for name, path in counted(files.segmentations.items(), "writing DICOM"):
        with failures.of_one(path):
            segmentation, measurements = work.export(Task(name, path, (files.images[name],)), outputs)
            console.say(f"{segmentation} and {measurements.name}")
    end_batch(failures)
    console.say(_TO_ARCHIVE)
