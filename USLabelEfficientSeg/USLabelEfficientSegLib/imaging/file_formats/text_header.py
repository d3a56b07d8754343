"""Headers of lines of text before the voxels, as NRRD and MetaImage have them."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from ...errors import InputError
from .header import damaged

_LONGEST_LINE = 1 << 22  # of the index values of long sequences
_MOST_LINES = 1 << 18  # a tracked sweep has a dozen a frame


def header_lines(file: BinaryIO, path: Path) -> Iterator[str]:
    r"""The lines of a header without their ends (\n or \r\n), up to the end of the file.

    Raises:
        InputError: the header goes on for longer than headers do, or is no text.
    """
    for _ in range(_MOST_LINES):
        line = file.readline(_LONGEST_LINE)
        if not line:
            return
        if len(line) == _LONGEST_LINE:
            break
        if b"\0" in line:
            raise damaged(path, "its header is no text")
        text = line.removesuffix(b"\n").removesuffix(b"\r")
        try:
            yield text.decode("utf-8")
        except UnicodeDecodeError:
            yield text.decode("latin-1")
    raise damaged(path, "its header has no end")


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
