"""The panel's four steps: each from a .ui file of its own, and each open when the one before is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import slicer

STEPS = ("Data", "Label", "Train", "Results")  # in order; Resources/UI holds a .ui file for each

Widget = Any


def load_steps(frame: Widget, resource_path: Callable[[str], str]) -> Any:
    """Load the steps into the panel's frame.

    Args:
        frame: the widget of the module's own .ui file, which holds the layout of `stepsContainer`.
        resource_path: finds a file of the module's resources.

    Returns:
        The widgets of frame and steps by their names, to be bound to a parameter node with `connectGui`.
    """
    layout = slicer.util.childWidgetVariables(frame).stepsContainer.layout()
    for name in STEPS:
        step = slicer.util.loadUI(resource_path(f"UI/{name}.ui"))
        layout.addWidget(step)
        step.setMRMLScene(slicer.mrmlScene)
    return slicer.util.childWidgetVariables(frame)


@dataclass(frozen=True)
class Step:
    """A step of the panel.

    Args:
        button: the collapsible button around its widgets.
        done: whether the user has what the next step needs.
    """

    button: Widget
    done: Callable[[], bool]


class StepByStep:
    """Opens a step at the moment when the one before is done, and the last one also when it has something to show.

    Whatever the user opens or folds stays so.

    Args:
        steps: in their order; the first is open before anything is done.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._done = [False] * len(steps)

    def refresh(self) -> None:
        """Open what has become possible, and fold what is not possible any more."""
        was, self._done = self._done, [step.done() for step in self._steps]
        for number, (before, now) in enumerate(zip(was[:-1], self._done[:-1], strict=True)):
            if now != before:
                self._steps[number + 1].button.collapsed = not now
        if self._done[-1] and not was[-1]:  # such as a scene with results whose study is elsewhere
            self._steps[-1].button.collapsed = False
        if self._done[0] != was[0]:  # the first step is done for good: it gives its place to the others
            self._steps[0].button.collapsed = self._done[0]
