"""Labels on their way into a study, taken up and told before a command reads its labels."""

from typing import TYPE_CHECKING

from ..errors import InputError
from .console import console

if TYPE_CHECKING:
    from ..study.study import Study


def take_waiting(study: "Study") -> None:
    """Take labels that wait into the study, as after a crash of the panel, and tell whose they are.

    Raises:
        InputError: another program is writing the study; labels that do not fit.
    """
    from ..study.waiting_labels import take_waiting as take

    if names := take(study).cases:
        console.say(f"Took labels of {', '.join(names)}, which had been drawn in 3D Slicer and waited in the study.")


def take_waiting_if_free(study: "Study") -> None:
    """The same for a command that only reads: where the study cannot be written it tells what it does not count."""
    from ..study.waiting_labels import waiting_cases

    try:
        take_waiting(study)
    except InputError as error:
        if names := waiting_cases(study):
            console.caution(f"Labels of {', '.join(names)} wait in the study and do not count as yet: {error}")


def tell_waiting(study: "Study") -> None:
    """Tell whose labels wait, and which files fit no volume of the study."""
    from ..study.kept_slices import unfit_files
    from ..study.waiting_labels import waiting_cases

    for error in unfit_files(study):
        console.caution(str(error))
    if names := waiting_cases(study):
        console.caution(f"Labels of {', '.join(names)} wait in the study; the next training takes them.")
