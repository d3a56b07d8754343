"""What the user may give for a model: a file or a folder, and a word on everything else."""

import pytest


@pytest.fixture
def folder(host, tmp_path):
    """A trained study, one that is not trained, a folder of something else, and files."""
    for name in ("trained", "untrained"):
        (tmp_path / name / "run").mkdir(parents=True)
        (tmp_path / name / "study.json").write_text("{}")
    (tmp_path / "trained" / "run" / "model.safetensors").write_bytes(b"model")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "colleague.safetensors").write_bytes(b"model")
    (tmp_path / "scan.nrrd").write_bytes(b"scan")
    return tmp_path


@pytest.mark.parametrize(
    ("given", "model"),
    [("trained", "trained/run/model.safetensors"), ("colleague.safetensors", "colleague.safetensors")],
)
def test_a_file_or_the_folder_of_a_study_is_a_model(folder, given, model):
    from USLabelEfficientSegLib.slicer_side.steps.model_choice import model_at

    choice = model_at(f" {folder / given} ")

    assert choice.path == folder / model and choice.problem == ""


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("untrained", "not trained to the end"),
        ("pictures", "holds no study"),
        ("scan.nrrd", "no model file"),
        ("nothing", "no such file or folder"),
        ("x" * 5000, "no such file or folder"),
    ],
)
def test_what_is_no_model_is_said_with_a_remedy(folder, given, told):
    from USLabelEfficientSegLib.slicer_side.steps.model_choice import model_at

    choice = model_at(str(folder / given))

    assert choice.path is None and told in choice.problem and choice.problem.endswith(".")
