"""A study is trained by way of an SSH server on the loopback address, whose connections are cut."""

import json
import os
import signal
import subprocess
import threading
import time

import pytest
from remote_jobs import A_LOOK, event, jobs
from trained_studies import assert_same_weights, label_another_slice

from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.remote import training as remote_training
from USLabelEfficientSegLib.remote.training import train_remotely
from USLabelEfficientSegLib.study.events import Event, read_events
from USLabelEfficientSegLib.study.study import Study


def test_weights_are_those_of_a_training_here_though_the_connection_is_cut_five_times(
    server, study, there, request_, trained_here
):
    server.proxy.budgets = [30_000, 20_000, 20_000, 60_000, 60_000]  # while files are copied, and while it trains
    said: list[str] = []

    train_remotely(study, request_, tell=said.append, seconds_between_looks=A_LOOK)

    assert server.proxy.cuts == 5
    assert sum("is broken" in sentence for sentence in said) == 5
    assert_same_weights(study, trained_here)
    assert read_events(study.events.path) == read_events(there / "run" / "events.jsonl")
    assert not [path for folder in (study.folder, there) for path in folder.rglob(".*.part")]


def test_a_training_that_was_stopped_goes_on_there_with_the_same_weights(study, request_, trained_here):
    steps: list[Event] = []
    study.events.listen(steps.append)

    with pytest.raises(Cancelled, match=r"stopped on 127\.0\.0\.1; it resumes there"):
        train_remotely(study, request_, lambda: bool(steps), seconds_between_looks=A_LOOK)
    assert not (study.run_folder / "model.safetensors").exists()

    train_remotely(study, request_, seconds_between_looks=A_LOOK)
    assert_same_weights(study, trained_here)


def test_what_happens_while_nobody_is_connected_is_told_afterwards(server, study, there, ask):
    """The training goes on, and its end is noticed."""
    training = f"""
echo '{event(1)}' >> run/events.jsonl
until [ -e go ]; do sleep 0.05; done
echo '{event(2)}' >> run/events.jsonl; echo weights > run/model.safetensors; touch done
"""
    steps = []

    def listen(one):
        steps.append(one.step)
        if one.step == 1:
            server.proxy.closed = True
            server.proxy.cut()
            (there / "go").touch()
            threading.Thread(target=reopen).start()

    def reopen():
        while not (there / "done").exists():
            time.sleep(0.02)
        server.proxy.closed = False

    told, _ = ask(training, listen=listen)

    assert steps == [1, 2]
    assert told == [
        "The connection to 127.0.0.1 is broken; it is made anew.", "Connected to 127.0.0.1 again.",
    ]  # fmt: skip
    assert (study.run_folder / "model.safetensors").read_text() == "weights\n"


def test_whoever_comes_back_follows_the_training_that_runs(study, there, ask):
    """As after this computer was switched off: nothing is copied or started again."""
    training = f"""
echo x >> starts; echo '{event(1)}' >> run/events.jsonl
until [ -e go ]; do sleep 0.05; done
echo '{event(2)}' >> run/events.jsonl
"""

    def switch_off(_):
        raise KeyboardInterrupt

    def let_it_end(sentence):
        assert sentence == "The training on 127.0.0.1 runs already."
        (there / "go").touch()

    with pytest.raises(KeyboardInterrupt):
        ask(training, listen=switch_off)
    study.events._listeners.clear()
    _, shown = ask(training, tell=let_it_end)

    assert [one.step for one in shown] == [2]
    assert (there / "starts").read_text() == "x\n"
    assert [one.step for one in read_events(study.events.path)] == [1, 2]


def test_a_changed_label_and_a_removed_one_are_changed_and_removed_there(study, there, ask):
    ask()
    names = [case.name for case in study.cases if case.labels is not None]
    assert {path.stem for path in (there / "labels").iterdir()} == set(names)
    label_another_slice(study)
    study.remove_labels(names[-1])

    ask()

    for part in ("images", "labels"):
        for path in (there / part).iterdir():
            assert path.read_bytes() == (study.folder / part / path.name).read_bytes()
    assert {path.stem for path in (there / "labels").iterdir()} == set(names[:-1])
    assert Study.open(there).label_fraction() == study.label_fraction()


def test_files_that_lie_there_already_are_not_copied_again(study, there, ask):
    ask()
    images = {path: path.stat().st_ino for path in (there / "images").iterdir()}

    ask()

    assert {path: path.stat().st_ino for path in (there / "images").iterdir()} == images


def test_the_training_that_is_further_stays(study, there, ask):
    """There, as after a stop; or here, as after a training on this computer."""
    ask(f"echo '{event(1)}' >> run/events.jsonl; echo first > run/model.safetensors")
    (there / "run" / "checkpoint.safetensors").write_text("there")
    with (there / "run" / "events.jsonl").open("a") as file:
        file.write(event(2) + "\n")
    ask()
    assert (study.run_folder / "checkpoint.safetensors").read_text() == "there"

    study.events.emit("student", 3, 4)
    (study.run_folder / "model.safetensors").write_text("here")
    (study.run_folder / "checkpoint.safetensors").unlink()
    ask()

    assert (there / "run" / "model.safetensors").read_text() == "here"
    assert not (there / "run" / "checkpoint.safetensors").exists()


def test_a_training_that_starts_anew_forgets_the_earlier_one_on_both_sides(study, there, ask):
    ask(f"echo '{event(1)}' >> run/events.jsonl; echo first > run/first")
    ask(f"ls run > seen; echo '{event(2)}' >> run/events.jsonl", restart=True)

    assert (there / "seen").read_text() == ""
    assert [one.step for one in read_events(study.events.path)] == [2]
    assert not (study.run_folder / "first").exists()


def test_trainings_there_and_here_that_know_nothing_of_each_other_are_not_mixed(study, there, ask):
    ask(f"echo '{event(1)}' >> run/events.jsonl")
    with (there / "run" / "events.jsonl").open("a") as file:
        file.write(event(2) + "\n")
    study.events.emit("student", 3, 4)

    with pytest.raises(InputError, match="has been trained there and here, each without the other; name a new folder"):
        ask()


@pytest.mark.parametrize(
    ("training", "sentence"),
    [
        ("echo 'uslabelseg: error: run: is damaged; restore it.' >&2; exit 2", r"0\.1: run: is damaged; restore it\.$"),
        ("echo Traceback >&2; echo 'KeyError: 3' >&2; exit 1", r"has failed with code 1 \(KeyError: 3\); read .*logs"),
        ("kill -9 $$", r"has failed with code 137"),
    ],
)
def test_what_goes_wrong_there_is_one_sentence_here(study, ask, training, sentence):
    with pytest.raises(InputError, match=sentence):
        ask(training)
    assert not study.run_folder.exists()


def test_the_end_of_a_computer_is_noticed_and_the_same_command_goes_on(study, there, ask, monkeypatch):
    """Its processes vanish, without a word."""
    monkeypatch.setattr(remote_training, "_LOOKS_WITHOUT_NEWS", 2)
    training = f"echo '{event(1)}' >> run/events.jsonl; exec sleep 300"

    def end_all(_):
        (job,) = jobs(there)
        trained = int((job / "process").read_text())
        parent = int(subprocess.run(["ps", "-o", "ppid=", "-p", str(trained)], capture_output=True).stdout)
        os.kill(parent, signal.SIGKILL)
        os.kill(trained, signal.SIGKILL)

    with pytest.raises(InputError, match=r"has ended without a word: it was killed, or .* was started anew"):
        ask(training, listen=end_all)
    study.events._listeners.clear()

    ask(f"echo '{event(2)}' >> run/events.jsonl")
    assert [one.step for one in read_events(study.events.path)] == [1, 2]


def test_the_command_trains_there_with_the_options_that_were_given(study, server, there, program, call):
    trained = program(f"echo \"$@\" > words; echo '{event(4)}' >> run/events.jsonl")
    place = "--remote", server.address(there), "--remote-command", trained

    given = "--seed", "1", "--set", "student.steps=4", "--set", "teacher.steps=3", "--from-teacher"
    code, out, err = call("train", study.folder, *place, *given, "--events", "--restart")

    assert (code, err.count("error")) == (0, 0)
    assert [json.loads(line)["step"] for line in out.splitlines()] == [4]
    words = "--seed 1 --set student.steps=4 --set teacher.steps=3 --from-teacher"
    assert sorted((there / "words").read_text().split()) == sorted(f"train {there} {words} --quiet".split())


def test_files_of_this_computer_are_no_options_there(study, server, there, call, tmp_path):
    (tmp_path / "weights").touch()

    code, _, err = call(
        "train", study.folder, "--remote", server.address(there), "--teacher-weights", tmp_path / "weights"
    )

    sentence = "--teacher-weights: names a file of this computer; leave it out, or train on this computer."
    assert (code, err) == (2, f"uslabelseg: error: {sentence}\n")
