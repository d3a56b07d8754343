"""Reports for people, DICOM for archives."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ..disk.failures import Failures
from ..errors import InputError
from ..text.counting import counted
from .console import console
from .long_commands import Overwrite, end_batch, end_if_none_is_left, long_command, outputs_of, told_failures
from .options import DeviceName, OrganNames, parse_organs

if TYPE_CHECKING:
    from ..disk.outputs import Outputs
    from ..report.content import ReportContent
    from ..report.planar_report import ImageReport

Case = TypeVar("Case")
ShowNames = Annotated[
    bool, typer.Option("--show-names", help="Tell the names of cases and subjects, which may identify patients.")
]
Images = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Images of the segmentations, of the same names.", show_default=False)
]
_COHORT_TITLE = "Organ volumes"


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
    overwrite: Overwrite = False,
) -> None:
    """Write a report: organ volumes with intervals and quality flags, pictures, agreement, changes, provenance.

    For a trained study, its own volumes are segmented now. For a folder of segmentations, one or a cohort, the
    measurements of `segment` with their prediction intervals are taken over unless a segmentation was edited since.
    The report is one file that any browser shows without a network. It numbers the cases in the order of their names
    and holds no names or dates of scans, unless --show-names is given. For 2-D images it shows areas, fitted ellipses
    and their circumferences.

    \b
    Examples:
      uslabelseg report my-study --output report.html --pdf
      uslabelseg report segmentations --images volumes --references expert-labels --output report.html
      uslabelseg report segmentations --images volumes --visits visits.csv --study my-study --output report.html
    """
    console.getting_ready()

    from ..disk.kinds import kind_of
    from ..disk.outputs import is_stream
    from ..imaging.scan_files import dimension_of_files
    from ..report.writing import write_report
    from ..study.manifest import read_manifest

    pdf_file = output.with_suffix(".pdf") if pdf else None
    if pdf_file == output:
        raise InputError(
            output, "is the name of a PDF", "give the name of the HTML file; --pdf writes the PDF beside it"
        )
    kind = kind_of(source)
    if kind in ("a model", "an image"):
        problem = f"is {kind}, and a report is of a trained study or of segmentations"
        raise InputError(source, problem, "give the folder of one of these")
    if pdf_file is not None and is_stream(output):
        raise InputError("--pdf", "needs a file beside which the PDF is written", "give --output a file")
    results = [output] if pdf_file is None else [output, pdf_file]
    inputs, failures = [source, images, references, visits, study], told_failures()
    outputs = outputs_of(overwrite, inputs, *results, texts=True)
    if kind == "a study":
        given = {"--images": images, "--references": references, "--study": study, "--organs": organs}
        for option, value in given.items():
            if value is not None:
                raise InputError(option, "is for a folder of segmentations, not for a study", "leave it out")
        if read_manifest(source).dimension == 2:
            _report_images(_of_image_study(source, visits, device, show_names, failures), outputs, results, failures)
            return
        content = _of_study(source, visits, device, show_names, failures)
    elif source.is_dir() and dimension_of_files([source]) == 2:
        found = _of_image_segmentations(source, images, references, visits, study, organs, show_names, failures)
        _report_images(found, outputs, results, failures)
        return
    else:
        content = _of_segmentations(source, images, references, visits, study, organs, show_names, failures)
    with outputs.written(*results) as files:
        content = replace(content, cases=_if_any(content.cases, failures))
        written = write_report(files[0], content, pdf=files[1] if pdf else None)
    console.say(f"Report of {written.cases} volumes: {' and '.join(map(str, results))}")
    for remark in written.remarks:
        console.caution(remark)
    end_batch(failures)
    console.say(f"Next: look at {results[0]} in a browser.")


def _if_any(cases: Iterable[Case], failures: Failures) -> Iterator[Case]:
    """The cases; without any, the command ends before it writes."""
    yield from cases
    end_if_none_is_left(failures)


def _report_images(content: "ImageReport", outputs: "Outputs", results: Sequence[Path], failures: Failures) -> None:
    from ..report.planar_report import image_report_document
    from ..report.writing import write_document

    with outputs.written(*results) as files:
        content = replace(content, cases=_if_any(content.cases, failures))
        document = image_report_document(content)
        written = write_document(files[0], document, pdf=files[1] if len(files) > 1 else None)
    console.say(f"Report of {written.cases} images: {' and '.join(map(str, results))}")
    for remark in written.remarks:
        console.caution(remark)
    end_batch(failures)
    console.say(f"Next: look at {results[0]} in a browser.")


def _of_image_study(
    folder: Path, visits: Path | None, device: str, show_names: bool, failures: Failures
) -> "ImageReport":
    from ..report.image_report import study_content
    from ..segmentation.loading import load_model
    from ..segmentation.model import choose_device
    from ..study.study import Study
    from ..training.memory import tune_memory

    _refuse_visits(visits)
    where, opened, model = choose_device(device), Study.open(folder), load_model(folder)
    tune_memory()
    return study_content(opened, model, where, show_names=show_names, failures=failures)


def _of_image_segmentations(
    folder: Path,
    images: Path | None,
    references: Path | None,
    visits: Path | None,
    study: Path | None,
    organs: str | None,
    show_names: bool,
    failures: Failures,
) -> "ImageReport":
    from ..report.image_report import cohort_content, with_training
    from ..segmentation.loading import load_model
    from ..study.study import Study

    _refuse_visits(visits)
    if images is None:
        raise InputError(folder, "holds segmentations, and their images are needed, too", "give them with --images")
    if references is not None and not references.is_dir():
        raise InputError(references, "is not a folder", "give the folder of the labels of 2-D images")
    wanted = parse_organs(organs)
    if study is None:
        return cohort_content(
            folder, images, references=references, organs=wanted, show_names=show_names, failures=failures
        )
    opened, model = Study.open(study), load_model(study)
    content = cohort_content(
        folder,
        images,
        references=references,
        organs=wanted or model.organs,
        show_names=show_names,
        failures=failures,
        model_sha256=model.digest(),
        study=study,
    )
    return with_training(content, opened)


def _refuse_visits(visits: Path | None) -> None:
    if visits is not None:
        raise InputError("--visits", "is for volumes, and these are 2-D images", "leave it out")


def _of_study(folder: Path, visits: Path | None, device: str, show_names: bool, failures: Failures) -> "ReportContent":
    from ..report.cohort_report import comparison_sections
    from ..report.content import case_labels
    from ..report.study_report import report_content, segmented_cases
    from ..report.visits import check_visits, read_visits
    from ..segmentation.loading import load_volume_model
    from ..segmentation.model import choose_device
    from ..study.study import Study
    from ..training.memory import tune_memory

    where = choose_device(device)
    opened, model = Study.open(folder), load_volume_model(folder)
    scans, names = read_visits(visits) if visits else [], [case.name for case in opened.cases]
    check_visits(scans, names)
    tune_memory()
    labels = case_labels(names, show_names)
    return report_content(
        opened,
        "Segmentation study",
        segmented_cases(opened, model, where, labels, failures),
        lambda cases: comparison_sections(cases, model.organs, scans, show_names=show_names),
    )


def _of_segmentations(
    folder: Path,
    images: Path | None,
    references: Path | None,
    visits: Path | None,
    study: Path | None,
    organs: str | None,
    show_names: bool,
    failures: Failures,
) -> "ReportContent":
    from ..report.cohort_report import cohort_content, open_cohort

    if images is None:
        problem = "is no study, and of segmentations the images are needed, too"
        raise InputError(folder, problem, "give the folder of a study, or that of the images with --images")
    if study is None:
        cohort = open_cohort(
            folder, images, organs=parse_organs(organs), references=references, visits=visits, failures=failures
        )
        return cohort_content(cohort, _COHORT_TITLE, show_names=show_names, failures=failures)

    from ..measurement.record import read_record_of
    from ..measurement.taken_over import check_model
    from ..report.study_report import report_content
    from ..segmentation.loading import load_volume_model
    from ..study.study import Study

    opened, model = Study.open(study), load_volume_model(study)
    cohort = open_cohort(
        folder,
        images,
        organs=parse_organs(organs) or model.organs,
        statistics=model.statistics,
        references=references,
        visits=visits,
        failures=failures,
    )
    digest = model.digest()
    check_model((read_record_of(path) for path in cohort.segmentations.values()), digest, study)
    cohort = replace(cohort, model_sha256=digest)
    content = cohort_content(cohort, _COHORT_TITLE, show_names=show_names, failures=failures)
    return report_content(opened, content.title, content.cases, content.comparisons)


@long_command
def export_dicom(
    segmentations: Annotated[
        Path, typer.Argument(metavar="SEGMENTATIONS", help="Folder of segmentations.", show_default=False)
    ],
    images: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="The DICOM images that were segmented, by name: files, or a folder for each series.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the DICOM files.", show_default=False)],
    organs: OrganNames = None,
    overwrite: Overwrite = False,
) -> None:
    """Write segmentations and measurements as DICOM objects that belong to the images.

    The measurements of `segment` are taken over. NAME_SEG.dcm is the segmentation. NAME_SR.dcm refers to it: a
    measurement report (TID 1500) with volumes, prediction intervals and quality flags. Both refer to the source images
    and carry the name, id and study of the patient, as DICOM objects must.

    \b
    Example:
      uslabelseg segment my-study dicom-volumes --output segmentations --probability
      uslabelseg export-dicom segmentations --images dicom-volumes --output dicom
    """
    from ..report.cohort_report import cohort_cases, open_cohort

    try:
        from ..dicom_export.export import export_case
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "highdicom":
            raise
        raise InputError("DICOM export", "needs highdicom", "pip install us-label-efficient-seg[dicom]") from None
    failures = told_failures()
    cohort = open_cohort(segmentations, images, organs=parse_organs(organs), failures=failures)
    end_if_none_is_left(failures)
    kinds = ("SEG", "SR")
    files = {name: [output / f"{name}_{kind}.dcm" for kind in kinds] for name in cohort.segmentations}
    outputs = outputs_of(overwrite, [segmentations, images], *(file for pair in files.values() for file in pair))
    for name, path in counted(cohort.segmentations.items(), "writing DICOM"):
        with failures.of_one(path):
            (case,) = cohort_cases(replace(cohort, segmentations={name: path}), {name: name})
            with outputs.written(*files[name]) as temporary:
                export_case(cohort.images[name], case.prediction, case.rows, temporary[0].parent)
            console.say(f"{files[name][0]} and {files[name][1].name}")
    end_batch(failures)
    console.say("Next: send these files to the archive, with the images that they belong to.")
