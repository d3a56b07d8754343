"""How long a training of the open study would take, in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ...study.coverage import labelled_axes, labelled_counts, volumes_with_organs
from ...study.training_time import Continued, seconds_on_processor
from ...text.durations import duration
from ..remembered import Remembered

if TYPE_CHECKING:
    from ..panel import Panel


class TrainingEstimate:
    """Looks at the labels again only when the study has changed.

    Args:
        panel: gives access to the study and the chosen settings.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._remembered = Remembered()

    def text(self, continued: Continued | None, elsewhere: bool) -> str:
        """How long training takes, as far as it was measured.

        Args:
            continued: what of the current model it continues from.
            elsewhere: another computer trains.
        """
        parameters, session = self._panel.parameters, self._panel.session
        if parameters.minutes:
            limit = duration(60 * parameters.minutes)
            return _("At most about {time}: this computer is measured first.").format(time=limit)
        if session is not None and session.isPlanar:
            return _("How long it takes shows in the first seconds: it depends on the steps, not on the images.")
        if elsewhere:
            return _("How long it takes there shows while it runs.")
        volumes, slices, labelled = self._amounts()
        estimate = seconds_on_processor(parameters.preset.value, volumes, slices, continued, **labelled)
        if estimate is None:
            return _("This preset is meant for a graphics card; a processor would take days (not measured).")
        if estimate.most > estimate.least:
            return _("Takes about {least}, or {most} if organs must be found by their place.").format(
                least=duration(estimate.least), most=duration(estimate.most)
            )
        return _("Takes about {time} on an ordinary computer.").format(time=duration(estimate.least))

    def _amounts(self) -> tuple[int, int, dict[str, int]]:
        """Volumes, labelled slices, and what else of the labels tells how long training takes."""
        session, settings = self._panel.session, self._panel.parameters.parameterNode
        if session is None:
            ticked = self._panel.scene.once_of_volumes("to train", self._ticked, settings, settings.GetMTime())
            return max(ticked, 1), 0, {}
        study = session.study

        def find() -> tuple[int, int, dict[str, int]]:
            slices = labelled_counts(study)[1]
            axes, showing = len(labelled_axes(study)), volumes_with_organs(study)
            return len(study.cases), slices, {"axes": axes, "labelled_volumes": showing} if slices else {}

        return self._remembered.once("amounts", find, study.created, study.cases)

    def _ticked(self) -> int:
        return sum(node is not None for node in self._panel.parameters.volumes)
