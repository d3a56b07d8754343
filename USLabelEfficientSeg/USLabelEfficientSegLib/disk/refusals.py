"""What the system refuses, told as bad input is: what it is about, the problem, the remedy."""

from __future__ import annotations

import errno

from ..errors import InputError

_REMEDIES = {
    errno.ENOSPC: "free some space and start again",
    getattr(errno, "EDQUOT", errno.ENOSPC): "free some space and start again",
    errno.EACCES: "choose another place or ask for permission",
    errno.EPERM: "choose another place or ask for permission",
    errno.EROFS: "choose a place that can be written",
    errno.EISDIR: "give the name of a file",
    errno.ENOTDIR: "choose another path",
    errno.ENAMETOOLONG: "choose a shorter path",
    errno.ELOOP: "choose a path without a circle of links",
    errno.EILSEQ: "rename the file in letters of UTF-8",
}
_OUT_OF_MEMORY = (
    "lower student.window, student.batch_size or working_grid.max_voxels with --set, or use --device cpu if it was the "
    "memory of a GPU"
)
_OUT_OF_MEMORY_IN_PANEL = (
    "close other programs, choose the preset Quick or lower student.window in the expert settings, or choose the "
    "processor if it was the memory of a graphics card"
)


def as_input_error(error: BaseException) -> InputError | None:
    """The same error with cause and remedy for the user; None if it is a fault of the program."""
    if isinstance(error, InputError):
        return error
    if isinstance(error, OSError) and error.errno in _REMEDIES:
        problem = (error.strerror or "refused").lower()
        return InputError(error.filename or "output", problem, _REMEDIES[error.errno])
    if isinstance(error, UnicodeEncodeError) and "\udc80" <= error.object[error.start] <= "\udcff":
        return InputError(error.object, "is no text in UTF-8", "rename the file")
    if isinstance(error, MemoryError) or "out of memory" in str(error) or "can't allocate memory" in str(error):
        # In the words of CUDA, MPS and the CPU: torch has a class for one of them only.
        return InputError(
            "memory", "is not enough for these settings", _OUT_OF_MEMORY, in_panel=_OUT_OF_MEMORY_IN_PANEL
        )
    return None
