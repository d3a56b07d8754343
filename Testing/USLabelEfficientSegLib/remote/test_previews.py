"""The live preview of a training on another computer, and what that computer tells of its devices."""

import pytest
from remote_jobs import event

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.remote.address import Address
from USLabelEfficientSegLib.remote.looking import devices_of
from USLabelEfficientSegLib.study.watching import PREVIEW, watch_volume

WAITS_FOR_THE_WISH = f"""
until grep -q case preview/watched.json 2>/dev/null; do sleep 0.05; done
echo first > preview/now.nrrd; echo '{event(1)}' >> run/events.jsonl
until [ -e go ]; do sleep 0.05; done
echo second one > preview/now.nrrd; echo '{event(2)}' >> run/events.jsonl
"""


def test_a_volume_that_is_watched_here_has_its_preview_here_before_the_event_that_tells_of_it(study, there, ask):
    shown = []

    def listen(one):
        shown.append((study.folder / PREVIEW).read_text())
        (there / "go").touch()

    watch_volume(study.folder, "case")
    ask(WAITS_FOR_THE_WISH, listen=listen)

    assert shown == ["first\n", "second one\n"]


def test_a_wish_that_comes_while_it_trains_is_passed_on(study, there, ask):
    training = f"echo '{event(0)}' >> run/events.jsonl\n{WAITS_FOR_THE_WISH}"

    def listen(one):
        if one.step == 0:
            watch_volume(study.folder, "case")
        else:
            (there / "go").touch()

    ask(training, listen=listen)
    assert (study.folder / PREVIEW).read_text() == "second one\n"


def test_nobody_watches_and_nothing_is_brought(study, there, ask):
    ask(f"mkdir preview; echo x > preview/now.nrrd; echo '{event(1)}' >> run/events.jsonl")
    assert not (study.folder / PREVIEW).exists()


def test_devices_of_the_other_computer_have_a_speed(server, there):
    found = devices_of(Address.parse(server.address(there)), f"'{server.program}'")

    assert found[-1]["device"] == "cpu" and found[-1]["milliseconds"] > 0
    assert not there.exists()


def test_a_program_that_does_not_tell_its_devices_is_refused(server, there, program):
    with pytest.raises(InputError, match="does not tell its devices"):
        devices_of(Address.parse(server.address(there)), program("true"))
