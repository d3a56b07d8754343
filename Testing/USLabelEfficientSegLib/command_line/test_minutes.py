"""`uslabelseg train --minutes`."""

import pytest

from USLabelEfficientSegLib.method import time_plan
from USLabelEfficientSegLib.method.speeds import Speeds
from USLabelEfficientSegLib.report.cases_of_study import with_training
from USLabelEfficientSegLib.report.content import ReportContent
from USLabelEfficientSegLib.report.kinds import KINDS
from USLabelEfficientSegLib.study.provenance import read_settings

SERVER = Speeds(reading=0.1, slice_step=0.2, slice_vote=1.0, teacher_step=0.15, student_step=0.033)


@pytest.fixture
def changes(tiny_changes):
    """Options with which a training takes seconds."""
    return [part for name, value in tiny_changes.items() for part in ("--set", f"{name}={value}")]


def test_what_was_given_and_what_it_took_is_told(call, study, changes, monkeypatch):
    monkeypatch.setattr(time_plan, "measured_speeds", lambda run, teacher_is_trained: SERVER)
    code, out, err = call("train", study.folder, "--minutes", 2, "--device", "cpu", *changes)
    told = out + err

    assert code == 0, told
    assert "On cpu, in about 2 min; the speed of this computer is measured." in told
    assert "10 times the usual steps, about" in told, told
    assert " min; the whole training was given 2 min." in told
    settings = read_settings(study)
    assert settings is not None and settings.minutes == 2
    report = with_training(ReportContent(KINDS[3].of_study, KINDS[3], study.organs, [], []), study)
    assert report.settings["student.steps"] == "30" and "minutes" not in report.settings
    assert report.provenance["training time given"] == "2 min"

    code, out, err = call("train", study.folder)  # the time is that of the training that was begun

    assert code == 0 and "the whole training was given 2 min" in out + err


@pytest.mark.parametrize("minutes", ["0", "0.1", "-3", "nan", "1e9"])
def test_nonsense_is_refused_with_one_sentence(call, study, minutes):
    code, out, err = call("train", study.folder, f"--minutes={minutes}")

    assert code == 2 and out == ""
    assert "'minutes' is wrong" in err and len(err.strip().splitlines()) == 1
    assert not study.run_folder.exists()


def test_another_time_is_another_training(call, trained):
    code, _, err = call("train", trained.folder, "--minutes", "5")

    assert code == 2
    assert "minutes is None, now 5.0" in err and "--restart" in err
