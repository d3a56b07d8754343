"""Faults of a file, as one sentence that names it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the system's error while reading a file into one sentence that names the file."""
    try:
        with about(path):
            yield
    except OSError as error:
        problem = f"cannot be read ({reason_of(error)})"
        raise InputError(path, problem, "check the path and its permissions") from None
    except MemoryError:
        raise InputError(path, "does not fit into memory", "crop the image or close other programs") from None


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Let an error of the voxels or the geometry name the file; an error that names a file passes unchanged."""
    try:
        yield
    except InputError as error:
        if isinstance(error.subject, Path):
            raise
        raise InputError(path, error.problem, error.remedy) from None


def reason_of(error: OSError) -> str:
    """What the system says, as part of a sentence."""
    return (error.strerror or str(error)).lower()
