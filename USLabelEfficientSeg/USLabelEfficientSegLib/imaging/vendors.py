"""Volumes in formats of scanners' vendors: recognised, and refused by their name with the way to go.

The signature of Kretz files is that of SlicerHeart's reader (https://github.com/SlicerHeart/SlicerHeart). Of Samsung's
no signature is public, so their ending counts. What vendors hide in DICOM is told in `dicom.vendors`.
"""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, Notice

_FIRST_BYTES = 16


@dataclass(frozen=True)
class Vendor:
    """A format of a vendor.

    Args:
        name: what a file of it is, after "is".
        remedy: how its volume gets into this program.
    """

    name: str
    remedy: str

    def refusal(self, path: Path) -> InputError:
        """The error about a file of this format."""
        return InputError(path, f"is {self.name}", self.remedy)


KRETZ = Vendor(
    "a GE Kretz volume (Voluson)",
    "load it in 3D Slicer with the extension SlicerHeart, and take the volume from there or save it as NRRD",
)
SAMSUNG = Vendor(
    "a Samsung or Medison volume (.mvl), whose format is not public",
    "export it as Cartesian DICOM from the scanner, or load it in 3D Slicer with the extension RawImageGuess",
)
_SIGNATURES = {b"KRETZFILE": KRETZ}
_ENDINGS = {".mvl": SAMSUNG}


def vendor_of(path: Path) -> Vendor | None:
    """The vendor whose format a regular file has, by its first bytes, else by its ending; None for all others.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_FIRST_BYTES)
    signed = (vendor for signature, vendor in _SIGNATURES.items() if start.startswith(signature))
    return next(signed, _ENDINGS.get(path.suffix.lower()))


def vendors_among(entries: Iterable[Path]) -> dict[Path, Vendor]:
    """The entries of a folder that are in the format of a vendor; hidden and unreadable ones are not looked at."""
    found = {}
    for entry in sorted(entries):
        with suppress(OSError):
            if not entry.name.startswith(".") and entry.is_file() and (vendor := vendor_of(entry)) is not None:
                found[entry] = vendor
    return found


def passed_over(folder: Path, vendors: Mapping[Path, Vendor], images: Collection[str]) -> list[Notice]:
    """What a folder holds of vendors beside its images, but for files that have the name of one and were converted."""
    passed = {path: vendor for path, vendor in vendors.items() if path.stem not in images}
    notices = []
    for vendor in dict.fromkeys(passed.values()):
        names = [path.name for path, other in passed.items() if other == vendor]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        told = f"passed over: {names[0]}{more}, which is {vendor.name}; {vendor.remedy}"
        notices.append(Notice(folder, told))
    return notices
