"""Actions that wait for a moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt


def single_shot(milliseconds: int, action: Callable[[], None]) -> Any:
    """A timer that calls `action` so long after it was started last."""
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.connect("timeout()", action)
    return timer
