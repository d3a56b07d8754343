"""Messages that ITK's libraries print while they decode."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2
_stderr_lock = threading.Lock()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep ITK's libraries from printing to the error stream: what matters comes as an exception."""
    # One at a time: a second redirection would take the first one's for the real error stream.
    with _stderr_lock, open(os.devnull, "wb") as nowhere:
        try:
            stderr = os.dup(_STDERR)
        except OSError:  # a windowed program without an error stream
            yield
            return
        try:
            os.dup2(nowhere.fileno(), _STDERR)
            yield
        finally:
            os.dup2(stderr, _STDERR)
            os.close(stderr)
