import json
import math
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import SimpleITK
import torch

from USLabelEfficientSegLib import __version__
from USLabelEfficientSegLib.cli import main
from USLabelEfficientSegLib.command_line.interruption import Interruption
from USLabelEfficientSegLib.command_line.progress import LogLines, ProgressBars, duration
from USLabelEfficientSegLib.study.events import Event, read_events
from USLabelEfficientSegLib.study.provenance import read_settings
from USLabelEfficientSegLib.study.study import Study

COMMANDS = ("demo", "study create", "study show", "train", "segment", "measure", "report", "evaluate")


@pytest.fixture
def refused(call, tmp_path):
    """Assert that a command is refused with one clear line and changes nothing in the test's folder."""

    def run(*arguments):
        before = contents(tmp_path)
        code, _, err = call(*arguments)
        assert code == 2
        assert err.startswith("uslabelseg: error: ") and err.count("\n") == 1 and err.endswith("\n"), err
        assert contents(tmp_path) == before
        return err

    return run


@pytest.fixture
def data(tmp_path, simulated):
    """A copy of the simulated images and labels that a test may damage."""
    return shutil.copytree(simulated, tmp_path / "data")


@pytest.fixture
def study_copy(tmp_path, trained_study):
    return shutil.copytree(trained_study, tmp_path / "study")


def contents(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def set_options(changes):
    return [text for name, value in changes.items() for text in ("--set", f"{name}={json.dumps(value)}")]


def rewrite(path, change):
    """Replace an image file by a changed one."""
    image = SimpleITK.ReadImage(str(path))
    changed = change(image)
    SimpleITK.WriteImage(changed, str(path))


def with_not_a_number(image):
    changed = SimpleITK.Cast(image, SimpleITK.sitkFloat32)
    changed[12, 12, 8] = math.nan
    return changed


def with_class(label):
    def change(image):
        image[12, 12, 8] = label
        return image

    return change


def moved(image):
    image.SetOrigin((5, 0, 0))
    return image


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-300])


BAD_FOLDERS = {
    "no images": (lambda d: shutil.rmtree(d / "images") or (d / "images").mkdir(), "holds no images"),
    "unreadable": (lambda d: (d / "images" / "simulated_0001.nrrd").write_text("no image"), "damaged"),
    "truncated": (lambda d: cut_short(d / "images" / "simulated_0001.nrrd"), "damaged, cut short"),
    "not finite": (
        lambda d: rewrite(d / "images" / "simulated_0001.nrrd", with_not_a_number),
        "NaN or infinite",
    ),
    "constant": (lambda d: rewrite(d / "images" / "simulated_0001.nrrd", lambda image: image * 0), "in every voxel"),
    "2-D": (lambda d: rewrite(d / "images" / "simulated_0001.nrrd", lambda image: image[:, :, 3]), "2-D image"),
    "4-D": (
        lambda d: rewrite(d / "images" / "simulated_0001.nrrd", lambda image: SimpleITK.JoinSeries([image, image])),
        "2 volumes over time",
    ),
    "colour label": (
        lambda d: rewrite(
            d / "labels" / "simulated_0001.nrrd", lambda image: SimpleITK.Compose([image, image, image])
        ),
        "not a label map",
    ),
    "label without image": (lambda d: (d / "images" / "simulated_0001.nrrd").unlink(), "label without an image"),
    "other geometry": (lambda d: rewrite(d / "labels" / "simulated_0001.nrrd", moved), "geometry"),
    "lonely class": (
        lambda d: rewrite(d / "labels" / "simulated_0001.nrrd", with_class(3)), "class 3, which no other label has",
    ),
    "no labelled slice": (
        lambda d: rewrite(d / "labels" / "simulated_0001.nrrd", lambda image: image * 0 + 255), "no labelled slice",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "problem"), BAD_FOLDERS.values(), ids=BAD_FOLDERS)
def test_no_study_is_made_of_bad_images_or_labels(refused, data, tmp_path, spoil, problem):
    spoil(data)

    folders = "--images", data / "images", "--labels", data / "labels"
    assert problem in refused("study", "create", tmp_path / "study", *folders)


@pytest.mark.parametrize("fraction", ["0", "-0.1", "1.01"])
def test_a_label_fraction_outside_0_to_1_is_refused(refused, data, tmp_path, fraction):
    folders = "--images", data / "images", "--labels", data / "labels"
    assert "fraction" in refused("study", "create", tmp_path / "study", *folders, "--label-fraction", fraction)


@pytest.mark.parametrize(("number", "words"), [(28, "no space left"), (13, "permission")], ids=["full", "denied"])
def test_a_study_is_made_as_a_whole_or_not_at_all(refused, data, tmp_path, monkeypatch, number, words):
    import os

    def refuse(*arguments):
        raise OSError(number, os.strerror(number), str(arguments[-1]))

    monkeypatch.setattr("os.fsync", refuse)
    assert words in refused("study", "create", tmp_path / "study", "--images", data / "images").lower()


def test_a_locked_study_is_not_trained(refused, study_copy):
    with Study.open(study_copy).lock():
        # The lock of this very process refuses as that of another one would.
        assert "is being written by process" in refused("train", study_copy)


def test_a_study_of_a_newer_version_is_refused(refused, study_copy):
    manifest = study_copy / "study.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 2'))

    assert "newer version" in refused("study", "show", study_copy)


@pytest.mark.parametrize("command", [("study", "show"), ("train",)])
def test_what_is_no_study_is_refused(refused, tmp_path, command):
    (tmp_path / "file").write_text("")

    assert "is not a study" in refused(*command, tmp_path / "missing")
    assert "is not a study" in refused(*command, tmp_path / "file")


def test_training_needs_a_labelled_slice(refused, data, call, tmp_path):
    call("study", "create", tmp_path / "study", "--images", data / "images")

    assert "has no labelled slice" in refused("train", tmp_path / "study")


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:3"])
def test_an_unknown_or_missing_device_is_refused(refused, study_copy, device):
    assert f"device {device}" in refused("train", study_copy, "--device", device)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("student.steps", "not of the form NAME=VALUE"),
        ("student.stepz=3", "'student.stepz' is wrong"),
        ("nothing.at.all=3", "does not exist"),
        ("student.steps.more=3", "does not exist"),
        ("student.steps=0", "'student.steps' is wrong"),
        ("preset=full", "--preset"),
    ],
)
def test_wrong_settings_are_refused(refused, study_copy, change, problem):
    assert problem in refused("train", study_copy, "--set", change)


def test_weights_that_would_execute_code_are_refused(refused, study_copy, tmp_path):
    class Attack:
        def __reduce__(self):
            return Path.touch, (tmp_path / "executed",)

    with (tmp_path / "weights.pth").open("wb") as file:
        pickle.dump(Attack(), file)

    refused("train", study_copy, "--restart", "--teacher-weights", tmp_path / "weights.pth")


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory. Tried"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
    ids=["GPU", "CPU"],
)
def test_too_little_memory_is_told_with_what_to_lower(refused, study_copy, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("USLabelEfficientSegLib.segmentation.segment_files.predict", fail)
    message = refused("segment", study_copy, study_copy / "images", "--output", study_copy.parent / "out")
    assert "student.window" in message and "--device cpu" in message


def test_other_errors_keep_their_traceback(study_copy, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr("USLabelEfficientSegLib.segmentation.segment_files.predict", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["segment", str(study_copy), str(study_copy / "images"), "--output", str(study_copy.parent / "out")])


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["trian"], "Did you mean 'train'?"),
        (["train"], "Missing argument 'STUDY'"),
        (["study"], "Missing command"),
        (["train", "study", "--preset", "fast"], "fast"),
        (["train", "study", "--method", "magic"], "magic"),
        (["segment", "study", "image.nrrd"], "--output"),
        (["study", "create", "study", "--images", ".", "--slice-axis", "7"], "slice axis 7"),
    ],
)
def test_wrong_usage_is_one_line(refused, arguments, problem):
    assert problem in refused(*arguments)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_with_an_example(call, command):
    code, out, _ = call(*command.split(), "--help")

    assert code == 0 and f"  uslabelseg {command} " in out and "Example" in out


def test_without_a_command_the_way_to_volumes_is_shown(call):
    code, out, _ = call()

    assert code == 0 and out.index("study create") < out.index("uslabelseg train") < out.index("uslabelseg measure")
    assert call("--version")[:2] == (0, f"uslabelseg {__version__}\n")


def test_help_loads_nothing_heavy():
    program = (
        "import sys; from USLabelEfficientSegLib.cli import main\n"
        "try: main(['train', '--help'])\n"
        "except SystemExit: print('loaded:', sorted({'torch', 'monai', 'numpy', 'SimpleITK'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment())

    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_from_a_folder_of_volumes_to_organ_volumes(call, simulated, tmp_path, tiny_changes):
    study, out = tmp_path / "study", tmp_path / "out"
    code, text, _ = call(
        "study", "create", study, "--images", simulated / "images", "--labels", simulated / "labels",
        "--label-fraction", 0.2, "--seed", 3, "--organs", "solid, fluid",
    )  # fmt: skip
    assert code == 0 and "3 volumes, 10 labelled slices" in text

    code, text, _ = call("study", "show", study, "--json")
    assert code == 0 and json.loads(text)["organs"].keys() == {"solid", "fluid"}
    assert "simulated_0002" in (shown := call("study", "show", study)[1]) and "Training: not started" in shown

    code, text, _ = call("train", study, "--seed", 5, "--device", "cpu", *set_options(tiny_changes))
    assert code == 0 and "student 1.1: 3 of 3" in text and "model.safetensors" in text
    assert read_settings(Study.open(study)).seed == 5

    assert "Training: finished, 1 of 1" in call("study", "show", study)[1]

    images = simulated / "images" / "simulated_0000.nrrd", simulated / "images" / "simulated_0002.nrrd"
    code, text, _ = call("segment", study, *images, "--output", out, "--probability")
    assert code == 0 and "solid" in text and (out / "simulated_0002_probability.nrrd").exists()

    code, text, _ = call("measure", out, "--output", tmp_path / "volumes.csv")
    assert code == 0 and len((tmp_path / "volumes.csv").read_text().splitlines()) == 5

    code, text, _ = call("evaluate", out, simulated / "labels", "--output", tmp_path / "metrics.csv")
    assert code == 0 and "1 reference has no prediction and is left out" in text and "all organs" in text
    assert "simulated_0002,fluid," in (tmp_path / "metrics.csv").read_text()


def test_training_again_uses_the_stored_settings_and_tells_programs_in_json(call, study_copy):
    weights = (study_copy / "run" / "model.safetensors").read_bytes()

    code, out, err = call("train", study_copy, "--events")

    events = [Event(**json.loads(line)) for line in out.splitlines()]
    assert code == 0 and "seed 0" in err
    assert [event.message for event in events if event.stage == "teacher"] == ["already trained"]
    assert events[-1].stage == "finished"
    assert (study_copy / "run" / "model.safetensors").read_bytes() == weights


def test_other_settings_than_the_stored_ones_need_a_restart(refused, study_copy):
    assert "student.steps is 3, now 4); use --restart" in refused("train", study_copy, "--set", "student.steps=4")
    assert "use --restart" in refused("train", study_copy, "--preset", "standard")


def test_a_restart_forgets_the_earlier_training(call, study_copy):
    code, out, _ = call("train", study_copy, "--restart", "--seed", 1, "--stage", "teacher")

    assert code == 0 and "teacher: 3 of 3" in out and "already trained" not in out
    assert not (study_copy / "run" / "model.safetensors").exists()
    assert read_settings(Study.open(study_copy)).seed == 1


def test_a_report_numbers_the_volumes_unless_names_are_asked_for(call, trained_study, tmp_path):
    assert call("report", trained_study, "--output", tmp_path / "report.html")[0] == 0
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Case 003" in text and "simulated_0002" not in text and "student.steps" in text

    assert call("report", trained_study, "--output", tmp_path / "named.html", "--show-names")[0] == 0
    assert "simulated_0002" in (tmp_path / "named.html").read_text(encoding="utf-8")


def test_ctrl_c_saves_the_state_and_the_same_command_continues(call, simulated, tmp_path, tiny_changes):
    study = tmp_path / "study"
    call("study", "create", study, "--images", simulated / "images", "--labels", simulated / "labels")
    changes = set_options({**tiny_changes, "teacher.steps": 20})
    command = [sys.executable, "-m", "USLabelEfficientSegLib.cli", "train", str(study), *changes]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    deadline = time.monotonic() + 60
    while not any(event.stage == "teacher" for event in read_events(study / "run" / "events.jsonl")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "teacher stopped after step" in err and "the same command continues" in err
    assert "Traceback" not in err
    before = read_events(study / "run" / "events.jsonl")[-1]
    assert call("train", study, "--stage", "teacher")[0] == 0
    steps = [e.step for e in read_events(study / "run" / "events.jsonl") if e.stage == "teacher"]
    assert steps.count(1) == 1 and before.step < 20 and steps[-1] == 20


def test_a_second_ctrl_c_stops_at_once(capfd):
    before = signal.getsignal(signal.SIGINT)  # ignored, where a shell started the tests in the background
    with Interruption() as interruption:
        assert not interruption()
        signal.raise_signal(signal.SIGTERM)
        assert interruption() and "Ctrl-C again" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_log_lines_stay_few(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr("USLabelEfficientSegLib.command_line.progress.time.monotonic", lambda: now)
    lines = LogLines()

    for step in range(1, 51):
        now += 0.5
        lines(Event("teacher", step, 50, (50 - step) / 2, {"distillation": 1 / step}))

    assert capsys.readouterr().out.splitlines() == [
        "teacher: 21 of 50, 14 s left, distillation 0.04762",
        "teacher: 41 of 50, 4 s left, distillation 0.02439",
        "teacher: 50 of 50, distillation 0.02",
    ]


def test_progress_bars_show_stages_and_losses(capsys):
    with ProgressBars() as bars:
        bars(Event("teacher", 3, 3, 0.0, {"distillation": 1.5}))
        bars(Event("student 1.1", 1, 4, 100.0, {"labels": 0.25}))

    shown = capsys.readouterr().out
    assert "teacher" in shown and "3/3" in shown and "2 min left, labels 0.25" in shown


@pytest.mark.parametrize(("seconds", "text"), [(44.6, "45 s"), (720, "12 min"), (11_100, "3 h 05 min")])
def test_times_are_for_people(seconds, text):
    assert duration(seconds) == text


def environment():
    """Of a process that finds the library where this one did, and is quick to start."""
    import os

    import USLabelEfficientSegLib

    root = str(Path(USLabelEfficientSegLib.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
