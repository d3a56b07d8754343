"""What networks need is imported beside the first requests: it takes seconds, and these need none."""

from __future__ import annotations

import importlib
import os
import threading
import traceback

_MODULES = ("measurement.segmenting", "segmentation.inference", "segmentation.loading", "prompting.outline")
_LATE = "torch._dynamo"  # torch imports it with the first optimizer, which may be in a request that is stopped


class Networks:
    """Imports torch and all that uses it in a thread of its own, for an interrupted import leaves torch broken."""

    def __init__(self) -> None:
        self._loaded = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._load, daemon=True)

    @property
    def loaded(self) -> bool:
        """Whether they are there."""
        return self._loaded.is_set() and self._error is None

    def start(self) -> None:
        """Begin, unless that was done before. Until the end everything else is slower."""
        if self._thread.ident is None:
            self._thread.start()

    def wait(self) -> None:
        """Return when they are there. Raises what importing them raised."""
        self.start()
        while not self._loaded.wait(0.05):  # with a time, so that a signal is heard on every system
            continue
        if self._error is not None:
            raise self._error

    def _load(self) -> None:
        package = __name__.split(".")[0]
        try:
            for module in _MODULES:
                importlib.import_module(f"{package}.{module}")
            importlib.import_module(_LATE)
        except ImportError as error:  # a package is missing or damaged, which a request can tell
            self._error = error
        except BaseException:  # half imported, it stays broken for as long as the process lives; another one is started
            traceback.print_exc()
            os._exit(1)
        self._loaded.set()
