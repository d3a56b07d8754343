"""`uslabelseg study clean`: the room that a finished training takes."""

from typing import Annotated

import typer

from ..text.numbers import three_digits
from .console import console
from .long_commands import long_command
from .options import StudyFolder

_MB = 1e6


@long_command
def clean(
    study: StudyFolder,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing, only tell how much it would be.")] = False,
) -> None:
    """Remove from a trained study what its training could make again, and tell how much that was.

    Checkpoints, features of the teacher and pseudo-labels go, and networks that earlier trainings ended with. The model
    stays, and images, labels, settings, checksums and the history of the training. The study segments, measures,
    suggests and reports as before. After new labels or volumes `train` continues from the model; it then learns the
    teacher again, where there is one. Networks of 2-D images then learn anew. Without news there is nothing to train.

    \b
    Examples:
      uslabelseg study clean my-study --dry-run
      uslabelseg study clean my-study
    """
    console.getting_ready()

    from ..method.cleaning import clean as clean_study
    from ..study.study import Study
    from .studies import tell_next

    opened = Study.open(study)
    cleaned = clean_study(opened, dry_run=dry_run)
    if cleaned.removed:
        kinds = ", ".join(f"{kind} {_mb(size)}" for kind, size in cleaned.removed.items())
        total = _mb(sum(cleaned.removed.values()))
        console.say(f"{'Would remove' if dry_run else 'Removed'} {total} of {study}: {kinds}.")
    else:
        console.say(f"There is nothing to remove from {study}.")
    console.say(
        f"Its training {'would take' if dry_run else 'takes'} {_mb(cleaned.kept)}, the model {_mb(cleaned.model)}."
    )
    tell_next(opened)


def _mb(size: int) -> str:
    return f"{three_digits(size / _MB)} MB"
