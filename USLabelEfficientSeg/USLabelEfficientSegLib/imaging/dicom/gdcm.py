"""Decoding with GDCM, inside SimpleITK, in a process of its own: damaged streams end it without a word.

It decodes lossless JPEG and JPEG-LS, for which pydicom needs more packages. The process is started with the first file
and serves all others; it ends with this one.
"""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_SECONDS = 120.0
_PROGRAM = """
import sys
import numpy, SimpleITK
for line in sys.stdin:
    source, target = line.rstrip().split("\\t")
    try:
        image = SimpleITK.ReadImage(source, imageIO="GDCMImageIO")
        numpy.save(target, SimpleITK.GetArrayViewFromImage(image))
    except Exception:
        print("failed", flush=True)
    else:
        print("done", flush=True)
"""
_lock = threading.Lock()
_processes: list[subprocess.Popen[str]] = []


def decode_with_gdcm(source: Path) -> NDArray[np.generic]:
    """The pixels of a DICOM file, as they are stored.

    Args:
        source: the file, whose path must be ASCII; the pixels come back through a file beside it.

    Raises:
        ValueError: it cannot be decoded.
    """
    target = source.with_suffix(".npy")
    with _lock:
        process = _running()
        timer = threading.Timer(_SECONDS, process.kill)
        timer.start()
        try:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(f"{source}\t{target}\n")
            process.stdin.flush()
            answer = process.stdout.readline().strip()
        except OSError:  # it has ended
            answer = ""
        finally:
            timer.cancel()
    if answer != "done":
        raise ValueError("compressed pixels that cannot be decoded")
    return np.load(target, allow_pickle=False)


def _running() -> subprocess.Popen[str]:
    if not _processes or _processes[-1].poll() is not None:
        _processes[:] = [
            subprocess.Popen(
                [shutil.which("PythonSlicer") or sys.executable, "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                env={**os.environ, "PYTHONUTF8": "1"},
            )
        ]
    return _processes[-1]
