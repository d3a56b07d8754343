"""Where results go: a command replaces files of this program, and never what somebody else wrote or edited.

The SHA-256 of every result is kept in the user's own files (see `user_folder`): a table can hold no mark, and a folder
of results shall hold nothing else. A file with an unknown checksum was written by another program, elsewhere, or was
edited since. It is replaced only when the user says so. Nothing is ever written into a study, nor onto an input of the
same command.

Files that belong together are written into a hidden folder beside their place and renamed together at the end. The next
command removes what a killed one has left there.
"""

import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ..errors import InputError
from .files import sha256_of, sync_folder, writing
from .in_use import remove_file, remove_tree, replace_file
from .lock import SECONDS_TO_LOCK, StudyLock, was_left
from .study_layout import LOCK_NAME, MANIFEST_NAME, PDF_NAME, RECORD_SUFFIX, REPORT_NAME, WEIGHTS_SUFFIX
from .suffixes import suffix_of
from .user_folder import user_folder

_STAGING = re.compile(r"\.uslabelseg-[0-9a-f]{16}")
_NOT_OF_TEXTS = (WEIGHTS_SUFFIX, RECORD_SUFFIX)  # what others read
_STREAMS = ("/dev/", "/proc/")


class Outputs:
    """The files that one command writes.

    Args:
        overwrite: also replace files that this program did not write, or that were edited since.
        inputs: files and folders that the command reads; they, and the images in these folders, are never replaced.
        tell: receives one line on what is replaced, before the work begins.
        pages_of: a study whose own `report.html` and `report.pdf` may be written, and nothing else in it.
        texts: the results are tables and pages, which must not be named like an image, a model or a record.

    Attributes:
        replaced: earlier files that were found and will be, or were, replaced.
    """

    def __init__(
        self,
        overwrite: bool = False,
        inputs: Iterable[Path] = (),
        tell: Callable[[str], object] | None = None,
        pages_of: Path | None = None,
        texts: bool = False,
    ) -> None:
        self.replaced: list[Path] = []
        self._replaced: set[Path] = set()  # the same
        self._cleared: set[Path] = set()  # folders of leftovers, once: they may hold very many results
        self._overwrite = overwrite
        self._inputs = {os.path.realpath(path) for path in inputs}
        self._tell = tell
        self._texts = texts
        self._pages = [] if pages_of is None else [place_of(pages_of) / name for name in (REPORT_NAME, PDF_NAME)]

    def claim(self, *paths: Path) -> None:
        """Check before the work begins that all of `paths` may be written; remove what killed commands left there.

        Raises:
            InputError: a place inside a study, an input, a folder, a file of somebody else, no permission.
        """
        known = len(self.replaced)
        for path in paths:
            self._check(path)
        for folder in {place_of(path).parent for path in paths if not is_stream(path)} - self._cleared:
            remove_leftovers(folder)
            self._cleared.add(folder)
        if self._tell is not None and self.replaced[known:]:
            self._tell(_told(self.replaced[known:]))

    def _check(self, path: Path) -> None:
        place = place_of(path)
        if place not in self._pages:
            refuse_study(path)
        if is_stream(path):
            return
        if self._reads(place):
            raise InputError(path, "is read by this command", "choose another name for the result")
        if place.is_dir():
            raise InputError(path, "is a folder", "give the name of a file")
        _check_name(path, place, self._texts)
        _check_permission(path, place)
        if not place.exists():
            return
        if not self._overwrite and not is_own(place):
            problem = "exists already, and was not written by this program or was edited since"
            raise InputError(
                path, problem, "choose another name, or replace it with --overwrite", in_panel="choose another name"
            )
        if path not in self._replaced:
            self._replaced.add(path)
            self.replaced.append(path)

    def _reads(self, place: Path) -> bool:
        """Whether a file is an input, or an image in a folder that is."""
        in_folder = suffix_of(place) != "" and str(place.parent) in self._inputs
        return str(place) in self._inputs or (in_folder and place.exists())

    @contextmanager
    def written(self, *paths: Path) -> Iterator[list[Path]]:
        """Give for each of `paths` one of the same name, all in one folder; at the end they take their places together.

        Links stay links, streams are streamed to, and a file that is replaced keeps its permissions. With an error,
        nothing is replaced. A file that was not written leaves its place as it is.

        Raises:
            InputError: as for `claim`, and no room to write.
        """
        self.claim(*paths)
        beside = next((Path(os.path.realpath(path.parent)) for path in paths if not is_stream(path)), None)
        with ExitStack() as stack:
            staging = stack.enter_context(_temporary_folder(beside))
            yield [staging / path.name for path in paths]
            made = [(staging / path.name, path) for path in paths if (staging / path.name).exists()]
            moves = []
            for temporary, path in made:
                if is_stream(path):
                    continue
                self._check(path)  # somebody may have written there meanwhile
                place = place_of(path)
                if place.parent != beside:  # a link, perhaps to another disk
                    other = stack.enter_context(_temporary_folder(place.parent)) / place.name
                    with writing(path):
                        temporary = Path(shutil.copyfile(temporary, other))
                _keep_access(temporary, place)
                _remember(place, sha256_of(temporary))
                moves.append((temporary, place))
            for temporary, place in moves:
                with writing(place):
                    replace_file(temporary, place)
            for folder in {place.parent for _, place in moves}:
                sync_folder(folder)
            for temporary, path in made:
                if is_stream(path):
                    _stream(temporary, path)

    def remove(self, path: Path) -> None:
        """Remove an earlier result that does not belong to those which are written now. Raises as `claim` does."""
        if place_of(path).exists():
            self._check(path)
            with writing(path):
                remove_file(place_of(path))


def is_own(place: Path) -> bool:
    """Whether this program has written a file and nobody has changed it since."""
    return sha256_of(place) in _checksums(place)


def was_own(place: Path) -> bool:
    """Whether this program has once written a file of this place, perhaps edited since."""
    return bool(_checksums(place))


def refuse_study(path: Path) -> None:
    """Raise `InputError` when a path is inside a study, or leads there by links."""
    for start in (Path(os.path.abspath(path)), place_of(path)):
        for folder in (start, *start.parents):
            if (folder / MANIFEST_NAME).exists():
                raise InputError(path, f"is inside the study {folder}", "write results to a folder outside of studies")


def place_of(path: Path) -> Path:
    """Where a file really is: links are followed."""
    return Path(os.path.realpath(path))


def is_stream(path: Path) -> bool:
    """Whether what is written goes to a device, a pipe or standard output, not into a file."""
    for _ in range(40):  # as many links as the system follows
        if os.path.abspath(path).startswith(_STREAMS):
            return True
        if not path.is_symlink():
            break
        path = path.parent / os.readlink(path)
    return path.exists() and not path.is_file() and not path.is_dir()


def remove_leftovers(folder: Path) -> None:
    """Remove what killed commands have left in a folder; what belongs to a running one stays."""
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if _STAGING.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False) and _is_dead(Path(entry.path)):
                remove_tree(Path(entry.path), ignore_errors=True)


def _is_dead(staging: Path) -> bool:
    try:
        return was_left(staging / LOCK_NAME)
    except FileNotFoundError:
        return time.time() - staging.stat().st_mtime > SECONDS_TO_LOCK
    except InputError:  # not our lock
        return False


def _check_name(path: Path, place: Path, is_text: bool) -> None:
    if place.name == MANIFEST_NAME:
        raise InputError(path, "is a name that makes its folder a study", "choose another name for the result")
    if is_text and (suffix_of(place) or place.name.endswith(_NOT_OF_TEXTS)):
        problem = "is the name of an image, a model or a record of measurements, and the result is none"
        raise InputError(path, problem, "choose another name, such as volumes.csv or report.html")


def _check_permission(path: Path, place: Path) -> None:
    folder = next(parent for parent in place.parents if parent.exists())
    if not folder.is_dir():
        raise InputError(path, f"cannot be written, as {folder} is a file", "choose another folder")
    if not os.access(folder, os.W_OK | os.X_OK) or (place.exists() and not os.access(place, os.W_OK)):
        raise InputError(path, "no permission to write here", "choose another folder or ask for write permission")


@contextmanager
def _temporary_folder(beside: Path | None) -> Iterator[Path]:
    """A private folder on the disk of the results, removed at the end; for streams anywhere."""
    if beside is None:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    staging = beside / f".uslabelseg-{secrets.token_hex(8)}"
    with writing(beside):
        beside.mkdir(parents=True, exist_ok=True)
        staging.mkdir(mode=0o700)
    try:
        with StudyLock(staging / LOCK_NAME, beside):
            yield staging
    finally:
        remove_tree(staging, ignore_errors=True)


def _keep_access(temporary: Path, place: Path) -> None:
    """Give a new file the permissions, and where this is allowed the owner, of the one that it replaces."""
    if not place.exists():
        return
    old = place.stat()
    if hasattr(os, "chown"):
        with suppress(PermissionError):
            os.chown(temporary, old.st_uid, old.st_gid)
    os.chmod(temporary, stat.S_IMODE(old.st_mode))


def _stream(temporary: Path, path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        with temporary.open("rb") as file:
            while part := file.read(1 << 20):
                rest = memoryview(part)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)


def _checksums(place: Path) -> list[str]:
    """The checksums of all that was ever written to a place."""
    try:
        return _memory_of(place).read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return []


def _remember(place: Path, checksum: str) -> None:
    """Add a checksum before the file takes its place: killed in between, the old and the new file are both known.

    Where the user's files cannot be written nothing is remembered, and the result needs --overwrite to be replaced.
    """
    if checksum in _checksums(place):
        return
    memory = _memory_of(place)
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(memory, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, f"\n{checksum}\n".encode())  # the first newline ends a line that a full disk has cut
        finally:
            os.close(descriptor)


def _memory_of(place: Path) -> Path:
    """Where the checksums of a place are, without telling its name: names of results are names of cases."""
    return user_folder() / "results" / hashlib.sha256(os.fsencode(place)).hexdigest()[:32]


def _told(replaced: Sequence[Path]) -> str:
    """One line on what is replaced."""
    if len(replaced) == 1:
        return f"Replacing {replaced[0]}."
    return f"Replacing {len(replaced)} files in {', '.join(dict.fromkeys(str(path.parent) for path in replaced))}."
