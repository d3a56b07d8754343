"""How the process handles memory and tiny numbers: settings that make training on a CPU faster."""

import ctypes
import platform

import torch

# <malloc.h> of glibc
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_MIB = 2**20


def tune_memory() -> None:
    """Keep freed memory for the next tensor, and treat denormal numbers as zero. Call it before anything heavy.

    By default glibc returns every large tensor to the system and gets it back page by page, which takes a
    quarter of a training step. Other C libraries are left as they are.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for mib in (32, 1024):  # older versions refuse more than 32 MiB and keep that
            libc.mallopt(_M_MMAP_THRESHOLD, mib * _MIB)
        libc.mallopt(_M_TRIM_THRESHOLD, 2047 * _MIB)  # an int
        libc.mallopt(_M_TOP_PAD, 64 * _MIB)
    torch.set_flush_denormal(True)
