"""What is known of the training of a study: its settings, what is new since, and what it would continue from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from ...disk.identity import identity_of
from ...disk.study_layout import EARLIER_MODEL_NAME, MODEL_NAME, RUN_RECORD_NAME
from ...errors import InputError

if TYPE_CHECKING:
    from ...segmentation.model_header import Voters
    from ...study.settings import Settings
    from ...study.study import Study

News = Literal["volumes", "labels", ""]
T = TypeVar("T")
_FILES = (RUN_RECORD_NAME, MODEL_NAME, EARLIER_MODEL_NAME)


class TrainingRecord:
    """Reads the record of a study's training, and the models; again only after the study or a file has changed.

    Args:
        study: gives the study as it is now.
    """

    def __init__(self, study: Callable[[], Study]) -> None:
        self._now = study
        self._stamp: tuple[Any, ...] = ()
        self._known: dict[Any, Any] = {}

    def made_with(self, preset: str, method: str, changes: Mapping[str, Any]) -> bool:
        """Whether what is trained so far goes with these settings and with volumes of the study.

        Args:
            preset: its name.
            method: that trains this study.
            changes: single settings by name.

        Raises:
            InputError: the record is damaged, or there are no such settings.
        """
        settings = self._settings()
        if settings is None:
            return True
        wanted = self._once(("wanted", preset, method, repr(changes)), lambda: _wanted(preset, method, changes))
        return self._of_these_volumes() and settings == wanted

    def news(self) -> News:
        """What is new since the last training was started. Raises `InputError` when its record is damaged."""
        return self._once("news", lambda: _news(self._now()))

    def continues(self) -> bool:
        """Whether there are students for training with news to continue from, or training continues from some already.

        Those in a damaged file count: training will tell what is wrong. The networks of images always learn on.
        """
        if self._now().is_planar:
            return self._latest_model().exists()
        try:
            voters = self._voters()
        except InputError:
            return True
        return voters is not None and voters.students > 0

    def has_supervised_students(self) -> bool:
        """Whether the model that training continues from has supervised students.

        Raises:
            InputError: it is damaged.
        """
        voters = self._voters()
        return voters is not None and voters.supervised

    def _settings(self) -> Settings | None:
        from ...study.provenance import read_settings

        return self._once("settings", lambda: read_settings(self._now()))

    def _of_these_volumes(self) -> bool:
        from ...study.provenance import images_added, same_images

        study = self._now()
        return self._once("volumes", lambda: same_images(study) or images_added(study))

    def _voters(self) -> Voters | None:
        """Who votes in the model that training continues from; None if there is none."""
        from ...segmentation.model_header import read_voters

        path = self._latest_model()
        return self._once("voters", lambda: read_voters(path) if path.exists() else None)

    def _latest_model(self) -> Path:
        """The model, or the one that a training has set aside to continue from."""
        folder = self._now().run_folder
        model = folder / MODEL_NAME
        return model if model.exists() else folder / EARLIER_MODEL_NAME

    def _once(self, what: Any, find: Callable[[], T]) -> T:
        """What was found before, if neither the study nor a file of its training has changed since."""
        study = self._now()
        stamp = (study.folder, study.cases, *(identity_of(study.run_folder / name) for name in _FILES))
        if stamp != self._stamp:
            self._known = {}
        self._stamp = stamp  # the newest: comparing an object with itself takes no time
        if what not in self._known:
            self._known[what] = find()
        return cast("T", self._known[what])


def _news(study: Study) -> News:
    from ...study.provenance import images_added, labels_changed

    if images_added(study):
        return "volumes"
    return "labels" if labels_changed(study) else ""


def _wanted(preset: str, method: str, changes: Mapping[str, Any]) -> Settings:
    from ...study.settings import changed
    from ...study.settings import preset as preset_settings

    return changed(preset_settings(preset), {"method": method, **changes})
