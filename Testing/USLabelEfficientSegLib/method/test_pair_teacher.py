"""The pipeline with IDL's two networks as the teacher."""

import shutil

import pytest
import torch

from USLabelEfficientSegLib.cli import main
from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.study.settings import Settings, changed
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint
from USLabelEfficientSegLib.training.checkpoint_header import read_metadata

CPU = torch.device("cpu")
TINY = {
    "method": "information-divergence",
    "divergence.image_size": 48,
    "divergence.slice_steps": 2,
    "divergence.labelled_images": 2,
    "divergence.unlabelled_images": 4,
}


@pytest.fixture(scope="module")
def settings(tiny_changes):
    return changed(Settings(), tiny_changes | TINY)


@pytest.fixture
def study(tmp_path, trained_study):
    """A study of its own for each test, not trained."""
    shutil.copytree(trained_study, tmp_path / "study", ignore=shutil.ignore_patterns("run"))
    return Study.open(tmp_path / "study")


def exit_code(arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return stop.value.code


def test_the_pair_takes_the_place_of_teacher_and_slice_head(study, settings):
    model = train(study, settings, CPU)

    stages = list(dict.fromkeys(event.stage for event in read_events(study.events.path)))
    assert not {"teacher", "slice head"} & set(stages)
    assert [stage for stage in stages if stage in ("divergence", "pseudo-labels", "student 1.1", "finished")] == [
        "divergence",
        "pseudo-labels",
        "student 1.1",
        "finished",
    ]
    losses = [event.losses for event in read_events(study.events.path) if event.stage == "student 1.1"][-1]
    assert "pseudo-labels" in losses and "correlation" not in losses
    assert model is not None and model.provenance["settings"]["method"] == "information-divergence"
    pair = read_metadata(study.run_folder / "divergence.safetensors")
    assert (pair["settings"]["rounds"], pair["settings"]["steps"]) == (1, settings.divergence.slice_steps)
    assert settings.divergence.rounds == 2 and settings.divergence.steps > 2  # those are of 2-D images
    assert SegmentationModel.load(study.run_folder / MODEL_NAME).organs == study.organs


def test_stages_stop_where_told_and_continue(study, settings):
    def begun():
        return any(event.stage == "divergence" for event in read_events(study.events.path))

    with pytest.raises(Cancelled, match="divergence stopped after step 1 of 2"):
        train(study, settings, CPU, cancelled=begun)
    assert train(study, settings, CPU, until="teacher") is None
    weights, _ = load_checkpoint(study.run_folder / "divergence.safetensors")
    assert train(study, settings, CPU, until="pseudo-labels") is None

    again, _ = load_checkpoint(study.run_folder / "divergence.safetensors")
    assert all(torch.equal(tensor, again[name]) for name, tensor in weights.items())
    stored = list((study.run_folder / "pseudo_labels" / "divergence").glob("*.safetensors"))
    assert len(stored) == len(study.cases)


def test_there_is_no_slice_head(study, settings):
    with pytest.raises(InputError, match="stage slice-head: is no part of the method information-divergence"):
        train(study, settings, CPU, until="slice-head")
    assert not study.run_folder.exists()


def test_the_pair_needs_labels(tmp_path, simulated, settings):
    study = Study.create(tmp_path / "unlabelled", simulated / "images", organs=["organ"])

    with pytest.raises(InputError, match="has no labelled slice"):
        train(study, settings, CPU, until="teacher")


def test_command_line_chooses_the_method_and_remembers_it(study, tiny_changes, capsys):
    changes = [f"--set={name}={value}" for name, value in (tiny_changes | TINY).items() if name != "method"]
    arguments = ["train", str(study.folder), "--device", "cpu", "--stage", "teacher"]

    assert exit_code([*arguments, "--method", "information-divergence", *changes]) == 0
    assert exit_code(arguments) == 0
    assert (study.run_folder / "divergence.safetensors").exists()
    assert not (study.run_folder / "teacher.safetensors").exists()
    assert exit_code([*arguments, "--method", "cross-dimensional"]) == 2
    assert "method is information-divergence, now cross-dimensional" in capsys.readouterr().err


def test_wrong_transformer_weights_are_named_before_anything_is_written(study, tmp_path, capsys):
    torch.save({"weights": torch.zeros(3)}, tmp_path / "wrong.pth")
    arguments = ["train", str(study.folder), "--method", "information-divergence", "--device", "cpu"]

    assert exit_code([*arguments, "--transformer-weights", str(tmp_path / "wrong.pth")]) == 2
    assert "wrong.pth: does not fit Swin-Unet" in capsys.readouterr().err
    assert not study.run_folder.exists()
