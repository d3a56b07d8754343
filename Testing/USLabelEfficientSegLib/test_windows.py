"""On Windows, as far as a stand-in (`windows_files`) shows it: folders with foreign letters, files that others hold."""

import json
import mmap
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
import torch
from dicom_files import enhanced, oblique, save
from pydicom.uid import JPEGLosslessSV1
from trained_studies import label_another_slice
from windows_files import VirusScanner

from USLabelEfficientSegLib.disk import ascii_folder, in_use
from USLabelEfficientSegLib.disk.study_layout import EARLIER_MODEL_NAME, MODEL_NAME
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.segmentation import preview
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.study.settings import Settings
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.study.watching import PREVIEW, watch_volume
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint


@pytest.fixture
def home(windows_home: Path) -> Path:
    return windows_home


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits, waits for less than whoever holds a file."""
    monkeypatch.setattr(in_use, "SECONDS_TO_WAIT", 0.05)


def set_options(changes: dict[str, Any]) -> list[str]:
    return [text for name, value in changes.items() for text in ("--set", f"{name}={json.dumps(value)}")]


# The stand-in itself


@pytest.mark.parametrize("hold", ["opened", "mapped", "by another process"])
def test_the_stand_in_refuses_to_touch_what_is_open(home: Path, hold: str) -> None:
    folder = home / "folder"
    folder.mkdir()
    held, other = folder / "held", home / "other"
    held.write_bytes(b"held")
    other.write_bytes(b"other")
    with held.open("rb") as file:
        holder: Any = file
        if hold == "mapped":
            holder = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        elif hold == "by another process":
            holder = subprocess.Popen(["sleep", "60"], stdin=file)
        if hold != "opened":
            file.close()
        for act, code in (
            (lambda: os.replace(other, held), 5),
            (lambda: os.replace(held, other), 32),
            (held.unlink, 32),
            (lambda: os.rename(folder, home / "moved"), 32),
            (lambda: shutil.rmtree(folder), 32),
        ):
            with pytest.raises(PermissionError) as refusal:
                act()
            error: Any = refusal.value
            assert error.winerror == code
    if hold == "by another process":
        holder.kill()
        holder.wait()
    else:
        holder.close()

    os.replace(other, held)
    shutil.rmtree(folder)


def test_the_stand_in_refuses_names_that_windows_has_not(home: Path) -> None:
    for name in ("12:30.log", "what?", "end ", "end."):
        with pytest.raises(OSError, match="123"):
            (home / name).write_text("")
        with pytest.raises(OSError, match="123"):
            (home / name).mkdir()


def test_the_stand_in_lets_itk_open_ascii_paths_alone(home: Path) -> None:
    image = sitk.GetImageFromArray(np.zeros((2, 2, 2), np.uint8))
    with pytest.raises(RuntimeError, match="cannot be opened"):
        sitk.WriteImage(image, str(home / "a.nrrd"))
    assert not (home / "a.nrrd").exists()
    program = "import sys, SimpleITK; SimpleITK.ReadImage(sys.argv[1])"
    shutil.copyfile(save(enhanced(np.ones((4, 5, 6), np.uint8), oblique()), home.parent / "a.dcm"), home / "a.dcm")
    for path, code in ((home / "a.dcm", 1), (home.parent / "a.dcm", 0)):
        done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr


# The program


def test_a_study_is_made_trained_measured_and_reported(
    home: Path, call: Any, simulated: Path, tiny_changes: dict[str, Any]
) -> None:
    """Every command, in folders with foreign letters, while a virus scanner looks at every file that they write."""
    study, results = home / "Studie", home / "Ergebnis"
    for kind in ("images", "labels"):
        shutil.copytree(simulated / kind, home / kind)

    def do(*arguments: object) -> str:
        code, out, err = call(*arguments)
        assert code == 0, err
        return out

    with VirusScanner(home) as scanner:
        do(
            "study", "create", study, "--images", home / "images", "--labels", home / "labels",
            "--label-fraction", 0.2, "--organs", "größer, flüssig",
        )  # fmt: skip
        do("suggest", study, "--count", 2, "--write", home / "zu zeichnen")
        do("study", "label", study, "--labels", home / "labels")
        do("train", study, "--stage", "teacher", *set_options(tiny_changes))
        do("train", study, "--restart", "--processes", 2, *set_options(tiny_changes))
        images = home / "images" / "simulated_0002.nrrd"
        do("segment", study, images, "--output", results, "--probability", "--uncertainty")
        do("segment", study, images, "--output", results, "--probability", "--uncertainty")  # replaces them
        do("measure", results, "--output", home / "Volumen.csv")
        do("evaluate", results, home / "labels", "--output", home / "Güte.csv")
        do(
            "report",
            results,
            "--images",
            home / "images",
            "--study",
            study,
            "--output",
            home / "a.html",
            "--pdf",
        )
        assert scanner.opened > 50

    found = read_label_map(results / "simulated_0002.nrrd")
    assert found.geometry.same_grid(read_volume(images).geometry)
    assert (home / "Volumen.csv").read_text(encoding="utf-8").splitlines()[1].startswith("simulated_0002,größer,")
    assert (home / "a.pdf").read_bytes().startswith(b"%PDF")
    left = [path.name for path in home.rglob(".*")]
    assert left == []


def test_a_training_goes_on_when_the_preview_is_held_open(
    home: Path, impatient: None, monkeypatch: pytest.MonkeyPatch, trained_study: Path, settings: Settings
) -> None:
    shutil.copytree(trained_study, home / "Studie")
    study = Study.open(home / "Studie")
    for name in ("student_1_1.safetensors", MODEL_NAME, "events.jsonl"):
        (study.run_folder / name).unlink()
    monkeypatch.setattr(preview, "SECONDS_BETWEEN_PREVIEWS", 0.0)
    watch_volume(study.folder, study.cases[0].name)
    (study.folder / PREVIEW).write_bytes(b"shown")

    with (study.folder / PREVIEW).open("rb"):
        train(study, settings, torch.device("cpu"))

    assert (study.folder / PREVIEW).read_bytes() == b"shown"
    told = [event.message or "" for event in read_events(study.events.path)]
    (why,) = [message for message in told if "no preview" in message]
    assert "close the file in other programs" in why
    weights, same = (load_checkpoint(path / "run" / MODEL_NAME)[0] for path in (trained_study, study.folder))
    assert all(torch.equal(tensor, same[name]) for name, tensor in weights.items())


def test_a_training_continues_from_the_earlier_one_which_it_sets_aside(
    home: Path, trained_study: Path, settings: Settings
) -> None:
    shutil.copytree(trained_study, home / "Studie")
    study = Study.open(home / "Studie")
    label_another_slice(study)

    with VirusScanner(study.folder, seconds=0.1):
        train(study, settings, torch.device("cpu"))

    assert (study.run_folder / EARLIER_MODEL_NAME).exists() and (study.run_folder / MODEL_NAME).exists()


def test_labels_reach_a_study_whose_file_somebody_looks_at(home: Path, untrained: Path) -> None:
    shutil.copytree(untrained, home / "Studie")
    study = Study.open(home / "Studie")
    case = next(case for case in study.cases if case.labels is not None)
    assert case.labels is not None
    path = study.folder / case.labels.file
    labels = study.read_labels(case.name)
    assert labels is not None
    opened = path.open("rb")

    def look() -> None:
        with opened:
            time.sleep(0.2)

    reader = Thread(target=look)
    reader.start()
    study.set_labels(case.name, labels)
    reader.join()

    assert (read_label_map(path).voxels == labels.voxels).all()


def lossless_dicom(path: Path) -> np.ndarray:
    """A volume compressed as lossless JPEG, which ITK decodes; its voxels."""
    grid = oblique()
    voxels = np.random.default_rng(0).integers(0, 256, grid.shape).astype(np.uint8)
    plain = path.parent.parent / "plain.dcm"
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")
    writer.SetFileName(str(plain))
    writer.Execute(sitk.GetImageFromArray(np.swapaxes(voxels, 0, 2)))
    dataset = enhanced(voxels, grid)
    dataset.file_meta.TransferSyntaxUID, dataset.PixelData = JPEGLosslessSV1, pydicom.dcmread(plain).PixelData
    dataset["PixelData"].is_undefined_length = True
    save(dataset, path)
    return voxels


def test_compressed_dicom_is_decoded_below_a_folder_with_foreign_letters(home: Path) -> None:
    voxels = lossless_dicom(home / "Bild.dcm")

    assert (read_volume(home / "Bild.dcm").voxels == voxels).all()
    assert list((home / "AppData" / "Local" / "Temp").iterdir()) == []


def test_without_any_ascii_folder_compressed_dicom_is_refused_with_the_way_out(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lossless_dicom(home / "Bild.dcm")
    monkeypatch.setattr(ascii_folder, "_shared", lambda: ("", str(home)))

    with pytest.raises(InputError, match=r"Temp: is a temporary folder .* set the environment variable TMPDIR"):
        read_volume(home / "Bild.dcm")


def test_the_short_name_of_a_folder_serves_where_the_disk_has_one(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = tmp_path / "JRGEN~1"
    short.mkdir()
    monkeypatch.setattr(ascii_folder, "_short_name", lambda path: str(short))

    with ascii_folder.ascii_folder() as folder:
        assert folder.parent == short and list(folder.iterdir()) == []
    assert list(short.iterdir()) == []
