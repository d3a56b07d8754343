"""The organs of the volume that is being labelled, shown while the user paints, and slices that begin with them.

What is drawn in a slice that is not kept yet counts, too: see `annotation.strokes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from slicer.i18n import tr as _

from ...annotation.sparse_labels import LabelledSlice
from ...errors import InputError
from ...text.numbers import VolumeUnit, volume_unit
from ..nodes.outline_nodes import removeOutlines, showOutline
from ..processes.job_runner import JobRunner
from ..processes.jobs import Job
from ..section import reported, tell
from ..session.known_organs import KnownOrgans, Source, Strokes, known_organs, source_of
from ..session.slice_suggestions import SuggestedSlice
from ..session.study_session import StudySession
from .next_in_volume import NextInVolume
from .slice_work import Place, SliceWork
from .timers import single_shot

if TYPE_CHECKING:
    from ...imaging.scan import LabelMap
    from ..panel import Panel

_MILLISECONDS = 10  # between looks at the worker: it answers within 300


@dataclass(frozen=True)
class _Wish:
    """What is to be known of a volume, the slice that is to begin with it, and what is drawn beside labelled slices."""

    session: StudySession
    case: str
    place: Place | None
    strokes: Strokes = field(default_factory=dict)


class LiveOutline:
    """Asks the study's resident worker after each change of labels; the newest request replaces the one before.

    Args:
        panel: of the section.
        work: takes the slices that begin with an answer.
        begun: called when a slice was begun, with where its outline comes from.
        following: offers the slice of the volume to draw next.
    """

    def __init__(
        self,
        panel: Panel,
        work: SliceWork,
        begun: Callable[[Place, Source], None],
        following: NextInVolume,
    ) -> None:
        self._panel, self._work, self._begun = panel, work, begun
        self._following = following
        self._wish: _Wish | None = None
        self._before: LabelMap | None = None  # the outline of the wish's volume before the latest strokes
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
            and bool(session.labels.of(case).items())
        )

    def is_known(self, place: Place) -> bool:
        """Whether the organs of a volume are known by more than what is drawn in this slice of it."""
        session = self._panel.session
        if session is None or not self._panel.ui.outlineCheckBox.checked:
            return False
        here, wish = LabelledSlice(place.axis, place.index), self._wish
        drawn = self._unkept(session) if wish is not None and wish.case == place.case else {}
        others = {one: told for one, told in drawn.items() if one != here}
        return source_of(session, place.case, others) is not None

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
        self._wish = _Wish(session, case, begin, self._unkept(session))
        self._soon.start()

    def leave_slices_alone(self) -> None:
        """Something was drawn: no slice is begun with an answer that is on its way."""
        if self._wish is not None:
            self._wish = replace(self._wish, place=None)

    def ask_drawn(self, place: Place) -> None:
        """Show what is known of a volume now that something was drawn in a slice, kept or not."""
        session = self._panel.session
        if session is None:
            return
        former, here = self._unkept(session), LabelledSlice(place.axis, place.index)
        try:
            drawn = self._work.strokes(session, place, self._expected(place))
        except InputError as error:
            self._fail(str(error))
            return
        strokes = {one: told for one, told in former.items() if one != here} | ({} if drawn is None else {here: drawn})
        had = self._wish is not None and bool(self._wish.strokes)
        if strokes or had or session.labels.isLabelled(place.case, place.axis, place.index):
            self.ask(place.case)
            if self._wish is not None:
                self._wish = replace(self._wish, strokes=strokes)

    def _unkept(self, session: StudySession) -> Strokes:
        """What was drawn in slices of the wish's volume that are not kept."""
        wish = self._wish
        if wish is None or wish.session is not session:
            return {}
        places = {one: Place(wish.case, one.axis, one.index) for one in wish.strokes}
        return {one: wish.strokes[one] for one, place in places.items() if self._work.is_drawn(session, place)}

    def refresh(self) -> None:
        """Nothing is shown of a volume that is gone, or of a study that was left."""
        self._following.refresh()
        wish = self._wish
        if wish is not None and (self._panel.session is not wish.session or not wish.session.holds(wish.case)):
            self.forget()

    def forget(self) -> None:
        """Show nothing, and ask for nothing."""
        self._soon.stop()
        self._wish = self._before = None
        self._runner.stop()
        removeOutlines()
        self.tell("")

    def tell(self, sentence: str) -> None:
        """Show a sentence, if there is one, and suggest no slice."""
        self._following.suggest(None)
        tell(self._panel.ui.outlineLabel, sentence)
        self._panel.ui.outlineLabel.visible = bool(sentence)

    def _ask(self) -> None:
        self._runner.stop()
        self.refresh()
        wish = self._wish
        missing = self._panel.environment.missing
        if wish is None or missing:
            self.forget()
            return
        source = source_of(wish.session, wish.case, wish.strokes)
        if source is None:
            self.forget()
            return
        place = None if wish.place is None else (wish.place.axis, wish.place.index)
        steps = partial(
            known_organs, session=wish.session, case=wish.case, source=source, place=place, strokes=wish.strokes
        )
        self._runner.start(Job(_("Outline"), steps, "outline"), partial(self._ended, source))

    def _ended(self, source: Source, job: Job) -> None:
        self.refresh()
        wish = self._wish
        if wish is None or job.state == "cancelled":
            return
        if job.state == "failed":
            self._fail(job.sentence)
            return
        known: KnownOrgans = job.result
        session = wish.session
        if not wish.strokes:
            self._before = known.labels
        showOutline(session.node(wish.case), known.labels, session.organs())
        self.tell(_sentence(known, source, len(session.labels.of(wish.case).items()), bool(wish.strokes)))
        if known.next_slice is not None:
            axis, index = known.next_slice
            reason = _("of this volume it tells most now")
            self._following.suggest(SuggestedSlice(wish.case, axis, index, reason))
        if wish.place is not None and known.slice is not None:
            with reported(self._panel.ui.labelsStatus):
                if self._work.begin_with(session, wish.place, known.slice):
                    self._begun(wish.place, source)

    def _expected(self, place: Place) -> NDArray[np.uint8] | None:
        """The labels of a slice in the outline before the latest strokes, on its coarse grid."""
        if self._before is None or self._wish is None or self._wish.case != place.case:
            return None
        voxels, shape = self._before.voxels, self._wish.session.node(place.case).GetImageData().GetDimensions()
        return voxels.take(place.index * voxels.shape[place.axis] // shape[place.axis], axis=place.axis)

    def _fail(self, sentence: str) -> None:
        removeOutlines()
        self.tell(_("No outline while you paint: {sentence}").format(sentence=sentence))


def _sentence(known: KnownOrgans, source: Source, slices: int, strokes: bool) -> str:
    unit = volume_unit(known.volumes_ml.values())
    intervals = known.intervals_ml
    organs = ", ".join(_volume(organ, ml, unit, intervals.get(organ)) for organ, ml in known.volumes_ml.items())
    known_by = [_("the model")] if source == "model" else []
    if slices:
        known_by.append(_("1 labelled slice") if slices == 1 else _("{count} labelled slices").format(count=slices))
    if strokes:
        known_by.append(_("what you have drawn and not kept"))
    *first, last = known_by
    told = _("{some} and {last}").format(some=", ".join(first), last=last) if first else last
    if source == "model":
        text = _("While you paint, about: {organs} (light line, by {told}).")
    else:
        text = _("While you paint, about: {organs} (light line, from {told}).")
    return text.format(organs=organs, told=told)


def _volume(organ: str, ml: float, unit: VolumeUnit, interval: tuple[float, float] | None) -> str:
    text = f"{organ} {unit.text(ml)} {unit.name}"
    return text if interval is None else f"{text} [{unit.interval(interval)}]"
