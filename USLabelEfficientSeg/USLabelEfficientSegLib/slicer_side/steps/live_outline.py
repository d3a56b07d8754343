"""The organs of the volume that is being labelled, shown while the user paints, and slices that begin with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ...text.numbers import VolumeUnit, volume_unit
from ..nodes.outline_nodes import removeOutlines, showOutline
from ..processes.jobs import Job, JobRunner
from ..section import reported, tell
from ..session.known_organs import KnownOrgans, Source, known_organs, source_of
from ..session.study_session import StudySession
from .slice_work import Place, SliceWork
from .timers import single_shot

if TYPE_CHECKING:
    from ..panel import Panel

_MILLISECONDS = 10  # between looks at the worker: it answers within 300


@dataclass(frozen=True)
class _Wish:
    """What is to be known of a volume, and the slice that is to begin with it."""

    session: StudySession
    case: str
    place: Place | None


class LiveOutline:
    """Asks the study's resident worker after each change of labels; the newest request replaces the one before.

    Args:
        panel: of the section.
        work: takes the slices that begin with an answer.
        begun: called when a slice was begun, with where its outline comes from.
    """

    def __init__(self, panel: Panel, work: SliceWork, begun: Callable[[Place, Source], None]) -> None:
        self._panel, self._work, self._begun = panel, work, begun
        self._wish: _Wish | None = None
        self._runner = JobRunner(_MILLISECONDS)
        self._soon = single_shot(0, self._ask)  # the last wish of several at once
        self.tell("")

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way."""
        return bool(self._soon.active) or self._runner.busy

    def is_corrected(self, case: str) -> bool:
        """Whether the outline of a volume is the model's, corrected by labelled slices."""
        session = self._panel.session
        return (
            session is not None
            and self._panel.ui.outlineCheckBox.checked
            and source_of(session, case) == "model"
            and bool(session.labelling(case).items())
        )

    def ask(self, case: str, begin: Place | None = None) -> None:
        """Show what is known of a volume now.

        Args:
            case: its name.
            begin: a slice of it that is to begin with that, unless the user draws there first.
        """
        session = self._panel.session
        if session is None or not self._panel.ui.outlineCheckBox.checked:
            return
        if self._wish is not None and self._wish.case != case:
            self.forget()
        self._wish = _Wish(session, case, begin)
        self._soon.start()

    def leave_slices_alone(self) -> None:
        """The user has drawn: no slice is begun with an answer that is on its way."""
        if self._wish is not None:
            self._wish = replace(self._wish, place=None)

    def refresh(self) -> None:
        """Nothing is shown of a volume that is gone, or of a study that was left."""
        wish = self._wish
        if wish is not None and (self._panel.session is not wish.session or not wish.session.holds(wish.case)):
            self.forget()

    def forget(self) -> None:
        """Show nothing, and ask for nothing."""
        self._soon.stop()
        self._wish = None
        self._runner.stop()
        removeOutlines()
        self.tell("")

    def tell(self, sentence: str) -> None:
        """Show a sentence, if there is one."""
        tell(self._panel.ui.outlineLabel, sentence)
        self._panel.ui.outlineLabel.visible = bool(sentence)

    def _ask(self) -> None:
        self._runner.stop()
        self.refresh()
        wish = self._wish
        missing = self._panel.environment.missing
        source = None if wish is None or missing else source_of(wish.session, wish.case)
        if wish is None or source is None:
            self.forget()
            return
        place = None if wish.place is None else (wish.place.axis, wish.place.index)
        steps = partial(known_organs, session=wish.session, case=wish.case, source=source, place=place)
        self._runner.start(Job(_("Outline"), steps, "outline"), partial(self._ended, source))

    def _ended(self, source: Source, job: Job) -> None:
        self.refresh()
        wish = self._wish
        if wish is None or job.state == "cancelled":
            return
        if job.state == "failed":
            removeOutlines()
            self.tell(_("No outline while you paint: {sentence}").format(sentence=job.sentence))
            return
        known: KnownOrgans = job.result
        session = wish.session
        showOutline(session.node(wish.case), known.labels, session.organs())
        self.tell(_sentence(known, source, len(session.labelling(wish.case).items())))
        if wish.place is not None and known.slice is not None:
            with reported(self._panel.ui.labelsStatus):
                if self._work.begin_with(session, wish.place, known.slice):
                    self._begun(wish.place, source)


def _sentence(known: KnownOrgans, source: Source, slices: int) -> str:
    unit = volume_unit(known.volumes_ml.values())
    intervals = known.intervals_ml
    organs = ", ".join(_volume(organ, ml, unit, intervals.get(organ)) for organ, ml in known.volumes_ml.items())
    if source == "labels" and slices != 1:
        text = _("While you paint, about: {organs} (light line, from {count} labelled slices).")
    elif source == "labels":
        text = _("While you paint, about: {organs} (light line, from 1 labelled slice).")
    elif slices == 0:
        text = _("While you paint, about: {organs} (light line, by the model).")
    elif slices == 1:
        text = _("While you paint, about: {organs} (light line, by the model and 1 labelled slice).")
    else:
        text = _("While you paint, about: {organs} (light line, by the model and {count} labelled slices).")
    return text.format(organs=organs, count=slices)


def _volume(organ: str, ml: float, unit: VolumeUnit, interval: tuple[float, float] | None) -> str:
    text = f"{organ} {unit.text(ml)} {unit.name}"
    return text if interval is None else f"{text} [{unit.interval(interval)}]"
