"""References of segmented cases: label maps of an expert, or a table of another measurement."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from ..annotation.organ_names import folded
from ..errors import InputError
from ..evaluation.metrics import dice
from ..evaluation.reference_volumes import read_reference_volumes
from ..imaging.scan import LabelMap
from ..measurement.measuring import outline_quantities
from ..measurement.segmentation_files import find_segmentations
from .content import TrueValues
from .kinds import VOLUMES, Kind


def find_references(
    source: Path, kind: Kind, cases: Container[str]
) -> tuple[Mapping[str, Path], Mapping[str, TrueValues]]:
    """Label maps in a folder, or volumes in a table, by the name of the case.

    Raises:
        InputError: there are none of these cases, the table cannot be read, or it is given for 2-D images.
    """
    maps: Mapping[str, Path] = {}
    values: Mapping[str, TrueValues] = {}
    if source.is_dir():
        maps = find_segmentations(source)
    elif kind is VOLUMES:
        values = {
            case: {organ: {"volume": ml} for organ, ml in of_case.items()}
            for case, of_case in read_reference_volumes(source).items()
        }
    else:
        raise InputError(source, "is not a folder", "give the folder of the labels of 2-D images")
    if not any(case in cases for case in (*maps, *values)):
        raise InputError(source, "has no reference of any of these segmentations", "give references of the same names")
    return maps, values


def spelt(values: Mapping[str, TrueValues], organs: Sequence[str], source: Path) -> dict[str, TrueValues]:
    """The values under the names of the organs. Raises `InputError` when there are some, but of none of the organs."""
    known = {folded(organ): organ for organ in organs}
    found: dict[str, TrueValues] = {
        case: {known.get(folded(organ), organ): one for organ, one in of_case.items()}
        for case, of_case in values.items()
    }
    if found and not any(set(organs) & of_case.keys() for of_case in found.values()):
        raise InputError(source, f"has no volume of {', '.join(organs)}", "use the same organ names")
    return found


def true_values(reference: LabelMap, organs: Sequence[str]) -> TrueValues:
    """The headline quantities of a reference, by organ; an organ that it does not hold has no lengths."""
    found = {}
    for label, (organ, quantities) in enumerate(zip(organs, outline_quantities(reference, organs), strict=True), 1):
        held = bool((reference.voxels == label).any())
        found[organ] = {
            one.name: one.value for one in quantities if one.value is not None and (held or one.unit != "mm")
        }
    return found


def overlaps(label_map: LabelMap, reference: LabelMap, organs: Sequence[str]) -> dict[str, float]:
    """Dice of every organ."""
    return {
        organ: dice(label_map.voxels == label, reference.voxels == label) for label, organ in enumerate(organs, start=1)
    }
