"""Whether an image file says how large its voxels are, in millimetres.

ITK takes a missing spacing for 1 mm without a word, and some units for others; a volume in millilitres would then be
meaningless. NRRD: https://teem.sourceforge.net/nrrd/format.html; MetaImage: https://itk.org/Wiki/MetaIO; NIfTI:
`pixdim` and `xyzt_units` of https://nifti.nimh.nih.gov/nifti-1.
"""

import gzip
import math
import re
import struct
from pathlib import Path

from ..errors import InputError

_NRRD, _META, _NIFTI = (".nrrd", ".nhdr"), (".mha", ".mhd"), (".nii", ".nii.gz")
_HEADER_BYTES = 1 << 16
_MILLIMETRES = {"mm", "millimeter", "millimeters", "millimetre", "millimetres"}
_NIFTI_UNITS = {0: "mm", 1: "metres", 2: "mm", 3: "micrometres"}  # 0: not told, by convention mm
_QUOTED = re.compile(r'"([^"]*)"|(\S+)')


def check_millimetres(path: Path, axes: int = 3) -> None:
    """Refuse a NRRD, MetaImage or NIfTI file that has no spacing on so many axes or has it in another unit than mm.

    Raises:
        InputError: the spacing is missing, not positive, or in another unit.
        OSError: the file cannot be opened.
    """
    name = path.name.lower()
    if name.endswith(_NRRD):
        spacing, units = _of_nrrd(_text_header(path, b"\n\n"), axes)
    elif name.endswith(_META):
        spacing, units = _of_meta(_text_header(path, b"ElementDataFile"), axes)
    elif name.endswith(_NIFTI):
        spacing, units = _of_nifti(path, axes)
    else:
        return
    if not spacing:
        raise InputError(
            path, "does not say how large its voxels are (no spacing)", "export it again with its spacing in mm"
        )
    foreign = [unit for unit in units if unit.lower() not in _MILLIMETRES]
    if foreign:
        raise InputError(path, f"has its spacing in {foreign[0]}", "export it again with its spacing in mm")


def _text_header(path: Path, end: bytes) -> dict[str, str]:
    """Fields of a header of lines `name: value` or `name = value`, names in lower case."""
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES).replace(b"\r\n", b"\n").split(end)[0]
    fields = {}
    for line in head.decode("latin-1").splitlines():
        name, separator, value = re.split(r"(:=|[:=])", line, maxsplit=1) if re.search("[:=]", line) else ("", "", "")
        if separator in (":", "="):  # := is a free key of NRRD
            fields[name.strip().lower()] = value.strip()
    return fields


def _of_nrrd(fields: dict[str, str], axes: int) -> tuple[bool, list[str]]:
    """Whether there is a spacing on so many axes, and its units as far as told."""
    vectors = [part for part in re.findall(r"\([^)]*\)|none", fields.get("space directions", "")) if part != "none"]
    spacings = [] if vectors else fields.get("spacings", "").split()
    lengths = [math.hypot(*map(_number, vector.strip("()").split(","))) for vector in vectors]
    lengths += [value for value in map(_number, spacings) if not math.isnan(value)]
    told = fields.get("space units") if vectors else fields.get("units")
    units = [first or second for first, second in _QUOTED.findall(told or "")]
    space_units = [unit for unit in units if unit and unit not in ("???", "none")]
    return sum(length > 0 for length in lengths) >= axes, space_units


def _of_meta(fields: dict[str, str], axes: int) -> tuple[bool, list[str]]:
    lengths = [_number(part) for part in (fields.get("elementspacing") or fields.get("elementsize") or "").split()]
    unit = fields.get("distanceunits", "")
    told = len(lengths) >= axes and all(length > 0 for length in lengths[:axes])
    return told, [unit] if unit not in ("", "?") else []


def _of_nifti(path: Path, axes: int) -> tuple[bool, list[str]]:
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if compressed else path.open("rb") as file:
            header = file.read(540)
    except (EOFError, gzip.BadGzipFile):
        return True, []  # damaged, which is told in other words
    for order in "<>":
        if len(header) >= 348 and struct.unpack_from(order + "i", header)[0] == 348:
            lengths, units = struct.unpack_from(order + "3f", header, 80), header[123]
        elif len(header) >= 540 and struct.unpack_from(order + "i", header)[0] == 540:
            lengths = struct.unpack_from(order + "3d", header, 112)
            units = struct.unpack_from(order + "i", header, 500)[0]
        else:
            continue
        return all(length > 0 for length in lengths[:axes]), [_NIFTI_UNITS.get(units & 7, "an unknown unit")]
    return True, []  # no NIfTI header, which is told in other words


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
