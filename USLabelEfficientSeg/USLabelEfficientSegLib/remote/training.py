"""A study is trained on another computer: copied there, trained by the same command, followed, and brought back.

The training there does not hang on the connection. Whoever follows it may vanish and come back: the study's events tell
how far it is, and the file `exit` of its job that it has ended.
"""

from __future__ import annotations

import secrets
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..disk.files import make_folder, sha256_of, writing
from ..disk.in_use import remove_file, remove_tree
from ..disk.study_layout import APPEARANCE_NAME, EVENTS_NAME, IMAGES, LABELS, MANIFEST_NAME, MODEL_NAME, RUN
from ..errors import Cancelled, ExitCode, InputError
from ..study.events import EventReader
from ..study.study import Study
from ..text.counting import counted
from .address import Address
from .connection import Connection
from .copying import fetch, put_in_place, send
from .place import Job, Place
from .previews import Previews

SECONDS_BETWEEN_LOOKS = 1.0
_LOOKS_WITHOUT_NEWS = 10  # before it is asked whether the process lives
_SECONDS_TO_HEAR = 0.1  # that the user asks to stop
_SECONDS_TO_START = 300.0  # a Python on a slow network drive takes its time
_PATIENCE = 5.0  # a pause that is longer ends the work if the user has asked to stop
_EVENTS = f"{RUN}/{EVENTS_NAME}"
_SENTENCE = "uslabelseg: error: "


@dataclass(frozen=True)
class Request:
    """What is to be trained, and where.

    Attributes:
        address: the study's folder on the other computer.
        program: the command `uslabelseg` there, in words of the shell.
        options: of `train`.
        restart: forget earlier training, here and there.
    """

    address: Address
    program: str = "uslabelseg"
    options: Sequence[str] = ()
    restart: bool = False

    @property
    def command(self) -> str:
        """The command that trains there."""
        words = ["train", str(self.address.folder), *self.options, "--quiet"]
        return f"{self.program} {shlex.join(words)}"


def train_remotely(
    study: Study,
    request: Request,
    cancelled: Callable[[], bool] = lambda: False,
    tell: Callable[[str], None] = lambda sentence: None,
    seconds_between_looks: float = SECONDS_BETWEEN_LOOKS,
) -> None:
    """Train a study on another computer; this one holds the study's lock meanwhile.

    A training that runs there already with the same options is followed. Progress comes as events of the study.

    Args:
        study: its images, labels and earlier training are copied, its training is brought back.
        request: where, and how.
        cancelled: asked all the time; the training there is then asked to save its state and to end.
        tell: called with sentences about the connection and the copying.
        seconds_between_looks: at the events there.

    Raises:
        InputError: the other computer cannot be reached, is not known, has not this version of the program or no room;
            the folder there holds something else, or is being trained by others; the training there was refused.
        Cancelled: it was stopped; the same call goes on from there.
    """
    with study.lock():
        study.check_files()

        def pausing(seconds: float) -> None:
            if cancelled() and seconds >= _PATIENCE:
                raise Cancelled(f"{request.address.host} cannot be reached, and its training was not stopped; goes on")
            time.sleep(seconds)

        with Connection(request.address, tell, pausing) as connection:
            check_version(connection, request.program)
            work = _Work(study, Place(connection, study.created), request, cancelled, tell, seconds_between_looks)
            work.do()


def check_version(connection: Connection, program: str) -> None:
    """Refuse another version of the program than this one, for the results would be others. Raises `InputError`."""
    host = connection.address.host
    answer = connection.insist(lambda: connection.run(f"{program} --version", _SECONDS_TO_START))
    words = answer.output.split()
    if answer.code != 0 or words[:1] != ["uslabelseg"] or len(words) != 2:
        raise InputError(
            host,
            f"has no program {program}",
            "install it there, or tell where it is with --remote-command",
            in_panel="install it there, or write where it is into Command there",
        )
    if words[1] != __version__:
        raise InputError(host, f"has version {words[1]}, not {__version__} as here", "install the same version on both")


class _Work:
    """One training, from the copy to the model."""

    def __init__(
        self,
        study: Study,
        place: Place,
        request: Request,
        cancelled: Callable[[], bool],
        tell: Callable[[str], None],
        pause: float,
    ) -> None:
        self._study = study
        self._place = place
        self._request = request
        self._cancelled = cancelled
        self._tell = tell
        self._pause = pause
        self._log = study.folder / _EVENTS

    def do(self) -> None:
        self._place.claim()
        job = self._running() or self._started()
        code = self._followed(job)
        output, errors = self._place.said(job)
        for line in output.splitlines():
            self._tell(line)
        if code in (ExitCode.CANCELLED, 128 + 15):
            raise Cancelled(f"stopped on {self._request.address.host}; it resumes there")
        if code != ExitCode.DONE:
            raise self._refusal(job, code, errors)
        self._bring_back()

    def _running(self) -> Job | None:
        """The training that runs there, if it is the one that is asked for."""
        job, host = self._place.last_job(), self._request.address.host
        if job is None or not self._place.lives(job):
            if other := self._place.other_writer():
                raise InputError(str(self._place), f"is being written there by {other}", "wait for it or stop it there")
            return None
        if job.command != self._request.command:
            problem = f"is being trained there with other options: {job.command}"
            raise InputError(str(self._place), problem, "wait for it, or give the same options to follow it")
        self._tell(f"The training on {host} runs already.")
        if not self._place.read(_EVENTS).startswith(self._events_here()):
            raise self._trained_apart()
        return job

    def _started(self) -> Job:
        self._copy_there()
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
        self._stop_if_asked()
        if self._request.restart and (self._study.folder / RUN).exists():
            with writing(self._study.folder / RUN):
                remove_tree(self._study.folder / RUN)
        return self._place.launch(name, self._request.command)

    # Copying

    def _copy_there(self) -> None:
        """Make the folder there equal to the study, except that a training which is further there stays."""
        run: list[str] = []
        if self._request.restart:
            self._place.remove([RUN])
        elif self._is_further_here():
            run = sorted(_files(self._study.folder, RUN), key=lambda name: name == _EVENTS)  # they end a whole copy
        names = [*self._data(), *run, MANIFEST_NAME]  # the manifest last: without it the copy is no study
        there = self._place.digests(IMAGES, LABELS, MANIFEST_NAME, APPEARANCE_NAME, RUN)
        digests = {name: self._digest(name) for name in counted(names, "Comparing files")}
        self._send([name for name in names if there.get(name) != digests[name]], digests)
        copied = [IMAGES, LABELS, *([RUN] if run else [])]
        self._place.remove(name for name in there if name.split("/")[0] in copied and name not in digests)
        arrived = self._place.digests(IMAGES, LABELS, MANIFEST_NAME, APPEARANCE_NAME, RUN)
        if wrong := [name for name in names if arrived.get(name) != digests[name]]:
            raise InputError(f"{self._place}/{wrong[0]}", "has arrived damaged", "give the same command again")
        self._place.sweep()

    def _send(self, names: Sequence[str], digests: dict[str, str]) -> None:
        self._place.make_folders(names)
        connection = self._place.connection
        for name in counted(names, f"Copying to {self._request.address.host}"):
            source, target = self._study.folder / name, self._place.folder / name
            send(connection, source, target, digests[name], self._stop_if_asked)

    def _data(self) -> list[str]:
        records = [record for case in self._study.cases for record in (case.image, case.labels) if record is not None]
        appearance = [APPEARANCE_NAME] if (self._study.folder / APPEARANCE_NAME).is_file() else []
        return [*appearance, *(record.file for record in records)]

    def _digest(self, name: str) -> str:
        return sha256_of(self._study.folder / name)

    def _events_here(self) -> bytes:
        return self._log.read_bytes() if self._log.is_file() else b""

    def _is_further_here(self) -> bool:
        """Whether the training here has news for the one there. Events are only added, so one log begins the other."""
        here, there = self._events_here(), self._place.read(_EVENTS)
        if there.startswith(here):
            return not there and (self._study.folder / RUN).is_dir()
        if not here.startswith(there):
            raise self._trained_apart()
        return True

    def _trained_apart(self) -> InputError:
        return InputError(
            str(self._place),
            "has been trained there and here, each without the other",
            "name a new folder there, or train anew with --restart",
            in_panel="name a new folder there, or tick Start anew",
        )

    def _bring_back(self) -> None:
        """Make the training here equal to the one there."""
        there = self._place.digests(RUN)
        here = {name: self._digest(name) for name in _files(self._study.folder, RUN)}
        wanted = [name for name, digest in there.items() if here.get(name) != digest]
        connection, parts = self._place.connection, {}
        for name in counted(wanted, f"Copying from {self._request.address.host}"):
            target = self._study.folder / name
            parts[target] = fetch(connection, self._place.folder / name, target, there[name], self._stop_if_asked)
        for name in set(here) - set(there):
            with writing(self._study.folder / name):
                remove_file(self._study.folder / name)
        put_in_place(parts, last=[MODEL_NAME])

    # Following

    def _followed(self, job: Job) -> int:
        """Append the events there to those here until the training has ended; returns its code."""
        reader = EventReader(self._log)
        reader.new_events()  # of earlier
        asked, without_news, previews = False, 0, Previews(self._study, self._place)
        while True:
            if self._cancelled() and not asked:
                asked = self._place.stop(job)
            previews.ask()
            code = self._place.code(job)  # before the events, which are then complete
            news = self._place.read(_EVENTS, self._log.stat().st_size if self._log.is_file() else 0)
            if news:
                previews.bring()  # before the event that tells of it
            self._append(news, reader)
            if code is not None:
                return code
            without_news = 0 if news else without_news + 1
            if without_news >= _LOOKS_WITHOUT_NEWS:
                without_news = 0
                self._refuse_the_dead(job)
            self._rest(until_asked=not asked)

    def _rest(self, *, until_asked: bool) -> None:
        """Wait for the next look, but not once the user asks to stop."""
        end = time.monotonic() + self._pause
        while (left := end - time.monotonic()) > 0 and not (until_asked and self._cancelled()):
            time.sleep(min(left, _SECONDS_TO_HEAR))

    def _refuse_the_dead(self, job: Job) -> None:
        if self._place.lives(job) or self._place.code(job) is not None:
            return
        host = self._request.address.host
        problem = f"has ended without a word: it was killed, or {host} was started anew"
        raise InputError(f"the training on {host}", problem, "give the same command again, which goes on from there")

    def _append(self, news: bytes, reader: EventReader) -> None:
        if not news:
            return
        with writing(self._log):
            make_folder(self._log.parent)
            with self._log.open("ab") as file:
                file.write(news)
        for event in reader.new_events():
            self._study.events.pass_on(event)

    def _refusal(self, job: Job, code: int, errors: str) -> InputError:
        """What the training there has said at its end, in a sentence."""
        host = self._request.address.host
        sentences = [line.removeprefix(_SENTENCE) for line in errors.splitlines() if line.startswith(_SENTENCE)]
        if code == ExitCode.BAD_INPUT and sentences:
            subject, _, rest = sentences[-1].removesuffix(".").partition(": ")
            problem, _, remedy = rest.rpartition("; ")
            return InputError(f"{host}: {subject}", problem or rest, remedy or "look there")
        last = (errors.strip().splitlines() or ["it does not say why"])[-1]
        problem = f"has failed with code {code} ({last})"
        return InputError(f"the training on {host}", problem, f"read {self._place.logs(job)} there")

    def _stop_if_asked(self) -> None:
        if self._cancelled():
            raise Cancelled("stopped while copying; goes on")


def _files(folder: Path, part: str) -> list[str]:
    """Files in a folder of the study, by their paths within it; hidden ones are passed over."""
    paths = sorted((folder / part).rglob("*"))
    return [path.relative_to(folder).as_posix() for path in paths if path.is_file() and not path.name.startswith(".")]
