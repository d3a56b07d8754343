"""What clients have submitted becomes labels of the study; one bad label map is set aside and stops no training."""

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from painted_slices import write_sparse

SET_ASIDE = "set_aside"  # folder of the study for what was drawn and is not in its labels

logger = logging.getLogger(__name__)


def take_submitted(
    pairs: Iterable[tuple[str, Path]], study: Path, axis: int, take: Callable[[Path], list[str]]
) -> tuple[list[str], list[str]]:
    """Give the study all label maps that fit, and put the others into its folder `set_aside`.

    Args:
        pairs: the names of volumes, each with a client's label map.
        study: its folder.
        axis: array axis of the study's slices.
        take: gives the study the label maps in a folder; a line on each of which it has taken slices. It raises
            `ValueError` with a sentence when one of them does not fit, and then has taken none.

    Returns:
        The lines, and a sentence on each map that was set aside.
    """
    refused: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder, sources = Path(temporary), dict[str, Path]()
        for name, source in pairs:
            try:
                write_sparse(source, folder / f"{name}.nrrd", axis)
                sources[name] = source
            except (ValueError, RuntimeError) as error:  # SimpleITK raises the latter of a damaged file
                refused.append(_set_aside(study, source, error))
        written = sorted(folder.iterdir())
        if not written:
            return [], refused
        try:
            return take(folder), refused
        except ValueError:
            lines: list[str] = []
        for number, path in enumerate(written):  # which of them is it?
            alone = folder / str(number)
            alone.mkdir()
            path.rename(alone / path.name)
            try:
                lines += take(alone)
            except ValueError as error:
                refused.append(_set_aside(study, sources[path.stem], error))
    return lines, refused


def _set_aside(study: Path, source: Path, error: Exception) -> str:
    """Keep a copy of a label map beside the study's labels; what is told of it."""
    kept = study / SET_ASIDE / source.name
    kept.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, kept)
    reason = " ".join(str(error).split())
    sentence = f"{reason} It is not trained with; a copy is in {kept}."
    logger.warning(sentence)
    return sentence
