"""How the process handles memory, tiny numbers and threads: settings that make training on a CPU faster."""

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# <malloc.h> of glibc
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_MIB = 2**20


def tune_memory() -> None:
    """Keep freed memory, treat denormal numbers as zero, compute with one thread. Call it before anything heavy.

    By default glibc returns every large tensor to the system and gets it back page by page, which takes a
    quarter of a training step. Other C libraries are left as they are.

    The threads of OpenMP, by default as many as processors, wait for each other by spinning: on two processors they
    make a step of a small network a quarter faster, and beside another program up to a hundred times slower. Other
    processors are used without spinning, see `training.threads`. With large networks and idle processors, ask for
    threads with OMP_NUM_THREADS.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for mib in (32, 1024):  # older versions refuse more than 32 MiB and keep that
            libc.mallopt(_M_MMAP_THRESHOLD, mib * _MIB)
        libc.mallopt(_M_TRIM_THRESHOLD, 2047 * _MIB)  # an int
        libc.mallopt(_M_TOP_PAD, 64 * _MIB)
    torch.set_flush_denormal(True)
    torch.set_num_threads(_threads_asked_for())


def release_memory() -> None:
    """Give freed memory back to the system, which `tune_memory` keeps: for a process that waits for its next work."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def computing_alike() -> Iterator[None]:
    """Compute as commands do, for every caller: threads and the treatment of denormal numbers decide the last bits."""
    threads, flushed = torch.get_num_threads(), flushes_denormals()
    torch.set_num_threads(_threads_asked_for())
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(flushed)


def _threads_asked_for() -> int:
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(asked)) if asked.isdecimal() else 1


def flushes_denormals() -> bool:
    """Whether this thread treats denormal numbers as zero; on some systems threads that it starts do not inherit it."""
    return float(torch.tensor(2.0**-120) * 2.0**-20) == 0.0
