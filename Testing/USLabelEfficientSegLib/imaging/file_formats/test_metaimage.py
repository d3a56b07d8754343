import zlib
from pathlib import Path

import numpy as np
import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import read_geometry, read_label_map, read_volume, split_frames

VOXELS = np.random.default_rng(0).integers(0, 200, (6, 5, 4)).astype(np.uint8)  # (I, J, K)
PLACE = {"TransformMatrix": "0 1 0 -1 0 0 0 0 1", "Offset": "1 2 3", "ElementSpacing": "0.3 0.4 0.5"}
TYPES = {"u1": "MET_UCHAR", "i2": "MET_SHORT", "u2": "MET_USHORT", "i4": "MET_INT", "f4": "MET_FLOAT"}


def mha(path: Path, array: np.ndarray, fields: dict[str, str], data: bytes | None = None) -> Path:
    """An array whose first axis is the fastest of the file."""
    stated = {
        "ObjectType": "Image", "NDims": str(array.ndim), "BinaryData": "True",
        "BinaryDataByteOrderMSB": str(array.dtype.str[0] == ">"), "CompressedData": "False",
        "DimSize": " ".join(map(str, array.shape)), "ElementType": TYPES[array.dtype.str[1:]],
        "ElementDataFile": "LOCAL", **fields,
    }  # fmt: skip
    last = stated.pop("ElementDataFile")
    lines = "".join(f"{name} = {value}\n" for name, value in stated.items())
    content = array.tobytes(order="F") if data is None else data
    path.write_bytes(f"{lines}ElementDataFile = {last}\n".encode() + content)
    return path


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", "<u2", ">u2", "<f4", ">f4", ">i4"])
@pytest.mark.parametrize("packed", ["", "told", "untold"])
def test_types_byte_orders_and_compression(tmp_path: Path, dtype: str, packed: str) -> None:
    stored = VOXELS.astype(dtype)
    data = zlib.compress(stored.tobytes(order="F")) if packed else None
    fields = {"CompressedData": "True"} if packed else {}
    fields |= {"CompressedDataSize": str(len(data))} if data is not None and packed == "told" else {}

    volume = read_volume(mha(tmp_path / "a.MHA", stored, PLACE | fields, data))

    np.testing.assert_array_equal(volume.voxels, VOXELS)
    assert volume.geometry.spacing == (0.3, 0.4, 0.5) and volume.geometry.origin == (1, 2, 3)
    np.testing.assert_array_equal(volume.geometry.direction, [[0, -1, 0], [1, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize("name", ["Position", "Origin", "Offset"])
@pytest.mark.parametrize("matrix", ["Orientation", "Rotation", "TransformMatrix"])
def test_other_names_of_the_place_are_known(tmp_path: Path, name: str, matrix: str) -> None:
    fields = {matrix: PLACE["TransformMatrix"], name: "1 2 3", "ElementSize": "0.3 0.4 0.5"}

    geometry = read_geometry(mha(tmp_path / "a.mha", VOXELS, fields))

    assert geometry.origin == (1, 2, 3) and geometry.spacing == (0.3, 0.4, 0.5) and geometry.direction[1, 0] == 1


@pytest.mark.parametrize(("size", "more"), [("-1", b"some other header"), ("17", b"some other header"), ("0", b"")])
def test_the_header_of_another_file_is_skipped(tmp_path: Path, size: str, more: bytes) -> None:
    (tmp_path / "a b.raw").write_bytes(more + VOXELS.tobytes(order="F"))

    path = mha(tmp_path / "a.mhd", VOXELS, PLACE | {"HeaderSize": size, "ElementDataFile": "a b.raw"}, b"")

    np.testing.assert_array_equal(read_volume(path).voxels, VOXELS)


@pytest.mark.parametrize("channels", [3, 4])
def test_bytes_in_threes_or_fours_are_colours(tmp_path: Path, channels: int) -> None:
    colours = np.stack([VOXELS] * channels)
    fields = PLACE | {"NDims": "3", "DimSize": "6 5 4", "ElementNumberOfChannels": str(channels)}

    path = mha(tmp_path / "a.mha", colours, fields)

    np.testing.assert_array_equal(read_volume(path).voxels, VOXELS)
    with pytest.raises(InputError, match="is not a label map"):
        read_label_map(path)


@pytest.mark.parametrize(("channels", "dtype"), [(2, "u1"), (3, "<i2"), (3, "<f4"), (5, "u1"), (10**9, "u1")])
def test_vectors_are_no_colours(tmp_path: Path, channels: int, dtype: str) -> None:
    fields = PLACE | {"ElementNumberOfChannels": str(channels)}

    with pytest.raises(InputError, match=rf"has {channels} values of the type \w+ a voxel, not grey or RGB"):
        read_volume(mha(tmp_path / "a.mha", VOXELS.astype(dtype), fields))


def test_the_intensity_function_is_applied(tmp_path: Path) -> None:
    fields = PLACE | {"ElementToIntensityFunctionSlope": "0.5", "ElementToIntensityFunctionOffset": "-3"}

    np.testing.assert_array_equal(read_volume(mha(tmp_path / "a.mha", VOXELS, fields)).voxels, VOXELS * 0.5 - 3)


def test_the_fourth_axis_is_time(tmp_path: Path) -> None:
    identity = " ".join(map(str, np.eye(4).ravel()))
    fields = {"TransformMatrix": identity, "Offset": "1 2 3 0", "ElementSpacing": "0.3 0.4 0.5 40"}

    frames = split_frames(mha(tmp_path / "a.mha", np.stack([VOXELS, VOXELS[::-1]], 3), fields))

    np.testing.assert_array_equal(frames[1].voxels, VOXELS[::-1])
    assert frames[1].geometry.origin == (1, 2, 3)


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = mha(tmp_path / "a.mha", VOXELS, PLACE)
    head, _, data = path.read_bytes().partition(b"LOCAL\n")
    path.write_bytes(head.replace(b"\n", b"\r\n") + b"LOCAL\r\n" + data)

    np.testing.assert_array_equal(read_volume(path).voxels, VOXELS)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"ElementDataFile": "x%n"}, "several files"),
        ({"ElementDataFile": "x%s%n%03d.raw 1 4 1"}, "several files"),
        ({"ElementDataFile": "LIST"}, "several files"),
        ({"ElementDataFile": "/dev/zero"}, "another folder"),
        ({"ElementDataFile": "../a.raw"}, "another folder"),
        ({"ElementDataFile": ""}, "another folder"),
        ({"NDims": "-3"}, "3 sizes for -3 axes"),
        ({"NDims": "1000000"}, "3 sizes for 1000000 axes"),
        ({"DimSize": "6 5"}, "2 sizes for 3 axes"),
        ({"DimSize": "4611686018427387904 1 1"}, r"more than 2\^31"),
        ({"DimSize": "65536 65536 65536"}, r"more than 2\^31"),
        ({"DimSize": "1000 1000 1000"}, r"is cut short \(\d+ of 1000000\d+ bytes\)"),
        ({"DimSize": "1000 1000 1000", "CompressedData": "True"}, "cannot hold"),
        ({"DimSize": "0 5 4"}, "is damaged"),
        ({"TransformMatrix": "1e308 0 0 0 1e308 0 0 0 1e308"}, "orthonormal|not finite"),
        ({"TransformMatrix": "nan 0 0 0 1 0 0 0 1"}, "not finite"),
        ({"TransformMatrix": "0 0 0 0 0 0 0 0 0"}, "no orthonormal directions"),
        ({"TransformMatrix": "1 1 1 1 1 1 1 1 1"}, "no orthonormal directions"),
        ({"TransformMatrix": "1 0.3 0 0 1 0 0 0 1"}, "no orthonormal directions"),
        ({"TransformMatrix": "2 0 0 0 2 0 0 0 2"}, "no orthonormal directions"),
        ({"TransformMatrix": "1 0 0 1"}, "TransformMatrix has 4 values"),
        ({"Offset": "0 0 1e300"}, "lies at"),
        ({"ElementSpacing": "0.3 0.4 0"}, "does not say how large its voxels are"),
        ({"ElementSpacing": "0.3 0.4 inf"}, "has the spacing inf mm"),
        ({"ElementSpacing": "0.3 0.4 -0.5"}, "has the spacing -0.5 mm"),
        ({"ElementType": "MET_STRING"}, "type MET_STRING"),
        ({"BinaryData": "False"}, "no image of binary voxels"),
        ({"ObjectType": "Mesh"}, "no image of binary voxels"),
        ({"HeaderSize": "-2"}, "HeaderSize -2"),
        ({"HeaderSize": "3"}, "HeaderSize 3"),
        ({"CompressedData": "True", "HeaderSize": "-1"}, "HeaderSize -1"),
        ({"CompressedData": "True", "CompressedDataSize": "5"}, "where its header declares"),
        ({"CompressedData": "True", "CompressedDataSize": "-1"}, "is damaged"),
        ({"CompressedData": "maybe"}, "is damaged"),
        ({"DistanceUnits": "cm"}, "has its spacing in cm"),
        ({"Name": "a\0b"}, "no text"),
    ],
)
def test_what_cannot_be_understood_is_one_sentence(tmp_path: Path, fields: dict[str, str], problem: str) -> None:
    path = mha(tmp_path / "a.mha", VOXELS, PLACE | fields)

    with pytest.raises(InputError, match=problem) as refused:
        read_volume(path)
    assert refused.value.subject == path and "\n" not in str(refused.value) and len(str(refused.value)) < 400


def test_the_frames_of_a_tracked_probe_are_no_volume(tmp_path: Path) -> None:
    fields = PLACE | {
        f"Seq_Frame{number:04d}_{name}": "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1"
        for number in range(4)
        for name in ("ProbeToTrackerTransform", "ProbeToTrackerTransformStatus")
    }
    for name, array in (("a.igs.mha", VOXELS), ("b.mha", VOXELS[..., None])):
        more = {} if array.ndim == 3 else {"TransformMatrix": " ".join("1" if n % 5 == 0 else "0" for n in range(16))}
        more |= {} if array.ndim == 3 else {"Offset": "0 0 0 0", "ElementSpacing": "1 1 1 1"}
        for read in (read_volume, read_geometry, read_label_map, split_frames):
            with pytest.raises(InputError, match=r"tracked sweep of 4 frames.*; reconstruct the volume first"):
                read(mha(tmp_path / name, array, fields | more))
