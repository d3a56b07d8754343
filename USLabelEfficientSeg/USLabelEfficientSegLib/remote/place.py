"""The study's folder on the other computer: whose it is, what lies in it, and the training that runs in it.

The other computer needs `sh`, `ps`, `find` and `sha256sum` or `shasum`: Linux, macOS or another Unix.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..disk.json_files import parse_json
from ..disk.study_layout import LOCK_NAME, LOGS, MANIFEST_NAME
from ..errors import InputError
from .connection import SECONDS_TO_ANSWER, Answer, Connection

_MARK = ".copy-of"  # a copied study is whole only when its manifest is there, which comes last
_JOBS = f"{LOGS}/remote"
_SECONDS_TO_COMPARE = 3600.0
_DIGESTS = r"""
cd {folder} && if command -v sha256sum >/dev/null; then sum=sha256sum; else sum="shasum -a 256"; fi
for part in {parts}; do
  [ -e "$part" ] && find "$part" -type f ! -name ".*" -exec $sum {{}} +
done; true
"""
# Started twice, as after an answer that was lost, it runs once: a folder can be made once. It outlives the connection.
_LAUNCH = r"""
mkdir -p {jobs} && {{ mkdir {job} 2>/dev/null || exit 0; }} || exit 1
printf %s {command} > {job}/command
nohup sh -c {program} > /dev/null 2>&1 < /dev/null &
"""
_PROGRAM = r"""
{command} > {job}/output 2> {job}/errors < /dev/null &
process=$!
echo $process > {job}/new && mv {job}/new {job}/process
wait $process
echo $? > {job}/new && mv {job}/new {job}/exit
"""


@dataclass(frozen=True)
class Job:
    """A training that was started there.

    Attributes:
        name: of its folder.
        command: that runs.
        process: its number, None for a moment after its start.
        code: with which it has ended, None before.
    """

    name: str
    command: str
    process: int | None
    code: int | None


class Place:
    """The folder of a study on the other computer.

    Args:
        connection: to the other computer.
        created: when the study was made, which tells studies apart.
    """

    def __init__(self, connection: Connection, created: str) -> None:
        self.connection = connection
        self.folder = connection.address.folder
        self._created = created

    def __str__(self) -> str:
        return f"{self.connection.address.host}:{self.folder}"

    def claim(self) -> None:
        """Make sure that the folder is there, may be written, and holds this study, a part of it, or nothing.

        Raises:
            InputError: it is not so.
        """
        made = self._ask(f"mkdir -p {self._quoted()}")
        if made.code != 0:
            raise InputError(str(self), f"cannot be made ({_last(made.errors)})", "choose another folder there")
        mark, manifest = self.read(_MARK), self.read(MANIFEST_NAME)
        names = [] if mark or manifest else self.connection.insist(self._names)
        if names:
            raise InputError(str(self), f"holds something else ({names[0]})", "choose a new or empty folder there")
        if (mark and mark.decode("utf-8", "replace") != self._created) or (
            manifest and _told(manifest).get("created") != self._created
        ):
            raise InputError(str(self), "holds another study", "choose a new or empty folder there")
        try:
            self.connection.insist(self._write_mark)
        except OSError as error:
            problem = f"may not be written ({error.strerror or error})"
            raise InputError(str(self), problem, "choose another folder there") from error

    def read(self, name: str, offset: int = 0) -> bytes:
        """The bytes of a file from an offset on; none if there is no such file."""

        def look() -> bytes:
            with self.connection.files() as files:
                try:
                    with files.open(str(self.folder / name), "rb") as file:
                        file.seek(offset)
                        return bytes(file.read())
                except FileNotFoundError:
                    return b""

        return self.connection.insist(look)

    def write(self, name: str, data: bytes) -> None:
        """Write a small file, whole or not at all, and its folder. Raises `OSError`."""
        path = self.folder / name
        part = path.with_name(f".{path.name}.part")

        def put() -> None:
            with self.connection.files() as files:
                with suppress(OSError):  # it is there
                    files.mkdir(str(path.parent))
                with files.open(str(part), "wb") as file:
                    file.write(data)
                files.posix_rename(str(part), str(path))

        self.connection.insist(put)

    def stamp(self, name: str) -> tuple[int | None, int | None] | None:
        """The same for as long as a file is not replaced, as far as sizes and times tell; None for no file."""

        def look() -> tuple[int | None, int | None] | None:
            with self.connection.files() as files:
                try:
                    found = files.stat(str(self.folder / name))
                except FileNotFoundError:
                    return None
                return found.st_mtime, found.st_size

        return self.connection.insist(look)

    def digests(self, *parts: str) -> dict[str, str]:
        """SHA-256 of the files in folders of the study, or of single files, by their path within the study."""
        program = _DIGESTS.format(folder=self._quoted(), parts=" ".join(map(shlex.quote, parts)))
        answer = self._ask(program, _SECONDS_TO_COMPARE)
        found = re.findall(r"^\\?([0-9a-f]{64}) [ *](.+)$", answer.output, re.MULTILINE)
        if answer.code != 0 or len(found) != answer.output.count("\n"):
            problem = f"has no checksums to compare ({_last(answer.errors)})"
            raise InputError(self.connection.address.host, problem, "install sha256sum or shasum there")
        return {name.removeprefix("./"): digest for digest, name in found}

    def make_folders(self, names: Iterable[str]) -> None:
        """Make the folders of files, given by their paths within the study."""
        folders = sorted({str((self.folder / name).parent) for name in names})
        if folders:
            self._demand(f"mkdir -p {' '.join(map(shlex.quote, folders))}")

    def remove(self, names: Iterable[str]) -> None:
        """Remove files of the study."""
        paths = [shlex.quote(str(self.folder / name)) for name in names]
        for start in range(0, len(paths), 100):
            self._demand(f"rm -rf {' '.join(paths[start : start + 100])}")

    def sweep(self) -> None:
        """Remove what copies that were cut have left of files that have changed since."""
        self._ask(f'find {self._quoted()} -name ".*.part" -type f -exec rm -f {{}} +')

    def other_writer(self) -> str | None:
        """The process that writes the study there, if it lives, in words."""
        holder = _told(self.read(LOCK_NAME))
        number = holder.get("pid")
        if type(number) is int and self._ask(f"ps -p {number}").code == 0:
            return f"process {number} on {holder.get('host', 'that computer')}"
        return None

    def last_job(self) -> Job | None:
        """The training that was started there last."""
        names = self._ask(f"ls {shlex.quote(str(self.folder / _JOBS))} 2>/dev/null").output.split()
        return self._job(max(names)) if names else None

    def lives(self, job: Job) -> bool:
        """Whether a training runs, or is about to."""
        if self.code(job) is not None:
            return False
        process = job.process or self._job(job.name).process
        if process is None:  # it was started a moment ago, or the other computer stopped right then
            return self._ask("sleep 2").code == 0 and self._job(job.name).process is not None and self.lives(job)
        return str(self.folder) in self._ask(f"ps -ww -p {process} -o args=").output

    def code(self, job: Job) -> int | None:
        """The code with which a training has ended, None if it has not."""
        return _number(self.read(f"{_JOBS}/{job.name}/exit"))

    def launch(self, name: str, command: str) -> Job:
        """Start a training; what earlier ones have told there is removed.

        Args:
            name: of its folder, which sorts behind earlier ones.
            command: words of the shell.
        """
        jobs = self.folder / _JOBS
        job = shlex.quote(str(jobs / name))
        earlier = self._ask(f"ls {shlex.quote(str(jobs))} 2>/dev/null").output.split()
        self.remove(f"{_JOBS}/{one}" for one in earlier if one != name)
        words = {"command": command, "program": _PROGRAM.format(command=command, job=job)}
        quoted = {part: shlex.quote(text) for part, text in words.items()}
        self._demand(_LAUNCH.format(jobs=shlex.quote(str(jobs)), job=job, **quoted))
        return Job(name, command, None, None)

    def stop(self, job: Job) -> bool:
        """Ask a training to save its state and to end; whether it could be asked."""
        process = job.process or self._job(job.name).process
        return process is not None and self._ask(f"kill -TERM {process} 2>/dev/null").code == 0

    def said(self, job: Job) -> tuple[str, str]:
        """What a training has printed: its output and its errors."""
        output, errors = (self.read(f"{_JOBS}/{job.name}/{name}") for name in ("output", "errors"))
        return output.decode("utf-8", "replace"), errors.decode("utf-8", "replace")

    def logs(self, job: Job) -> str:
        """Where that lies."""
        return str(self.folder / _JOBS / job.name)

    def _job(self, name: str) -> Job:
        command = self.read(f"{_JOBS}/{name}/command").decode("utf-8", "replace")
        process, code = (_number(self.read(f"{_JOBS}/{name}/{part}")) for part in ("process", "exit"))
        return Job(name, command, process, code)

    def _ask(self, command: str, seconds: float = SECONDS_TO_ANSWER) -> Answer:
        return self.connection.insist(lambda: self.connection.run(command, seconds))

    def _demand(self, command: str) -> None:
        answer = self._ask(command)
        if answer.code != 0:
            problem = f"cannot be written ({_last(answer.errors)})"
            raise InputError(str(self), problem, "choose a folder there that you may write to")

    def _names(self) -> Sequence[str]:
        with self.connection.files() as files:
            return sorted(files.listdir(str(self.folder)))

    def _write_mark(self) -> None:
        with self.connection.files() as files, files.open(str(self.folder / _MARK), "wb") as file:
            file.write(self._created.encode("utf-8"))

    def _quoted(self) -> str:
        return shlex.quote(str(self.folder))


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["it does not say why"])[-1]


def _number(text: bytes) -> int | None:
    return int(text) if text.strip().isdigit() else None


def _told(text: bytes) -> dict[str, Any]:
    try:
        value = parse_json(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
