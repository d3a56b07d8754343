"""Headers of valid files are changed in all ways that text and numbers allow: read sensibly or refused."""

import gzip
import re
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from robustness.runner import Check
from robustness.valid_files import ValidFile, check_sensible, valid_files

NUMBERS = (
    "0", "-0", "-1", "1", "2", "3", "4", "5", "-3", "255", "65536", "2147483647", "2147483648", "4294967296",
    "4611686018427387904", "9223372036854775808", "1" * 5000, "1e308", "-1e308", "1e-320", "1e999", "nan", "inf",
    "-inf", "0x10", "1_0", "1.5", "١", "", "none", "(", ")", "%n", "%s%n", "?", "\x1b[2J", "\0", "é",
    "\ud7ff", "-", ".", "e5",
)  # fmt: skip
LINES = (
    b"NRRD0004", b"dimension: 2", b"dimension: 16", b"sizes: 6 5 4 1", b"sizes: 1 1 1", b"kinds: time domain domain",
    b"kinds: RGB-color domain domain", b"kinds: vector domain domain", b"encoding: hex", b"encoding: bzip2",
    b"endian: big", b"line skip: 1", b"byte skip: -1", b"byte skip: 4611686018427387904", b"data file: x%n 1 9 1",
    b"data file: LIST", b"data file: ../a.raw", b"data file: /dev/zero", b"space: scanner-xyz-time",
    b"space directions: " + b"(1,0,0)" * 800, b"spacings: 1 1 1", b"axis mins: 1 nan 3", b"units: \"cm\" \"\" \"",
    b"measurement frame: (1,0,0)", b"key:=value", b"Seq_Frame0000_ProbeToTrackerTransform:=1 0 0", b"Segment0_ID:=a",
    b"Segment0_LabelValue:=99999999999999999999", b"Segment0_Layer:=-1", b"#", b"\xff\xfe", b":", b"=", b":=",
    b"NDims = -3", b"NDims = 1000000", b"ElementDataFile = x%n", b"ElementDataFile = LIST", b"HeaderSize = -1",
    b"ElementDataFile = /etc/passwd", b"ElementDataFile = .", b"HeaderSize = 99999999", b"CompressedDataSize = -1",
    b"CompressedDataSize = 9223372036854775807", b"ElementNumberOfChannels = 3", b"ElementType = MET_OTHER",
    b"TransformMatrix = 1e308 0 0 0 1e308 0 0 0 1e308", b"TransformMatrix = nan 0 0 0 1 0 0 0 1", b"BinaryData = False",
    b"TransformMatrix = 0 0 0 0 0 0 0 0 0", b"TransformMatrix = 1 0.4 0 0 1 0 0 0 1", b"ElementSpacing = 0 0 0",
    b"ElementToIntensityFunctionSlope = nan", b"Seq_Frame0001_ImageStatus = OK", b"DistanceUnits = cm",
)  # fmt: skip
WORDS = (0, 1, 2, 3, 4, 5, 7, 8, 16, 64, 127, 128, 255, 256, 348, 352, 540, 544, 1007, 2304, 32767, 32768, 65535)
REALS = (0.0, -0.0, 1.0, -1.0, 0.5, 352.0, 352.5, 1e9, 1e30, -1e30, 1e-45, float("nan"), float("inf"), float("-inf"))


def checks(count: int, seed: int, folder: Path) -> Iterator[Check]:
    """One to three changes of the header of a random file."""
    random = np.random.default_rng(seed)
    files = valid_files(folder, random)
    while True:
        valid = files[random.integers(len(files))]
        header, change = _header_and_change(valid)
        told = []
        for _ in range(int(random.integers(1, 4))):
            header, what = change(header, random)
            told.append(what)
        yield f"{valid.path.name} {', '.join(told)}", partial(_check, valid, header)


Changed = tuple[bytes, str]


def _header_and_change(valid: ValidFile) -> tuple[bytes, Callable[[bytes, np.random.Generator], Changed]]:
    content = valid.contents[valid.path.name]
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    is_text = ".nii" not in valid.path.name and ".gipl" not in valid.path.name
    return content[: valid.header_bytes], _text_changed if is_text else _numbers_changed


def _check(valid: ValidFile, header: bytes) -> None:
    content = valid.contents[valid.path.name]
    if content.startswith(b"\x1f\x8b"):
        stored = gzip.compress(header + gzip.decompress(content)[valid.header_bytes :], 1)
    else:
        stored = header + content[valid.header_bytes :]
    valid.store(**{valid.path.name: stored})
    try:
        check_sensible(valid.path)
    finally:
        valid.store()


def _text_changed(header: bytes, random: np.random.Generator) -> Changed:
    lines = header.split(b"\n")
    line = int(random.integers(len(lines)))
    kind = random.choice(
        ["number", "number", "number", "line", "line", "drop", "twice", "swap", "byte", "ends", "mark"]
    )
    if kind == "number":
        found = list(re.finditer(rb"-?[0-9.]+(e-?[0-9]+)?", header))
        if not found:
            return header, "nothing"
        match, text = found[random.integers(len(found))], NUMBERS[random.integers(len(NUMBERS))]
        return header[: match.start()] + text.encode() + header[match.end() :], f"{match[0]!r} -> {text[:20]!r}"
    if kind == "line":
        new = LINES[random.integers(len(LINES))]
        name = re.split(b"[:=]", new)[0].strip()
        kept = [old for old in lines if not old.startswith(name)] if random.random() < 0.7 and name else lines
        place = min(line, len(kept))
        return b"\n".join([*kept[:place], new, *kept[place:]]), f"line {new[:40]!r} at {place}"
    if kind == "drop":
        return b"\n".join(lines[:line] + lines[line + 1 :]), f"without {lines[line]!r}"
    if kind == "twice":
        return b"\n".join(lines[:line] + [lines[line]] * 2 + lines[line + 1 :]), f"twice {lines[line]!r}"
    if kind == "swap":
        other = int(random.integers(len(lines)))
        lines[line], lines[other] = lines[other], lines[line]
        return b"\n".join(lines), f"lines {line} and {other} swapped"
    if kind == "ends":
        return header.replace(b"\n", b"\r\n"), "CRLF"
    if kind == "mark":
        return b"\xef\xbb\xbf" + header, "byte order mark"
    return _byte_changed(header, random)


def _byte_changed(header: bytes, random: np.random.Generator) -> Changed:
    changed = bytearray(header)
    place, value = int(random.integers(max(len(header), 1))), int(random.integers(256))
    changed[place : place + 1] = bytes([value])
    return bytes(changed), f"byte {place} = {value}"


def _numbers_changed(header: bytes, random: np.random.Generator) -> Changed:
    kind, changed = random.choice(["byte", "word", "long", "real", "double"]), bytearray(header)
    if kind == "byte":
        return _byte_changed(header, random)
    place = 2 * int(random.integers((len(header) - 8) // 2))
    order = "<>"[random.integers(2)]
    word, number = WORDS[random.integers(len(WORDS))], REALS[random.integers(len(REALS))]
    code, value = {"word": ("H", word), "long": ("i", word), "real": ("f", number), "double": ("d", number)}[kind]
    if kind == "long" and random.random() < 0.3:
        value = -word
    struct.pack_into(order + code, changed, place, value)
    return bytes(changed), f"{kind} {value} at {place}"
