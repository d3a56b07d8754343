import gzip
import os
import socket
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from USLabelEfficientSegLib.disk.suffixes import READ_SUFFIXES
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import read_geometry, read_label_map, read_volume, write_label_map
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan

HEADER = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: {}\nencoding: {}\nspacings: 1 1 1\n\n"
META = "NDims = 3\nDimSize = {}\nElementSpacing = 1 1 1\nCompressedData = True\nElementType = MET_UCHAR\n"


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii.gz"])
def test_every_flipped_bit_of_compressed_voxels_is_noticed(tmp_path: Path, suffix: str) -> None:
    labels = np.zeros((6, 5, 4), np.uint8)
    labels[2:4, 1:4, 1:3] = 1
    path = tmp_path / f"a{suffix}"
    write_label_map(path, LabelMap(labels, Geometry(labels.shape, (1, 1, 1), (0, 0, 0), np.eye(3)), "a"))
    content = path.read_bytes()
    ends = {".nrrd": b"\n\n", ".mha": b"LOCAL\n", ".nii.gz": b""}
    start = content.index(ends[suffix]) + len(ends[suffix])
    wrong = 0

    for position in range(8 * start, 8 * len(content)):
        damaged = bytearray(content)
        damaged[position // 8] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            wrong += not np.array_equal(read_label_map(path).voxels, labels)
        except InputError as error:
            assert "damaged" in str(error) or "cut short" in str(error)

    assert wrong == 0


@pytest.mark.parametrize("suffix", READ_SUFFIXES)
def test_files_cut_at_any_byte_and_files_with_more_are_refused(tmp_path: Path, suffix: str) -> None:
    image = sitk.GetImageFromArray(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    path = tmp_path / f"a{suffix}"
    sitk.WriteImage(image, str(path), useCompression=True)
    data = next((file for file in tmp_path.iterdir() if file != path), path)
    content = data.read_bytes()

    for changed in [*(content[:size] for size in range(len(content))), content + b"\0", content + content]:
        data.write_bytes(changed)
        with pytest.raises(InputError):
            read_volume(path)


def test_gzip_in_several_parts_is_read(tmp_path: Path) -> None:
    voxels = np.arange(24, dtype=np.uint8)
    parts = gzip.compress(voxels[:7].tobytes()) + gzip.compress(b"") + gzip.compress(voxels[7:].tobytes())
    path = tmp_path / "a.nrrd"
    path.write_bytes(HEADER.format("4 3 2", "gzip").encode() + parts)

    np.testing.assert_array_equal(read_volume(path).voxels.ravel(order="F"), voxels)


@pytest.mark.parametrize(
    ("sizes", "stream"),
    [
        ("8 8 8", zlib.compress(bytes(1 << 26))),
        ("2000 1000 1000", zlib.compress(bytes(1 << 20))),
        ("400 400 400", zlib.compress(bytes(1 << 10))),
        ("4611686018427387904 4 2", b""),
    ],
)
def test_a_bomb_is_refused_without_the_memory_that_it_asks_for(tmp_path: Path, sizes: str, stream: bytes) -> None:
    path = tmp_path / "a.mha"
    path.write_bytes(META.format(sizes).encode() + b"ElementDataFile = LOCAL\n" + stream)

    with pytest.raises(InputError, match=r"holds more than|cannot hold|cut short|2\^31"):
        read_volume(path)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and sockets as files are POSIX")
@pytest.mark.parametrize("suffix", READ_SUFFIXES)
def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path, suffix: str, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    os.mkfifo(f"pipe{suffix}")
    (tmp_path / f"device{suffix}").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"socket{suffix}")
        for name in ("pipe", "device", "socket"):
            for read in (read_volume, read_label_map, read_geometry):
                with pytest.raises(InputError, match=r"is no regular file|cannot be read"):
                    read(Path(name + suffix))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no such names")
def test_names_that_are_no_text_are_read(tmp_path: Path) -> None:
    path = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.nrrd"))
    path.write_bytes(HEADER.format("4 3 2", "raw").encode() + bytes(range(24)))

    np.testing.assert_array_equal(read_volume(path).voxels.ravel(order="F"), np.arange(24))


@pytest.mark.parametrize("suffix", READ_SUFFIXES)
def test_suffixes_in_capitals_are_read(volume: Scan, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(volume.voxels), str(path))
    path = path.rename(tmp_path / f"A{suffix.upper()}")

    np.testing.assert_array_equal(np.swapaxes(read_volume(path).voxels, 0, 2), volume.voxels)
    assert read_volume(path).name == "A"
    assert read_geometry(path).shape == volume.voxels.shape[::-1]
