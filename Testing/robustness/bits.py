"""Bits of compressed files are flipped, files are cut and prolonged: never are wrong voxels read."""

import gzip
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from robustness.runner import Check
from robustness.valid_files import ValidFile, check_equal, check_refused, valid_files


def checks(count: int, seed: int, folder: Path) -> Iterator[Check]:
    """Flips, cuts and additions, at random places and then at every byte of a cut."""
    random = np.random.default_rng(seed)
    files = valid_files(folder, random)
    packed = [file for file in files if file.compressed]
    while True:
        damage = random.choice(["flip", "flip", "flip", "cut", "add", "member"])
        valid = packed[random.integers(len(packed))] if damage == "flip" else files[random.integers(len(files))]
        content = valid.contents[valid.data_name]
        start = 0 if valid.path.name.endswith(".gz") or valid.data_name != valid.path.name else valid.header_bytes
        place, bit = int(random.integers(start, len(content))), int(random.integers(8))
        name = f"{damage} {valid.path.name} byte {place} bit {bit}"
        if damage == "flip":
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            yield name, partial(_check, valid, bytes(changed), check_equal)
        elif damage == "cut":
            yield name, partial(_check, valid, content[:place], _check_refused)
        elif damage == "add":
            more = random.integers(0, 256, int(random.integers(1, 20))).astype(np.uint8).tobytes()
            yield name, partial(_check, valid, content + more, _check_refused)
        else:
            yield name, partial(_check, valid, content + gzip.compress(bytes(8)), _check_refused)


def _check_refused(valid: ValidFile) -> None:
    check_refused(valid.path)


def _check(valid: ValidFile, content: bytes, judge) -> None:
    valid.store(**{valid.data_name: content})
    try:
        judge(valid)
    finally:
        valid.store()
