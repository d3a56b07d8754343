"""Batches: a fault of one file is told, and the other files are done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ..errors import Cancelled, InputError

T = TypeVar("T")


def attempted(make: Callable[[], T]) -> Callable[[], T]:
    """Call `make` now; the returned function gives its result, or raises its error, when the file's turn comes."""
    try:
        made = make()
    except Exception as error:
        failed = error

        def fail() -> T:
            raise failed

        return fail
    return lambda: made


class Failures:
    """What failed in a batch of files.

    Args:
        tell: receives the sentence on each file that failed; without it the first error ends the batch.
        log: receives each unexpected error (a fault of this program, too little memory) to keep its traceback.

    Attributes:
        of: how many files there are; the error of a single one ends the batch, too.
        failed: the files that failed, in their order.
        last_failed: whether the last file failed.
    """

    def __init__(
        self,
        tell: Callable[[str], object] | None = None,
        log: Callable[[Exception], object] = lambda error: None,
    ) -> None:
        self.of = 1
        self.failed: list[Path] = []
        self.last_failed = False
        self._tell = tell or (lambda sentence: None)
        self._log = log
        self._strict = tell is None
        self._alike: list[tuple[Path, Exception]] = []  # as long as there was nothing else
        self._something_else = False

    @property
    def all(self) -> bool:
        """Whether no file is left."""
        return len(self.failed) >= self.of

    @contextmanager
    def of_one(self, file: Path) -> Iterator[None]:
        """Take up what is wrong with one file; a request to stop passes, and so does the error of a single file."""
        self.last_failed = False
        try:
            yield
        except Cancelled:
            raise
        except Exception as error:  # whatever it is, the next file is done
            if self._strict or self.of == 1:
                if isinstance(error, InputError) and file.name not in str(error):
                    raise _about(file, error) from error
                raise
            self.last_failed = True
            self.failed.append(file)
            if not self._something_else and all(_said(file, error) == _said(*other) for other in self._alike):
                self._alike.append((file, error))  # perhaps all files fail alike: then it is no matter of one file
                return
            self._flush()
            self._take(file, error)
        else:
            self._flush()

    def end(self) -> None:
        """Called after the last file. Raises the first error if all files failed alike."""
        if self._alike and len(self._alike) == self.of:
            error = self._alike[0][1]
            if isinstance(error, InputError):
                raise InputError(f"{error.subject} and {self.of - 1} more", error.problem, error.remedy)
            raise error
        self._flush()

    def _flush(self) -> None:
        self._something_else = True
        for file, error in self._alike:
            self._take(file, error)
        self._alike.clear()

    def _take(self, file: Path, error: Exception) -> None:
        if not isinstance(error, InputError):
            self._log(error)
        self._tell(sentence_on(file, error))


def _said(file: Path, error: Exception) -> str:
    """What an error says but for the file that it is about."""
    words = f"{error.problem}; {error.remedy}" if isinstance(error, InputError) else f"{type(error)}{error}"
    return words.replace(str(file), "").replace(file.name, "").replace(file.stem, "")


def _about(file: Path, error: InputError) -> InputError:
    """The same of an error that names its file not at all, or only the case in it."""
    subject = file if file.name.startswith(str(error.subject)) else f"{file}: {error.subject}"
    return InputError(subject, error.problem, error.remedy)


def sentence_on(file: Path, error: Exception) -> str:
    """What went wrong with a file, in one sentence that names it."""
    if isinstance(error, InputError):
        return str(error if file.name in str(error) else _about(file, error))
    if isinstance(error, MemoryError) or "out of memory" in str(error) or "can't allocate memory" in str(error):
        return str(InputError(file, "does not fit into memory", "crop the image or close other programs"))
    if isinstance(error, OSError):
        return str(InputError(file, f"failed ({error.strerror or error})", "check the path and its permissions"))
    reason = f"{type(error).__name__}: {error}".partition("\n")[0].rstrip(".")
    return str(InputError(file, f"made this program fail ({reason})", "report it with the log"))
