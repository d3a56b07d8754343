"""Headers of lines of text before the voxels, as NRRD and MetaImage have them."""

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from ...errors import InputError
from .header import damaged

_LONGEST_LINE = 1 << 22  # of the index values of long sequences
_LONGEST_HEADER = 1 << 26


def next_line(file: BinaryIO, path: Path) -> str | None:
    r"""The next line of a header without its end (\n or \r\n), None at the end of the file.

    Raises:
        InputError: the header goes on for longer than headers do, or is no text.
    """
    line = file.readline(_LONGEST_LINE)
    if file.tell() > _LONGEST_HEADER or len(line) == _LONGEST_LINE:
        raise damaged(path, "its header has no end")
    if not line:
        return None
    if b"\0" in line:
        raise damaged(path, "its header is no text")
    text = line.removesuffix(b"\n").removesuffix(b"\r")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def data_file(path: Path, name: str) -> Path:
    """The file beside a header that holds its voxels.

    Raises:
        InputError: a list or pattern of files, or a file in another folder.
    """
    name = name.strip().removeprefix("./")
    if "%" in name or name.split()[:1] == ["LIST"]:
        problem = "holds its voxels in several files"
        raise InputError(path, problem, "save it as one file (.nrrd, .mha or .nii.gz)")
    if not name or name in (".", "..") or PurePosixPath(name).name != name or PureWindowsPath(name).name != name:
        problem = f"holds its voxels in a file of another folder ({name[:60]})"
        raise InputError(path, problem, "put both files into one folder and name the file without a folder")
    beside = path.with_name(name)
    if not beside.exists():
        raise InputError(
            path, f"holds its voxels in the file {name[:60]}, which is missing", "put it beside the header"
        )
    return beside
