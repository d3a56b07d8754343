import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import read_geometry, read_label_map, read_volume, split_frames

VOXELS = np.random.default_rng(0).integers(0, 200, (6, 5, 4)).astype(np.uint8)  # (I, J, K)
PLACE = {
    "space": "left-posterior-superior",
    "space directions": "(0.3,0,0) (0,0.4,0) (0,0,0.5)",
    "space origin": "(1,2,3)",
}


def nrrd(path: Path, array: np.ndarray, fields: dict[str, str], texts: str = "", data: bytes | None = None) -> Path:
    """An array whose first axis is the fastest of the file."""
    names = {"u1": "uint8", "i2": "int16", "u2": "uint16", "f4": "float"}
    stated = {
        "type": names[array.dtype.str[1:]], "dimension": str(array.ndim), "sizes": " ".join(map(str, array.shape)),
        "encoding": "raw", "endian": "big" if array.dtype.str[0] == ">" else "little", **fields,
    }  # fmt: skip
    lines = "".join(f"{name}: {value}\n" for name, value in stated.items())
    content = array.tobytes(order="F") if data is None else data
    path.write_bytes(f"NRRD0005\n# made by hand\n{lines}{texts}\n".encode() + content)
    return path


@pytest.mark.parametrize("kind", ["list", "time"])
@pytest.mark.parametrize("axis", [0, 1, 2, 3])
@pytest.mark.parametrize("points", [2, 3, 4, 5])
def test_each_point_of_a_list_or_time_axis_is_a_volume_wherever_the_axis_is(
    tmp_path: Path, kind: str, axis: int, points: int
) -> None:
    times = np.stack([np.roll(VOXELS, time, 0) for time in range(points)], axis)
    kinds, directions = ["domain"] * 3, PLACE["space directions"].split()
    kinds.insert(axis, kind)
    directions.insert(axis, "none")
    fields = {
        **PLACE,
        "kinds": " ".join(kinds),
        "space directions": " ".join(directions),
        "space units": '"mm" "mm" "mm"',
    }
    path = nrrd(tmp_path / "beat.seq.nrrd", times, fields, "axis 0 index type:=numeric\n" if axis == 0 else "")

    frames = split_frames(path)

    assert [frame.name for frame in frames] == [f"beat.seq_{time:03d}" for time in range(points)]
    for time, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.voxels, np.roll(VOXELS, time, 0))
        assert frame.geometry.spacing == (0.3, 0.4, 0.5)
    with pytest.raises(InputError, match=rf"holds {points} volumes over time"):
        read_volume(path)


def test_a_time_axis_needs_no_unit_and_no_spacing(tmp_path: Path) -> None:
    times = np.stack([VOXELS, VOXELS[::-1]], 3)
    path = nrrd(tmp_path / "a.nrrd", times, {"kinds": "space space space time", "spacings": "0.3 0.4 0.5 nan"})

    assert len(split_frames(path)) == 2


def test_space_and_time_together_are_volumes_over_time(tmp_path: Path) -> None:
    fields = {
        "space": "left-posterior-superior-time", "space origin": "(1,2,3,0)", "kinds": "space space space time",
        "space directions": "(0.3,0,0,0) (0,0.4,0,0) (0,0,0.5,0) (0,0,0,40)", "space units": '"mm" "mm" "mm" "ms"',
    }  # fmt: skip

    first, _ = split_frames(nrrd(tmp_path / "a.nrrd", np.stack([VOXELS, VOXELS[::-1]], 3), fields))

    assert first.geometry.origin == (1, 2, 3) and first.geometry.spacing == (0.3, 0.4, 0.5)


def test_colour_over_time_is_grey_over_time(tmp_path: Path) -> None:
    colours = np.stack([VOXELS] * 3)
    fields = {**PLACE, "kinds": "RGB-color domain domain domain list"}
    fields["space directions"] = f"none {PLACE['space directions']} none"

    frames = split_frames(nrrd(tmp_path / "a.nrrd", np.stack([colours, colours[:, ::-1]], 4), fields))

    np.testing.assert_array_equal(frames[1].voxels, VOXELS[::-1])


@pytest.mark.parametrize("kind", ["vector", "covariant-vector", "3-vector", "3-normal", "HSV-color", "???"])
def test_what_is_no_colour_is_not_taken_for_one(tmp_path: Path, kind: str) -> None:
    fields = {**PLACE, "kinds": f"{kind} domain domain domain", "space directions": f"none {PLACE['space directions']}"}

    with pytest.raises(InputError, match=r"has 3 values a voxel of the kind .*not grey or RGB; give a grey"):
        read_volume(nrrd(tmp_path / "a.nrrd", np.stack([VOXELS] * 3), fields))


@pytest.mark.parametrize(("kind", "channels"), [("RGB-color", 3), ("3-color", 3), ("RGBA-color", 4), ("4-color", 4)])
def test_what_is_called_colour_is_colour_on_any_axis(tmp_path: Path, kind: str, channels: int) -> None:
    colours = np.random.default_rng(1).integers(0, 255, (6, 5, 4, channels)).astype(np.uint8)
    fields = {**PLACE, "kinds": f"domain domain domain {kind}", "space directions": f"{PLACE['space directions']} none"}

    grey: NDArray[Any] = read_volume(nrrd(tmp_path / "a.nrrd", colours, fields)).voxels

    np.testing.assert_allclose(grey, np.rint(colours[..., :3] @ [0.299, 0.587, 0.114]), atol=1)


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1, 1)),
        ("right-anterior-superior", (-1, -1, 1)),
        ("RAS", (-1, -1, 1)),
        ("left-anterior-superior", (1, -1, 1)),
        ("scanner-xyz", (1, 1, 1)),
    ],
)
def test_positions_are_turned_to_lps(tmp_path: Path, space: str, signs: tuple[int, int, int]) -> None:
    geometry = read_geometry(nrrd(tmp_path / "a.nrrd", VOXELS, {**PLACE, "space": space}))

    assert geometry.origin == tuple(np.array(signs) * (1, 2, 3))
    np.testing.assert_array_equal(geometry.direction, np.diag(signs))


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", "<u2", ">u2", "<f4", ">f4"])
@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_skips_and_byte_orders_are_respected(tmp_path: Path, dtype: str, encoding: str) -> None:
    stored = VOXELS.astype(dtype)
    body = b"skipped" + stored.tobytes(order="F")
    fields = {**PLACE, "encoding": encoding, "line skip": "2", "byte skip": "7"}
    data = b"a line\nanother\n" + (gzip.compress(body) if encoding == "gzip" else body)

    path = nrrd(tmp_path / "a.nrrd", stored, fields, data=data)

    np.testing.assert_array_equal(read_volume(path).voxels, VOXELS)


def test_byte_skip_minus_one_takes_the_last_bytes(tmp_path: Path) -> None:
    data = b"a header of another format" + VOXELS.tobytes(order="F")

    path = nrrd(tmp_path / "a.nrrd", VOXELS, {**PLACE, "byte skip": "-1"}, data=data)

    np.testing.assert_array_equal(read_volume(path).voxels, VOXELS)


@pytest.mark.parametrize("name", ["a.raw", "./a.raw", "other name.bin"])
def test_voxels_may_lie_in_a_file_beside_the_header(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(VOXELS.tobytes(order="F"))

    path = nrrd(tmp_path / "a.NHDR", VOXELS, {**PLACE, "data file": name}, data=b"")

    np.testing.assert_array_equal(read_volume(path).voxels, VOXELS)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("/etc/passwd", "another folder"),
        ("../a.raw", "another folder"),
        ("sub/a.raw", "another folder"),
        ("..\\a.raw", "another folder"),
        ("C:\\a.raw", "another folder"),
        ("x%03d.raw 1 9 1", "several files"),
        ("LIST\nx.raw\ny.raw", "several files"),
        ("none.raw", "missing"),
        (".", "another folder"),
    ],
)
def test_voxels_elsewhere_are_refused(tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read_volume(nrrd(tmp_path / "a.nhdr", VOXELS, {**PLACE, "data file": name}, data=b""))


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = nrrd(tmp_path / "a.nrrd", VOXELS, PLACE)
    head, _, data = path.read_bytes().partition(b"\n\n")
    path.write_bytes(head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + data)

    np.testing.assert_array_equal(read_volume(path).voxels, VOXELS)


def test_directions_rounded_to_three_decimals_are_orthogonal(tmp_path: Path) -> None:
    turned = np.array([[0.936, -0.289, 0.199], [0.293, 0.956, 0.0], [-0.19, 0.058, 0.98]]) * 0.3
    exact, _ = np.linalg.qr(turned)
    exact *= np.sign(np.diag(exact)) * 0.3
    vectors = " ".join("(" + ",".join(f"{value:.3f}" for value in column) + ")" for column in exact.T)

    geometry = read_geometry(nrrd(tmp_path / "a.nrrd", VOXELS, {**PLACE, "space directions": vectors}))

    np.testing.assert_allclose(geometry.direction.T @ geometry.direction, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(geometry.direction * 0.3, exact, atol=1e-3)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"space directions": "(0.3,0.1,0) (0,0.4,0) (0,0,0.5)"}, "no orthonormal directions"),
        ({"space directions": "(1e308,0,0) (0,1e308,0) (0,0,1e308)"}, "spacing"),
        ({"space directions": "(nan,0,0) (0,1,0) (0,0,1)"}, "no spacing|not finite"),
        ({"space directions": "(1,0,0)" * 5000}, "is damaged"),
        ({"space directions": "(1,0) (0,1) (0,0)"}, "is damaged"),
        ({"space directions": "none none none"}, "kind"),
        ({"spacings": "0.3 0.4 0.6"}, "0.5 mm by its space directions and 0.6 mm by its spacings"),
        ({"space origin": "(1,2,inf)"}, "lies at"),
        ({"space": "other"}, "the space other"),
        ({"sizes": "6 5"}, "2 sizes"),
        ({"sizes": "6 5 -4"}, "is damaged"),
        ({"sizes": "4611686018427387904 2 2"}, r"more than 2\^31"),
        ({"sizes": "9" * 5000}, "is damaged"),
        ({"sizes": "6 5 5"}, r"cut short \("),
        ({"sizes": "6 5 3"}, "where its header declares"),
        ({"type": "block"}, "type block"),
        ({"type": "int16", "endian": "middle"}, "is damaged"),
        ({"encoding": "bzip2"}, "encoding bzip2"),
        ({"encoding": "hex"}, "encoding hex"),
        ({"encoding": "gzip"}, "is damaged"),
        ({"byte skip": "4611686018427387904"}, "cut short"),
        ({"line skip": "1000"}, "fewer lines"),
        ({"line skip": "-1"}, "line skip -1"),
        ({"unknown": "1"}, "its field unknown"),
        ({"units": '"cm" "cm" "cm"', "space units": '"mm" "mm" "um"'}, "spacing in um"),
        ({"kinds": "domain domain"}, "2 kinds for 3 axes"),
        ({"kinds": "list domain domain"}, "film of 6 2-D images"),
    ],
)
def test_what_cannot_be_understood_is_one_sentence(tmp_path: Path, fields: dict[str, str], problem: str) -> None:
    path = nrrd(tmp_path / "a.nrrd", VOXELS, {**PLACE, **fields})

    with pytest.raises(InputError, match=problem) as refused:
        read_volume(path)
    assert refused.value.subject == path and "\n" not in str(refused.value) and len(str(refused.value)) < 400


@pytest.mark.parametrize("content", [b"", b"NRRD", b"NRRD0009\n\n", b"\xef\xbb\xbfNRRD0005\n", b"NRRD0005\nsizes: 3\n"])
def test_no_header_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.nrrd").write_bytes(content)

    with pytest.raises(InputError, match=r"a\.nrrd: is damaged or not what its suffix says"):
        read_volume(tmp_path / "a.nrrd")


def test_the_frames_of_a_tracked_probe_are_no_volume(tmp_path: Path) -> None:
    texts = "".join(f"Seq_Frame{n:04d}_ProbeToTrackerTransform:=1 0 0 0 0 1 0 0 0 0 1 {n} 0 0 0 1\n" for n in range(4))
    fields = {"kinds": "domain domain list", "space dimension": "3"}
    fields["space directions"] = "(1,0,0) (0,1,0) none"

    for name, kinds in (("a.igs.nrrd", fields), ("b.nrrd", {**PLACE})):
        path = nrrd(tmp_path / name, VOXELS, kinds, texts)
        for read in (read_volume, read_geometry, read_label_map, split_frames):
            with pytest.raises(InputError, match=r"tracked sweep of 4 frames.*; reconstruct the volume first"):
                read(path)


def test_a_volume_reconstructed_from_a_sweep_is_read(tmp_path: Path) -> None:
    texts = "Seq_Frame0000_ImageStatus:=OK\nSeq_Frame0000_ProbeToTrackerTransform:=1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1\n"

    np.testing.assert_array_equal(read_volume(nrrd(tmp_path / "a.nrrd", VOXELS, PLACE, texts)).voxels, VOXELS)


def test_a_domain_without_a_place_is_a_series(tmp_path: Path) -> None:
    fields = {**PLACE, "kinds": "domain domain domain domain", "space directions": f"none {PLACE['space directions']}"}

    frames = split_frames(nrrd(tmp_path / "a.nrrd", np.stack([VOXELS, VOXELS[::-1]]), fields))

    np.testing.assert_array_equal(frames[1].voxels, VOXELS[::-1])


def test_two_axes_of_time_are_refused(tmp_path: Path) -> None:
    fields = {**PLACE, "kinds": "domain domain domain list time"}
    fields["space directions"] = f"{PLACE['space directions']} none none"

    with pytest.raises(InputError, match="has axes of the kinds domain domain domain list time"):
        split_frames(nrrd(tmp_path / "a.nrrd", np.zeros((6, 5, 4, 2, 3), np.uint8), fields))


def test_a_header_of_a_million_lines_has_no_end(tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").write_bytes(b"NRRD0005\n" + b"#\n" * 1_000_000)

    with pytest.raises(InputError, match="its header has no end"):
        read_volume(tmp_path / "a.nrrd")
