"""Which files are DICOM, which of them are images, and their data sets.

Images are told from what lies beside them (reports, directories, presentation states, structure sets, documents) by
their SOP class, PS3.4 annex B.5.
"""

import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from ...disk.suffixes import PICTURE_SUFFIXES, READ_SUFFIXES, suffix_of
from ...errors import InputError, Notice
from .values import frame_count, shown

Kind = Literal["image", "segmentation", "companion"]

DIRECTORY = "DICOMDIR"
_PREFIX = b"DICM"
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_SEGMENTATIONS = {_STORAGE + "66.4", _STORAGE + "66.7"}  # of bits or fractions; of labels
# Presentation states, waveforms, dose, structures and plans, registrations and other derived data, documents, reports.
_COMPANIONS = (*(_STORAGE + part for part in ("9.", "11.", "66", "67", "88.", "104.", "481.")), "1.2.840.10008.1.3.10")
_FIRST_GROUPS = (0x0002, 0x0008)  # of a data set without preamble
_VR = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
_SHOWN = 5  # names of files passed over
_INFLATED_BYTES, _INFLATION = 1 << 28, 20  # a deflated file may hold so much, or so many times its size
_CHUNK = 1 << 24


def is_dicom(path: Path) -> bool:
    """Whether a file starts like DICOM, or a folder holds such a file."""
    if path.is_dir():
        return any(is_dicom(entry) for entry in path.iterdir() if entry.is_file())
    if not path.is_file():  # a pipe or device would wait for ever
        return False
    with path.open("rb") as file:
        start = file.read(132)
    return start[128:] == _PREFIX or (suffix_of(path) not in (*READ_SUFFIXES, *PICTURE_SUFFIXES) and _is_bare(start))


def holds(path: Path, kind: Kind) -> bool:
    """Whether a file is a DICOM object of a kind, or a folder holds one, by its SOP class; damaged ones are images.

    On a disc with a DICOMDIR the folders with a series are the images, not the disc.
    """
    if path.is_dir() and _is_disc(path) and any(is_dicom(entry) for entry in path.iterdir() if entry.is_dir()):
        return kind == "companion"
    try:
        return any(found == kind for _, found, _ in _objects(path))
    except InputError:
        return kind == "image"


def is_one_image(folder: Path) -> bool:
    """Whether the images in a folder are one: a series of single frames, or a single file; not several volumes."""
    if any(holds(entry, "image") for entry in folder.iterdir() if entry.is_dir()):
        return False
    volumes = 0
    try:
        for file, kind, _ in _objects(folder):
            if kind == "image" and frame_count(open_dataset(file, pixels=False)) == 1:
                return True
            volumes += kind == "image"
    except (InputError, ValueError, TypeError):  # told when it is read
        return True
    return volumes == 1


def is_segmentation(path: Path) -> bool:
    """Whether a file is a DICOM segmentation, or a folder holds one."""
    return holds(path, "segmentation")


def images(path: Path, *, pixels: bool = True) -> Iterator[tuple[Path, Dataset]]:
    """The images of a file or folder; files of a folder that are none are passed over and told.

    An instance that lies in the folder twice comes once.

    Raises:
        InputError: damaged, a file that is no image, or a folder in which volumes of other formats lie as well.
    """
    others = [] if not path.is_dir() else [file.name for file in _files(path) if not is_dicom(file)]
    volumes = [name for name in others if suffix_of(Path(name)) in READ_SUFFIXES and ".seg." not in name.lower()]
    if volumes:
        problem = f"holds DICOM images and volumes of other formats ({', '.join(sorted(volumes)[:_SHOWN])})"
        raise InputError(path, problem, "put them into folders of their own")
    seen: set[tuple[object, ...]] = set()
    for file, kind, name in _objects(path):
        if kind != "image":
            if not path.is_dir():
                remedy = "give the image that it belongs to"
                raise InputError(path, f"is no image but a DICOM object of the kind {name}", remedy)
            others.append(f"{file.name} ({name})")
            continue
        dataset = open_dataset(file, pixels=pixels)
        with readable(file):
            identity = _identity(dataset) if dataset.get("SOPInstanceUID") else (file,)
        if identity in seen:
            others.append(f"{file.name} (the same image again)")
            continue
        seen.add(identity)
        yield file, dataset
    if others:
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        warnings.warn(Notice(path, f"passed over: {', '.join(sorted(others)[:_SHOWN])}{more}"), stacklevel=2)


def segmentations(path: Path) -> list[Path]:
    """The files of DICOM segmentations: the file itself, or the segmentations in a folder."""
    return [file for file, kind, _ in _objects(path) if kind == "segmentation"]


def open_dataset(file: Path, *, pixels: bool = True) -> Dataset:
    """The data set of a file with a transfer syntax, which files without preamble do not tell.

    Raises:
        InputError: damaged.
    """
    with readable(file), file.open("rb") as opened:
        bare = opened.read(132)[128:] != _PREFIX
        opened.seek(0)
        source: Any = _Bounded(opened, file.stat().st_size)
        meta = FileMetaDataset() if bare else read_file_meta_info(file)
        if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            source = _inflated(file, opened, int(meta.get("FileMetaInformationGroupLength") or 0))
        dataset = pydicom.dcmread(source, stop_before_pixels=not pixels, force=bare)
        dataset.buffer = None  # the file, which is closed below
        if not dataset.file_meta.get("TransferSyntaxUID"):
            dataset.file_meta.TransferSyntaxUID = _syntax(dataset)
        return dataset


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Turn any error of pydicom about a damaged file into one sentence, and silence its log meanwhile."""
    log = logging.getLogger("pydicom")
    disabled, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # pydicom raises nearly anything
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = shown(str(error).partition("\n")[0] or type(error).__name__)
        problem = f"is damaged or cut short ({reason})"
        raise InputError(file, problem, "copy or export the file again") from None
    finally:
        log.disabled = disabled


def _objects(path: Path) -> Iterator[tuple[Path, Kind, str]]:
    """The DICOM files of a path, their kind, and the standard's name of that kind."""
    for file in _files(path):
        if not is_dicom(file):
            continue
        if file.name == DIRECTORY:
            yield file, "companion", "directory"
            continue
        dataset = open_dataset(file, pixels=False)
        with readable(file):
            uid = UID(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID") or "")
            name = shown(uid.name.removesuffix(" Storage"))
            has_rows, named_image = bool(dataset.get("Rows")), not uid or "Image" in name or "Volume" in name
        if uid in _SEGMENTATIONS:
            yield file, "segmentation", name
        # An image that was cut short has no rows any more, but its name.
        elif uid.startswith(_COMPANIONS) or (not has_rows and not named_image):
            yield file, "companion", name
        else:
            yield file, "image", name


def _files(path: Path) -> list[Path]:
    """The files to look at: those directly in a folder; on a disc with a DICOMDIR also those further down."""
    if not path.is_dir():
        return [path]
    if _is_disc(path):
        return sorted(file for file in path.rglob("*") if file.is_file() and not file.is_symlink())
    return sorted(entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith("."))


def _is_disc(folder: Path) -> bool:
    """Whether the only DICOM file of a folder is a DICOMDIR: the images are in its folders (PS3.10 section 8)."""
    return [entry.name for entry in folder.iterdir() if entry.is_file() and is_dicom(entry)] == [DIRECTORY]


def _is_bare(start: bytes) -> bool:
    """Whether bytes are the first element of a data set without preamble, in little endian."""
    if len(start) < 16:
        return False
    group, element, vr = struct.unpack_from("<HH2s", start)
    (implicit_length,) = struct.unpack_from("<I", start, 4)
    return group in _FIRST_GROUPS and element <= 0x0070 and (vr in _VR or implicit_length <= 64)


def _identity(dataset: Dataset) -> tuple[object, ...]:
    """Data that copies of an image share, and that tell apart images with the same UID by mistake."""
    names = "SOPInstanceUID", "ImagePositionPatient", "InstanceNumber"
    return (*(str(dataset.get(name)) for name in names), hash(bytes(dataset.get("PixelData") or b"")))


def _syntax(dataset: Dataset) -> UID:
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _inflated(file: Path, opened: BinaryIO, meta_length: int) -> BytesIO:
    """A deflated file (PS3.5 A.5) as explicit little endian; a bomb is refused before it fills the memory."""
    opened.seek(128 + 4)
    start = opened.read(12 + meta_length)
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    most = max(_INFLATED_BYTES, _INFLATION * file.stat().st_size)
    content = BytesIO()
    content.write(bytes(128) + _PREFIX + start.replace(*_renamed()))
    packed = opened.read(_CHUNK)
    while packed and not unpacker.eof:
        content.write(unpacker.decompress(packed, _CHUNK))
        if content.tell() > most:
            problem = f"unpacks to more than {most >> 20} MB"
            raise InputError(file, problem, "export it without deflation")
        packed = unpacker.unconsumed_tail or opened.read(_CHUNK)
    if not unpacker.eof:
        raise EOFError("the deflated data end early")
    content.seek(0)
    return content


def _renamed() -> tuple[bytes, bytes]:
    """The UIDs of the deflated and the plain syntax, in the same number of bytes (padded with zeros)."""
    deflated, plain = DeflatedExplicitVRLittleEndian.encode(), ExplicitVRLittleEndian.encode()
    return deflated, plain.ljust(len(deflated), b"\0")


class _Bounded:
    """A file that is never asked for more than it holds: a damaged length would reserve gigabytes."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def read(self, count: int | None = -1) -> bytes:
        left = max(self._size - self._file.tell(), 0)
        return self._file.read(left if count is None or count < 0 else min(count, left))
