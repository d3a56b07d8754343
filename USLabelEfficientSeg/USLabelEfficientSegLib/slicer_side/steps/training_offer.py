"""What a training of the open study would do with the chosen settings: begin, go on, or be repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from ...errors import InputError
from ...text.assignments import name_and_value
from ..session.study_session import StudySession

if TYPE_CHECKING:
    from ...study.training_time import Continued
    from ..panel import Panel


class TrainingOffer:
    """What the button offers; brought up to date by `look`.

    Args:
        panel: gives access to the study and the chosen settings.

    Attributes:
        text: what the button says.
        how: a sentence on whether training would continue from the current model.
        done: a sentence for a study that is trained, and in which nothing has changed since; else empty.
        continued: what of the current model it would continue from.
        why_not: why it cannot be started now, None when it can.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self.why_not: str | None = None
        self.forget()

    def forget(self) -> None:
        """Nothing is known of a model to continue from."""
        self.text, self.how, self.done = _("Train"), "", ""
        self.continued: Continued | None = None

    def look(self, running: bool) -> None:
        """Find out whether training would begin, go on or be repeated, and what stands in its way.

        Args:
            running: what was offered is being done.
        """
        session, anew = self._panel.session, self._panel.parameters.anew
        if running:
            self.why_not = self._panel.why_busy()
            return
        self.forget()
        self.why_not = self._panel.why_no_study()
        if session is None:
            return
        try:
            trained, news = session.trained(), session.training.news()
            same = not trained or self.same_settings(session)
            self.how = self._how(session, news, anew) if trained and same else ""
        except InputError as error:
            self.why_not = str(error)
            return
        if trained and same:
            self.text = {
                "labels": _("Train with the new labels"),
                "volumes": _("Train with the new images") if session.isPlanar else _("Train with the new volumes"),
            }.get(news, _("Resume training"))  # fmt: skip
        if trained == "fully" and same and not news:
            self.text = _("Train anew") if anew else _("Train")
            if not anew:
                self.why_not = _("The study is trained, and nothing has changed since. Label more to improve it.")
                self.done = self.why_not
        if not any(case.labels for case in session.study.cases):
            self.why_not = _("Label a slice in step 2 first.")
        self.why_not = self._panel.why_busy() or self.why_not

    def _how(self, session: StudySession, news: str, anew: bool) -> str:
        """Whether training would continue from the current model."""
        if session.training.continues() and not anew:
            if session.trained() == "fully" and not news:
                return ""
            self.continued = "all students" if session.training.has_supervised_students() else "distilled students"
            return _("Training continues from the current model.")
        if (news or anew) and session.isPlanar:
            return _("Training starts anew from your labels.")
        if news or anew:
            return _("Training starts anew from your labels; what was learnt without labels is kept.")
        return _("Training was stopped before its end; resuming goes on from there.")

    def changes(self) -> dict[str, Any]:
        """The time that training may take, if it is given, and the expert settings, by name.

        Raises:
            InputError: not of the form NAME=VALUE.
        """
        minutes = int(self._panel.parameters.minutes)
        found: dict[str, Any] = {"minutes": minutes} if minutes else {}
        for pair in self._panel.parameters.changes.split():
            try:
                name, value = name_and_value(pair)
            except ValueError:
                problem = f'"{pair}" is not of the form NAME=VALUE'
                raise InputError(_("Expert settings"), problem, "correct it") from None
            found[name] = value
        return found

    def same_settings(self, session: StudySession) -> bool:
        """Whether what is trained so far goes with the chosen settings.

        Raises:
            InputError: as `changes` does, or the record of the training is damaged.
        """
        parameters = self._panel.parameters
        method = session.method(parameters.method.value)
        return session.training.made_with(parameters.preset.value, method, self.changes())
