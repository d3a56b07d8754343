"""The commands that file results, as users call them."""

import re
import shutil

import pytest


@pytest.fixture
def refused(call, tmp_path):
    """Assert that a command is refused with one clear line, and writes no report; returns the line."""

    def run(*arguments):
        code, _, err = call(*arguments, "--output", tmp_path / "report.html")
        assert code == 2 and err.count("\n") == 1, err
        assert not (tmp_path / "report.html").exists()
        return err

    return run


def texts(path):
    """A page without its pictures, in the letters of which any name may turn up."""
    return re.sub(r'base64,[^"]*"', '"', path.read_text(encoding="utf-8"))


def test_new_segmentations_are_reported_as_page_and_pdf(call, trained_study, simulated, tmp_path):
    assert call("segment", trained_study, simulated / "images", "--output", tmp_path / "found")[0] == 0

    code, out, err = call(
        "report", tmp_path / "found", "--images", simulated / "images", "--references", simulated / "labels",
        "--study", trained_study, "--output", tmp_path / "report.html", "--pdf",
    )  # fmt: skip

    assert (code, err) == (0, "")
    assert "Report of 3 volumes" in out and "report.pdf" in out
    page = texts(tmp_path / "report.html")
    assert "Agreement with references" in page and "student.steps" in page and "SHA-256" in page
    assert "Case 003" in page and "simulated_0" not in page
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_a_study_is_reported_with_its_repeated_scans(call, trained_study, tmp_path):
    visits = tmp_path / "visits.csv"
    visits.write_text("case,subject,order\nsimulated_0000,Doe,1\nsimulated_0001,Doe,2\n")

    code = call("report", trained_study, "--visits", visits, "--output", tmp_path / "report.html")[0]

    page = texts(tmp_path / "report.html")
    assert code == 0 and "Repeated scans" in page and "Doe" not in page


def test_an_unfinished_study_is_refused(refused, trained_study, tmp_path):
    study = shutil.copytree(trained_study, tmp_path / "study")
    (study / "run" / "model.safetensors").unlink()

    assert "is not trained to the end yet; train it with" in refused("report", study)


def test_segmentations_without_images_are_refused(refused, simulated):
    assert "of segmentations the images are needed, too" in refused("report", simulated / "labels")


def test_options_for_segmentations_are_refused_for_a_study(refused, trained_study, simulated):
    assert "--references: is for a folder of segmentations" in refused(
        "report", trained_study, "--references", simulated / "labels"
    )


def test_visits_of_unknown_cases_are_refused(refused, simulated, tmp_path):
    (tmp_path / "visits.csv").write_text("case,subject,order\nnobody,Doe,1\n")

    line = refused(
        "report", simulated / "labels", "--images", simulated / "images", "--visits", tmp_path / "visits.csv"
    )
    assert "nobody: is a visit of which there is no segmentation" in line


def test_a_pdf_is_not_written_over_the_page(call, simulated, tmp_path):
    code, _, err = call(
        "report", simulated / "labels", "--images", simulated / "images", "--output", tmp_path / "report.pdf", "--pdf"
    )

    assert code == 2 and "give the name of the HTML file" in err
    assert list(tmp_path.iterdir()) == []


def test_names_without_a_font_are_told_on_the_console_and_both_files_are_written(
    call, simulated, tmp_path, monkeypatch
):
    from USLabelEfficientSegLib.report.pictures import fonts

    monkeypatch.setattr(fonts.fontManager, "ttflist", [])
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
        shutil.copy(simulated / kind / "simulated_0000.nrrd", tmp_path / kind / "患者.nrrd")

    code, out, err = call(
        "report", tmp_path / "labels", "--images", tmp_path / "images", "--show-names", "--pdf",
        "--output", tmp_path / "report.html",
    )  # fmt: skip

    assert code == 0 and "Traceback" not in err
    assert "codes such as [U+60A3]" in out and "the HTML file has them" in out
    assert "患者" in texts(tmp_path / "report.html") and (tmp_path / "report.pdf").exists()
