import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import read_geometry, read_label_map, read_volume, split_frames

VOXELS = np.random.default_rng(0).integers(0, 200, (6, 5, 4)).astype(np.uint8)  # (I, J, K)
CODES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "i1": 256, "u2": 512, "u4": 768, "i8": 1024, "u8": 1280}


def nifti(
    path: Path,
    array: np.ndarray = VOXELS,
    *,
    version: int = 1,
    pixdim: tuple[float, ...] = (1, 0.3, 0.4, 0.5),
    qform: tuple[int, tuple[float, ...]] = (0, (0, 0, 0, 0, 0, 0)),
    sform: tuple[int, np.ndarray] | None = None,
    datatype: tuple[int, int] | None = None,
    dim: tuple[int, ...] | None = None,
    scale: tuple[float, float] = (0, 0),
    units: int = 2,
    intent: int = 0,
    extra: bytes = b"",
) -> Path:
    """A NIfTI file of an array whose first axis is the fastest; forms are codes with their numbers, in RAS."""
    order = ">" if array.dtype.str[0] == ">" else "<"
    shape = dim or (array.ndim, *array.shape)
    shape, pixdim = (*shape, *[1] * (8 - len(shape))), (*pixdim, *[1.0] * (8 - len(pixdim)))
    code, bits = datatype or (CODES[array.dtype.str[1:]], 8 * array.dtype.itemsize)
    rows = (0, np.zeros((3, 4))) if sform is None else sform
    numbers = (*qform[1], *np.asarray(rows[1]).ravel())
    start = (352 if version == 1 else 544) + len(extra)
    head = bytearray(start)
    if version == 1:
        struct.pack_into(order + "i", head, 0, 348)
        struct.pack_into(order + "8h", head, 40, *shape)
        struct.pack_into(order + "3h", head, 68, intent, code, bits)
        struct.pack_into(order + "8f3f", head, 76, *pixdim, start, *scale)
        struct.pack_into(order + "2h18f", head, 252, qform[0], rows[0], *numbers)
        head[123], head[344:348] = units, b"n+1\0"
    else:
        struct.pack_into(order + "i8s2h8q", head, 0, 540, b"n+2\0\r\n\x1a\n", code, bits, *shape)
        struct.pack_into(order + "8dq2d", head, 104, *pixdim, start, *scale)
        struct.pack_into(order + "2i18d", head, 344, qform[0], rows[0], *numbers)
        struct.pack_into(order + "2i", head, 500, units, intent)
    content = bytes(head[: start - len(extra)]) + extra + array.tobytes(order="F")
    path.write_bytes(gzip.compress(content) if path.name.lower().endswith(".gz") else content)
    return path


def affine(spacing: tuple[float, float, float], origin: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    return np.column_stack([np.diag(spacing), origin])


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", "<u2", ">u2", "<f4", ">f4", "<f8", ">i4", ">u8", "i1"])
@pytest.mark.parametrize("name", ["a.nii", "a.NII.GZ"])
def test_both_versions_types_and_byte_orders(tmp_path: Path, version: int, dtype: str, name: str) -> None:
    stored = (VOXELS // 2).astype(dtype)
    sform = (1, affine((0.3, 0.4, 0.5), (1, 2, 3)))

    volume = read_volume(nifti(tmp_path / name, stored, version=version, sform=sform, extra=bytes(16)))

    np.testing.assert_array_equal(volume.voxels, VOXELS // 2)
    np.testing.assert_allclose(volume.geometry.spacing, (0.3, 0.4, 0.5), rtol=1e-6)
    assert volume.geometry.origin == (-1, -2, 3)
    np.testing.assert_array_equal(volume.geometry.direction, np.diag([-1, -1, 1]))


def test_the_only_valid_form_counts_whatever_pixdim_says(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", pixdim=(1, 1, 1, 1), sform=(1, affine((0.5, 0.5, 0.5))))

    assert read_geometry(path).voxel_volume_ml == pytest.approx(0.125e-3)


def test_a_form_of_code_zero_does_not_count(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", sform=(0, affine((9, 9, 9))), qform=(1, (0, 0, 0, 1, 2, 3)))

    geometry = read_geometry(path)

    np.testing.assert_allclose(geometry.spacing, (0.3, 0.4, 0.5), rtol=1e-6)
    assert geometry.origin == (-1, -2, 3)


def test_without_forms_the_voxel_sizes_count(tmp_path: Path) -> None:
    np.testing.assert_allclose(read_geometry(nifti(tmp_path / "a.nii")).spacing, (0.3, 0.4, 0.5), rtol=1e-6)


@pytest.mark.parametrize("qfac", [1, -1, 0])
def test_the_quaternion_is_that_of_the_standard(tmp_path: Path, qfac: int) -> None:
    half = np.sqrt(0.5)  # a quarter turn about z

    path = nifti(tmp_path / "a.nii", pixdim=(qfac, 0.3, 0.4, 0.5), qform=(2, (0, 0, half, 0, 0, 0)))
    direction = read_geometry(path).direction

    # RAS: i runs along +y, j along -x, k along +z or against it.
    np.testing.assert_allclose(direction, [[0, 1, 0], [-1, 0, 0], [0, 0, -1 if qfac == -1 else 1]], atol=1e-6)


@pytest.mark.parametrize("code", [1, 4])
def test_forms_that_agree_are_read(tmp_path: Path, code: int) -> None:
    path = nifti(
        tmp_path / "a.nii", sform=(code, affine((0.301, 0.4, 0.5), (1.1, 2, 3))), qform=(1, (0, 0, 0, 1, 2, 3))
    )

    assert read_geometry(path).origin == pytest.approx((-1.1, -2, 3))


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (
            affine((0.6, 0.4, 0.5), (1, 2, 3)),
            r"0\.6 x 0\.4 x 0\.5 mm by its sform and of 0\.3 x 0\.4 x 0\.5 mm",
        ),
        (affine((0.305, 0.4, 0.5), (1, 2, 3)), "by its sform and of"),
        (affine((0.3, 0.4, 0.5), (1.2, 2, 3)), r"up to 0\.667 voxels apart \(first voxel at \(-1\.2, -2\.0, 3\.0\)"),
        (affine((-0.3, 0.4, 0.5), (1, 2, 3)), "voxels apart"),
    ],
)
def test_forms_that_contradict_each_other_are_refused_with_both_values(
    tmp_path: Path, rows: np.ndarray, problem: str
) -> None:
    path = nifti(tmp_path / "a.nii.gz", sform=(1, rows), qform=(1, (0, 0, 0, 1, 2, 3)))

    with pytest.raises(InputError, match=problem):
        read_volume(path)
    with pytest.raises(InputError, match=r"save it again with the right one alone"):
        read_geometry(path)


@pytest.mark.parametrize("qform", [0, 1])
def test_a_sheared_sform_is_refused(tmp_path: Path, qform: int) -> None:
    rows = affine((0.3, 0.4, 0.5))
    rows[0, 1] = 0.1

    with pytest.raises(InputError, match=r"has a wrong sform: it has no orthonormal directions"):
        read_volume(nifti(tmp_path / "a.nii", sform=(1, rows), qform=(qform, (0, 0, 0, 0, 0, 0))))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 0.0, -0.3])
@pytest.mark.parametrize("form", [0, 1])
def test_a_voxel_size_that_is_none_is_refused(tmp_path: Path, value: float, form: int) -> None:
    path = nifti(tmp_path / "a.nii", pixdim=(1, 0.3, value, 0.5), sform=(form, affine((0.3, 0.4, 0.5))))

    with pytest.raises(InputError, match=r"has the spacing -?(inf|0.3) mm|does not say how large its voxels are"):
        read_volume(path)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ((0.5, -3), VOXELS * 0.5 - 3),
        ((0, 5), VOXELS),
        ((np.nan, 5), VOXELS),
        ((np.inf, 5), VOXELS),
        ((1, 0), VOXELS),
        ((1, -7), VOXELS - 7.0),
    ],
)
def test_slope_and_intercept_are_applied(tmp_path: Path, scale: tuple[float, float], expected: np.ndarray) -> None:
    voxels = read_volume(nifti(tmp_path / "a.nii", scale=scale)).voxels

    np.testing.assert_array_equal(voxels, expected)
    assert voxels.dtype == (np.uint8 if expected is VOXELS else np.float32)


@pytest.mark.parametrize(("datatype", "channels"), [((128, 24), 3), ((2304, 32), 4)])
def test_rgb_is_colour(tmp_path: Path, datatype: tuple[int, int], channels: int) -> None:
    colours = np.stack([VOXELS] * channels)
    path = nifti(tmp_path / "a.nii.gz", colours, datatype=datatype, dim=(3, 6, 5, 4))

    np.testing.assert_array_equal(read_volume(path).voxels, VOXELS)
    with pytest.raises(InputError, match="is not a label map"):
        read_label_map(path)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_vectors_on_the_fifth_axis_are_no_colours(tmp_path: Path, channels: int) -> None:
    vectors = np.stack([VOXELS[..., None]] * channels, 4)

    with pytest.raises(InputError, match=rf"has {channels} values a voxel \(a fifth dimension: vectors\)"):
        read_volume(nifti(tmp_path / "a.nii", vectors, intent=1007))


def test_the_fourth_axis_is_time(tmp_path: Path) -> None:
    times = np.stack([VOXELS, VOXELS[::-1], VOXELS[:, ::-1]], 3)

    frames = split_frames(nifti(tmp_path / "a.nii.gz", times, units=10))

    np.testing.assert_array_equal(frames[2].voxels, VOXELS[:, ::-1])


def test_the_file_of_the_given_name_is_read_not_one_beside_it(tmp_path: Path) -> None:
    """ITK reads a.nii where it is asked for a.nii.gz and both are there."""
    nifti(tmp_path / "a.nii", VOXELS[::-1])
    path = nifti(tmp_path / "a.nii.gz")
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0, 0, 0] == VOXELS[-1, 0, 0]

    np.testing.assert_array_equal(read_volume(path).voxels, VOXELS)


@pytest.mark.parametrize(
    ("position", "code", "value", "problem"),
    [
        (0, "<i", 349, "no NIfTI header"),
        (344, "4s", b"ni1\0", "no mark of a NIfTI file that holds its voxels"),
        (344, "4s", bytes(4), "no mark"),
        (40, "<h", -3, "is damaged"),
        (40, "<h", 8, "is damaged"),
        (42, "<h", 0, "is damaged"),
        (42, "<h", -6, "is damaged"),
        (44, "<h", 32767, "cut short"),
        (70, "<h", 32, "NIfTI datatype 32"),
        (70, "<h", 4, "8 bits a voxel for the datatype 4"),
        (108, "<f", 1e30, "voxels begin at byte"),
        (108, "<f", np.nan, "voxels begin at byte"),
        (108, "<f", 352.5, "voxels begin at byte"),
        (108, "<f", 348, "voxels begin at byte"),
        (108, "<f", 368, "cut short"),
        (123, "B", 1, "spacing in metres"),
        (123, "B", 7, "an unknown unit"),
        (116, "<f", np.nan, "scl_inter"),
    ],
)
def test_what_cannot_be_understood_is_one_sentence(
    tmp_path: Path, position: int, code: str, value: object, problem: str
) -> None:
    path = nifti(tmp_path / "a.nii", scale=(2, 1))
    content = bytearray(path.read_bytes())
    struct.pack_into(code, content, position, value)
    path.write_bytes(content)

    with pytest.raises(InputError, match=problem) as refused:
        read_volume(path)
    assert refused.value.subject == path and "\n" not in str(refused.value)


def test_a_quaternion_longer_than_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has a wrong qform: its quaternion \(0.8, 0.8, 0\)"):
        read_volume(nifti(tmp_path / "a.nii", qform=(1, (0.8, 0.8, 0, 0, 0, 0))))
