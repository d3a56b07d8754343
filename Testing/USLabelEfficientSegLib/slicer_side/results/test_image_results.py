"""Results of hundreds of images are files beside the study; the scene holds those that are looked at."""

import sys

import numpy as np
import pytest
from simulated_heads import write_heads

from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.measurement.flags import Flag

PROGRAM = """
import json, sys
from dataclasses import replace
from pathlib import Path
sys.path[:0] = {path!r}
import numpy as np
from USLabelEfficientSegLib.imaging.files import find_images, write_label_map, write_map
from USLabelEfficientSegLib.imaging.image_files import read_image
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.measurement.measuring import write_measurements_of
from USLabelEfficientSegLib.measurement.planar import measure_labels
command, model, images, *options = sys.argv[3:]
output = Path(options[options.index("--output") + 1])
output.mkdir(exist_ok=True)
wrong = Path(model) / "wrong"
for name, path in sorted(find_images(Path(images), 2).items()):
    if wrong.exists() and name == wrong.read_text():
        print(f"uslabelseg: error: {{name}}: cannot be read; export it again.")
        sys.exit(2)
    image = read_image(path)
    i, j = np.meshgrid(*map(np.arange, image.geometry.shape[:2]), indexing="ij")
    head = ((((i - 32) / 20) ** 2 + ((j - 24) / 12) ** 2) <= 1)[..., None].astype("uint8")
    write_map(output / f"{{name}}_uncertainty.nrrd", head * np.float32(0.25) + np.float32(0.1), image.geometry)
    labels = LabelMap(head, image.geometry, name)
    file = output / f"{{name}}.nrrd"
    write_label_map(file, labels)
    (row,) = measure_labels(labels, ["head"])
    rows = [replace(row, area_interval_mm2=(0.9 * row.area_mm2, 1.2 * row.area_mm2), interval_method="made up")]
    write_measurements_of(file, rows)
    print(json.dumps({{"file": str(file)}}), flush=True)
"""


@pytest.fixture
def session(host, tmp_path, monkeypatch):
    """A study of 12 images whose worker finds an ellipse in each."""
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import organsNamed
    from USLabelEfficientSegLib.slicer_side.processes import worker
    from USLabelEfficientSegLib.slicer_side.processes.study_jobs import createStudy
    from USLabelEfficientSegLib.slicer_side.session.image_folder import ImageFolder

    write_heads(tmp_path / "data", 12)
    images = ImageFolder(tmp_path / "data" / "images", pixelSizes=tmp_path / "data" / "sizes.csv")
    folder = tmp_path / "heads"
    made = run(lambda job: createStudy(job, folder, [], organsNamed(["head"]), 2, images))
    made.study.run_folder.mkdir()
    (made.study.run_folder / MODEL_NAME).write_text("trained")
    script = tmp_path / "quick_python"
    script.write_text(f"#!{sys.executable}\n" + PROGRAM.format(path=[p for p in sys.path if p]))
    script.chmod(0o755)
    monkeypatch.setattr(worker, "python_executable", lambda: str(script))
    return made


def run(steps):
    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job

    return Job("", steps, "segment").wait()


@pytest.fixture
def results(session):
    from USLabelEfficientSegLib.slicer_side.results.image_results import ImageResults

    made = ImageResults(session)
    assert run(made.segment) == 12
    return made


def nodes_of(kind):
    import slicer

    return slicer.util.getNodesByClass(kind)


def erase_top(session, case):
    """Correct the result of an image by hand."""
    from USLabelEfficientSegLib.slicer_side.nodes.segmentation_nodes import labelsOfSlice, setSliceLabels
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import RESULT, madeFor

    image = session.volumeNode(case)
    (node,) = madeFor(image, RESULT)
    labels = labelsOfSlice(node, image, session.organs(), 2, 0)
    labels[:, :18] = 0
    setSliceLabels(node, image, session.organs(), 2, 0, labels)
    return node


def test_all_images_are_measured_and_none_is_loaded(results, session):
    rows = results.rows()

    assert [row.case for row in rows] == [f"{case} segmentation" for case in session.cases()]
    for row, case in zip(rows, session.cases(), strict=True):
        pixel = session.study.case(case).image.spacing[0]
        np.testing.assert_allclose(row.ellipse.axes_mm, (40 * pixel, 24 * pixel), rtol=0.02)
        assert row.area_interval_mm2 is not None
    assert not nodes_of("vtkMRMLScalarVolumeNode") and not nodes_of("vtkMRMLSegmentationNode")
    assert results.folder == session.folder.with_name("heads results")


def test_a_row_brings_its_image_segmentation_uncertainty_and_ellipse(results, session):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.ellipse_markups import ellipsesOf
    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import UNCERTAINTY, madeFor, volumeOf

    case = results.caseOf("head_3 segmentation")
    node = results.show(case)

    image = session.volumeNode("head_3")
    assert volumeOf(node) is image and node.GetName() == "head_3 segmentation"
    assert node.GetDisplayVisibility() and len(madeFor(image, UNCERTAINTY)) == 1
    assert slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode().GetBackgroundVolumeID() == (
        image.GetID()
    )
    (curve,) = ellipsesOf(node)
    row = next(row for row in results.rows() if row.case == "head_3 segmentation")
    assert curve.GetCurveLengthWorld() == pytest.approx(row.circumference_mm, rel=1e-3)
    assert results.show(case) is node and ellipsesOf(node) == [curve]
    assert results.caseOf("something else") is None


def test_looking_through_all_results_keeps_the_scene_small(results, session):
    from USLabelEfficientSegLib.slicer_side.session.loaded_images import MOST_IMAGES

    for case in session.cases():
        results.show(case)

    assert len(nodes_of("vtkMRMLSegmentationNode")) <= MOST_IMAGES + 1
    assert len(nodes_of("vtkMRMLMarkupsClosedCurveNode")) <= MOST_IMAGES + 1
    assert len(nodes_of("vtkMRMLScalarVolumeNode")) <= 2 * (MOST_IMAGES + 1)  # with their uncertainty
    assert len(results.rows()) == 12


def test_images_in_the_scene_are_measured_one_a_step_and_one_removed_meanwhile_is_left_to_its_file(results, session):
    import slicer

    from USLabelEfficientSegLib.slicer_side.processes.jobs import Job

    for case in ("head_0", "head_1", "head_2"):
        results.show(case)
    before = results.rows()
    job = Job("", results.measuring, "measure")

    assert job.step() and job.progress == 0
    slicer.mrmlScene.RemoveNode(results.nodes("head_2")[0])
    steps = 1
    while job.step():
        steps += 1

    assert steps == 2 and job.progress == pytest.approx(1 / 12)
    assert [row.case for row in job.result] == [row.case for row in before]


def test_a_corrected_result_is_measured_anew_with_its_ellipse_and_is_never_lost(results, session):
    from USLabelEfficientSegLib.slicer_side.nodes.ellipse_markups import ellipsesOf

    node = results.show("head_0")
    before = results.rows()[0]
    erase_top(session, "head_0")

    after = results.rows()[0]

    assert Flag.EDITED in after.flags and after.area_interval_mm2 is None
    assert after.area_mm2 < 0.9 * before.area_mm2
    assert ellipsesOf(node)[0].GetCurveLengthWorld() == pytest.approx(after.circumference_mm, rel=1e-3)
    for case in session.cases()[1:]:
        results.show(case)
    assert session.volumeNode("head_0") is not None and results.rows()[0] == after


def test_segmenting_again_replaces_all_but_corrected_results(results, session):
    corrected, plain = results.show("head_0"), results.show("head_1")
    erase_top(session, "head_0")

    run(results.segment)

    assert nodes_of("vtkMRMLSegmentationNode") == [corrected]
    assert plain.GetScene() is None and Flag.EDITED in results.rows()[0].flags and len(results.rows()) == 12


def test_results_are_found_again_when_the_study_is_opened_again(results, session, host):
    from USLabelEfficientSegLib.slicer_side.results.image_results import ImageResults
    from USLabelEfficientSegLib.slicer_side.session.study_session import StudySession

    rows = results.rows()
    host.clear_scene()

    again = ImageResults(StudySession(session.folder))

    assert again.rows() == [] and run(again.read) == 12
    assert again.rows() == rows


def test_one_bad_image_does_not_cost_the_results_of_the_others(session):
    from USLabelEfficientSegLib.slicer_side.results.image_results import ImageResults

    (session.folder / "wrong").write_text("head_3")
    results = ImageResults(session)

    with pytest.raises(InputError, match="head_3: cannot be read"):
        run(results.segment)

    assert results.rows() and all(row.case < "head_3" for row in results.rows())


def test_an_image_without_result_and_an_untrained_study_say_what_to_do(session):
    from USLabelEfficientSegLib.slicer_side.results.image_results import ImageResults

    results = ImageResults(session)
    with pytest.raises(InputError, match=r"^head_0: has no result yet; let the model segment"):
        results.show("head_0")
    (session.study.run_folder / MODEL_NAME).unlink()
    with pytest.raises(InputError, match="is not trained to the end yet; train it first"):
        run(results.segment)


def test_a_result_that_another_program_has_edited_is_not_shown_with_the_models_numbers(results, session):
    from USLabelEfficientSegLib.imaging.files import write_label_map
    from USLabelEfficientSegLib.imaging.scan import LabelMap

    geometry = session.study.read_scan("head_0").geometry
    other = np.zeros(geometry.shape, dtype=np.uint8)
    other[5:9, 5:9] = 1
    write_label_map(results.folder / "head_0.nrrd", LabelMap(other, geometry, "head_0"))

    with pytest.raises(InputError, match="its segmentation was edited by another program; segment it again"):
        results.show("head_0")


def test_the_table_of_images_has_areas_circumferences_and_axes(results, session, tmp_path):
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.tables_and_plots import volumesTableNode
    from USLabelEfficientSegLib.slicer_side.results.image_table import imagesTableNode, isOfImages

    results.show("head_0")
    erase_top(session, "head_0")
    rows = results.rows()

    table = imagesTableNode(rows)
    same = imagesTableNode(rows, table)

    assert same is table and table.GetNumberOfRows() == 12 and isOfImages(table)
    columns = {table.GetColumnName(n): n for n in range(table.GetNumberOfColumns())}
    cells = {name: [table.GetCellText(row, column) for row in range(2)] for name, column in columns.items()}
    assert cells["Case"] == ["head_0 segmentation", "head_1 segmentation"] and cells["Organ"] == ["head"] * 2
    assert cells["Cautions"] == ["edited", ""]
    assert float(cells["Area [mm2]"][1]) == pytest.approx(rows[1].area_mm2, rel=1e-5)
    assert float(cells["Circumference [mm]"][1]) == pytest.approx(rows[1].circumference_mm, rel=1e-5)
    assert float(cells["Major axis (OFD) [mm]"][1]) == pytest.approx(rows[1].ellipse.axes_mm[0], rel=1e-5)
    assert float(cells["Minor axis (BPD) [mm]"][1]) == pytest.approx(rows[1].ellipse.axes_mm[1], rel=1e-5)
    assert cells["Area, 90 % interval, low [mm2]"][0] == "" and cells["Area, 90 % interval, low [mm2]"][1] != ""
    slicer.util.saveNode(table, str(tmp_path / "areas.csv"))
    assert "Minor axis (BPD) [mm]" in (tmp_path / "areas.csv").read_text()
    assert not isOfImages(volumesTableNode([]))
