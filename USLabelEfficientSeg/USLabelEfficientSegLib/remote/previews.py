"""The live preview of a training on another computer: the wish goes there, the latest preview comes back."""

from __future__ import annotations

from contextlib import suppress

from ..disk.files import atomic_write_bytes
from ..errors import InputError
from ..study.study import Study
from ..study.watching import PREVIEW, WATCHED
from .place import Place


class Previews:
    """What somebody watches here, as far as it is told there. A preview that fails ends no training.

    Args:
        study: here.
        place: of its copy there.
    """

    def __init__(self, study: Study, place: Place) -> None:
        self._study, self._place = study, place
        self._asked: bytes | None = b""
        self._brought: object = None

    def ask(self) -> None:
        """Tell there which volume is watched here, if that has changed."""
        wish = self._wish()
        if wish != self._asked:
            with suppress(InputError, OSError):
                self._place.write(WATCHED, wish)
                self._asked = wish

    def bring(self) -> None:
        """Bring the latest preview, if there is another one and somebody watches."""
        if not self._wish():
            return
        with suppress(InputError, OSError):
            stamp = self._place.stamp(PREVIEW)
            if stamp is not None and stamp != self._brought:
                atomic_write_bytes(self._study.folder / PREVIEW, self._place.read(PREVIEW))
                self._brought = stamp

    def _wish(self) -> bytes:
        try:
            return (self._study.folder / WATCHED).read_bytes()
        except OSError:
            return b""
