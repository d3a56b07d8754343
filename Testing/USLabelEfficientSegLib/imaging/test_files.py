import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import (
    READ_SUFFIXES,
    WRITE_SUFFIXES,
    find_images,
    image_name,
    read_label_map,
    read_volume,
    split_frames,
    write_label_map,
    write_volume,
)
from USLabelEfficientSegLib.imaging.volume import Geometry, LabelMap, UltrasoundVolume

DATA = Path(os.environ.get("USLABELSEG_DATA", Path(__file__).parents[4] / "shared" / "data"))
GIPL = DATA / "volumes" / "prostate_trus_full_resolution.gipl"


@pytest.fixture
def volume(oblique_geometry: Geometry) -> UltrasoundVolume:
    voxels = np.random.default_rng(0).integers(0, 256, oblique_geometry.shape).astype(np.uint8)
    return UltrasoundVolume(voxels, oblique_geometry, "case")


def _write_with_itk(path: Path, array: np.ndarray, colours: bool = False, compressed: bool = False) -> Path:
    """Write an array (..., K, J, I) or (K, J, I, colours) as it is, whatever this library thinks of it."""
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=colours), str(path), compressed)
    return path


def _data_file(header: Path) -> Path:
    """The file that holds the voxels of an image."""
    others = [path for path in header.parent.glob(f"{header.stem}.*") if path != header]
    return others[0] if header.suffix in (".nhdr", ".mhd") else header


@pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
def test_a_volume_comes_back_as_written(volume: UltrasoundVolume, tmp_path: Path, suffix: str) -> None:
    write_volume(tmp_path / f"case.1{suffix}", volume)

    again = read_volume(tmp_path / f"case.1{suffix}")

    np.testing.assert_array_equal(again.voxels, volume.voxels)
    assert again.voxels.dtype == np.uint8
    assert again.geometry.same_grid(volume.geometry, 1e-5)
    assert again.name == "case.1"
    assert os.listdir(tmp_path) == [f"case.1{suffix}"]


def test_voxels_are_indexed_like_simpleitk_images(volume: UltrasoundVolume, tmp_path: Path) -> None:
    write_volume(tmp_path / "case.nrrd", volume)

    image = sitk.ReadImage(str(tmp_path / "case.nrrd"))

    assert image.GetSize() == volume.voxels.shape
    assert image.GetPixel(3, 4, 5) == volume.voxels[3, 4, 5]
    point = image.TransformContinuousIndexToPhysicalPoint((3.5, 4.0, 5.25))
    np.testing.assert_allclose(volume.geometry.index_to_physical((3.5, 4.0, 5.25)), point, atol=1e-9)


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        ("int8", "int8"),
        ("uint16", "uint16"),
        ("int16", "int16"),
        ("int32", "float32"),
        ("float64", "float32"),
    ],
)
def test_small_integers_stay_and_others_become_float32(
    volume: UltrasoundVolume, tmp_path: Path, stored: str, kept: str
) -> None:
    path = _write_with_itk(tmp_path / "a.nrrd", (volume.voxels // 2).astype(stored))

    read = read_volume(path)

    assert read.voxels.dtype == kept
    np.testing.assert_array_equal(read.voxels, np.swapaxes(volume.voxels // 2, 0, 2))


@pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
def test_a_label_map_comes_back_as_written(oblique_geometry: Geometry, tmp_path: Path, suffix: str) -> None:
    labels = np.random.default_rng(0).choice([0, 1, 2, 255], oblique_geometry.shape).astype(np.uint8)
    write_label_map(tmp_path / f"a{suffix}", LabelMap(labels, oblique_geometry, "a"))

    again = read_label_map(tmp_path / f"a{suffix}")

    np.testing.assert_array_equal(again.voxels, labels)
    assert again.geometry.same_grid(oblique_geometry, 1e-5)


def test_whole_numbers_stored_as_float_are_labels(tmp_path: Path) -> None:
    array = np.zeros((3, 4, 5), np.float32)
    array[1] = 2

    assert set(np.unique(read_label_map(_write_with_itk(tmp_path / "a.nii.gz", array)).voxels)) == {0, 2}


@pytest.mark.parametrize("value", [0.5, -1, 256, np.nan])
def test_values_that_are_no_labels_are_refused(tmp_path: Path, value: float) -> None:
    array = np.zeros((3, 4, 5), np.float32)
    array[1, 2, 3] = value

    with pytest.raises(InputError, match=r"a\.nrrd: holds values that are not labels"):
        read_label_map(_write_with_itk(tmp_path / "a.nrrd", array))


def test_a_colour_label_map_is_refused(tmp_path: Path) -> None:
    path = _write_with_itk(tmp_path / "a.nrrd", np.zeros((3, 4, 5, 3), np.uint8), colours=True)

    with pytest.raises(InputError, match="is not a label map"):
        read_label_map(path)


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
@pytest.mark.parametrize("channels", [3, 4])
def test_colour_becomes_luminance(tmp_path: Path, suffix: str, channels: int) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (3, 4, 5, channels)).astype(np.uint8)

    grey = read_volume(_write_with_itk(tmp_path / f"a{suffix}", colours, colours=True)).voxels

    assert grey.dtype == np.uint8
    expected = np.rint(colours[..., :3] @ [0.299, 0.587, 0.114])
    np.testing.assert_allclose(np.swapaxes(grey, 0, 2), expected, atol=1)


def test_grey_stored_as_colour_is_unchanged(volume: UltrasoundVolume, tmp_path: Path) -> None:
    path = _write_with_itk(tmp_path / "a.nrrd", np.repeat(volume.voxels[..., None], 3, axis=3), colours=True)

    np.testing.assert_array_equal(np.swapaxes(read_volume(path).voxels, 0, 2), volume.voxels)


def test_two_channels_are_refused(tmp_path: Path) -> None:
    path = _write_with_itk(tmp_path / "a.nrrd", np.zeros((3, 4, 5, 2), np.uint8), colours=True)

    with pytest.raises(InputError, match="give a grey or RGB image"):
        read_volume(path)


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_four_dimensions_are_refused_and_can_be_split(tmp_path: Path, suffix: str) -> None:
    array = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5)).astype(np.uint8)
    path = _write_with_itk(tmp_path / f"beat{suffix}", array)

    with pytest.raises(InputError, match=r"holds 2 volumes over time \(4-D\); save the time point"):
        read_volume(path)
    with pytest.raises(InputError, match="4-D"):
        read_label_map(path)
    first, second = split_frames(path)

    assert (first.name, second.name) == ("beat_000", "beat_001")
    np.testing.assert_array_equal(np.swapaxes(second.voxels, 0, 2), array[1])


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz"])
def test_a_fourth_dimension_of_one_is_no_dimension(tmp_path: Path, suffix: str) -> None:
    array = np.arange(60, dtype=np.uint8).reshape(1, 3, 4, 5)

    read = read_volume(_write_with_itk(tmp_path / f"a{suffix}", array))

    np.testing.assert_array_equal(np.swapaxes(read.voxels, 0, 2), array[0])


@pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5)])
def test_a_slice_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = _write_with_itk(tmp_path / "a.nrrd", np.arange(20, dtype=np.uint8).reshape(shape))

    with pytest.raises(InputError, match=r"a\.nrrd: is (a 2-D image|no volume)"):
        read_volume(path)


@pytest.mark.parametrize(("value", "problem"), [(np.nan, "NaN or infinite"), (7, "the value 7 in every voxel")])
def test_images_without_content_are_refused(tmp_path: Path, value: float, problem: str) -> None:
    path = _write_with_itk(tmp_path / "a.mha", np.full((3, 4, 5), value, np.float32))

    with pytest.raises(InputError, match=rf"a\.mha: .*{problem}"):
        read_volume(path)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", READ_SUFFIXES)
@pytest.mark.parametrize("kept", [0.97, 0.5, 0.02, 0.0])
def test_a_truncated_file_is_refused_without_a_word_on_stderr(
    volume: UltrasoundVolume,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    suffix: str,
    compressed: bool,
    kept: float,
) -> None:
    path = _write_with_itk(tmp_path / f"a{suffix}", volume.voxels, compressed=compressed)
    whole = _data_file(path).read_bytes()
    np.testing.assert_array_equal(np.swapaxes(read_volume(path).voxels, 0, 2), volume.voxels)

    _data_file(path).write_bytes(whole[: int(len(whole) * kept)])

    with pytest.raises(InputError, match=r"cut short|damaged"):
        read_volume(path)
    assert capfd.readouterr().err == ""


def test_a_damaged_compressed_file_is_refused(volume: UltrasoundVolume, tmp_path: Path) -> None:
    path = _write_with_itk(tmp_path / "a.nii.gz", volume.voxels)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"damaged|cut short"):
        read_volume(path)


def test_a_shear_is_refused_with_its_reason(volume: UltrasoundVolume, tmp_path: Path) -> None:
    path = _write_with_itk(tmp_path / "a.nii", volume.voxels)
    header = bytearray(path.read_bytes())
    header[252:254] = b"\0\0"  # no quaternion
    header[280:296] = np.array([1, 0.3, 0, 0], "<f4").tobytes()  # first row of the affine matrix
    path.write_bytes(header)

    with pytest.raises(InputError, match="orthonormal direction"):
        read_volume(path)


def test_the_error_stream_works_after_reading(volume: UltrasoundVolume, tmp_path: Path, capfd) -> None:
    write_volume(tmp_path / "a.nrrd", volume)
    read_volume(tmp_path / "a.nrrd")

    os.write(2, b"still here")

    assert capfd.readouterr().err == "still here"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("missing.nrrd", "no such file"),
        ("text.csv", "not of a format that can be read; convert it to NRRD, NIfTI"),
        ("empty", "folder without DICOM images"),
        ("fake.nrrd", "is damaged"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "text.csv").write_text("a,b")
    (tmp_path / "fake.nrrd").write_text("a,b")
    (tmp_path / "empty").mkdir()

    with pytest.raises(InputError, match=problem):
        read_volume(tmp_path / name)


def test_a_huge_image_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.nrrd"
    path.write_text("NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2048 2048 513\nencoding: raw\n\n")

    with pytest.raises(InputError, match=r"has 2048 x 2048 x 513 voxels, more than 2\^31"):
        read_volume(path)


def test_long_names_and_letters_of_any_language(volume: UltrasoundVolume, tmp_path: Path) -> None:
    folder = tmp_path / "Prüfung 胎児" / ("d" * 200) / ("e" * 200)
    folder.mkdir(parents=True)
    for suffix in WRITE_SUFFIXES:
        path = folder / ("ñ" * 120 + suffix)

        write_volume(path, volume)

        np.testing.assert_array_equal(read_volume(path).voxels, volume.voxels)
        assert read_volume(path).name == "ñ" * 120


@pytest.mark.parametrize("name", ["a.gipl", "a.mhd", "a.png", "a", "a.dcm"])
def test_only_formats_of_one_file_that_keep_the_geometry_are_written(
    volume: UltrasoundVolume, tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match=r"use one of \.nrrd"):
        write_volume(tmp_path / name, volume)
    assert not list(tmp_path.iterdir())


def test_writing_into_a_folder_that_does_not_exist(volume: UltrasoundVolume, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be written \(no such file or directory\); choose"):
        write_volume(tmp_path / "missing" / "a.nrrd", volume)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="every folder is writable to root")
def test_writing_without_permission(volume: UltrasoundVolume, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match=r"cannot be written \(permission denied\); choose"):
            write_volume(tmp_path / "a.nrrd", volume)
    finally:
        tmp_path.chmod(0o700)


FULL_DISK = """
import resource, signal, sys
import numpy as np
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import write_volume
from USLabelEfficientSegLib.imaging.volume import Geometry, UltrasoundVolume

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
voxels = np.random.default_rng(0).integers(0, 256, (50, 50, 50)).astype(np.uint8)
volume = UltrasoundVolume(voxels, Geometry(voxels.shape, (1, 1, 1), (0, 0, 0), np.eye(3)), "a")
for path in sys.argv[1:]:
    try:
        write_volume(path, volume)
    except InputError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of the file size are POSIX")
def test_a_full_disk_leaves_the_old_file_alone(volume: UltrasoundVolume, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}{suffix}" for number, suffix in enumerate(WRITE_SUFFIXES)]
    for path in paths:
        write_volume(path, volume)
    library = Path(sys.modules["USLabelEfficientSegLib"].__path__[0]).parent

    told = subprocess.run(
        [sys.executable, "-c", FULL_DISK, *map(str, paths)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(library)},
        check=True,
    )

    sentences = [f"{path}: cannot be written completely; free space on the disk." for path in paths]
    assert told.stdout.splitlines() == sentences
    assert told.stderr == ""
    assert sorted(tmp_path.iterdir()) == paths
    for path in paths:
        np.testing.assert_array_equal(read_volume(path).voxels, volume.voxels)


def test_images_are_found_by_name(volume: UltrasoundVolume, tmp_path: Path) -> None:
    write_volume(tmp_path / "b.nii.gz", volume)
    write_volume(tmp_path / "a.2.NRRD", volume)
    write_volume(tmp_path / "c.mha", volume)
    for other in ("cases.csv", ".hidden.nrrd"):
        (tmp_path / other).write_text("")
    (tmp_path / "folder.nrrd").mkdir()

    images = find_images(tmp_path)

    assert list(images) == ["a.2", "b", "c"]
    assert images["b"] == tmp_path / "b.nii.gz"


def test_two_images_of_one_name_are_refused(volume: UltrasoundVolume, tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii.gz", volume)
    write_volume(tmp_path / "a.nrrd", volume)

    with pytest.raises(InputError, match=r"two images of the name a \(a\.nii\.gz and a\.nrrd\)"):
        find_images(tmp_path)


@pytest.mark.parametrize(("folder", "problem"), [("", "holds no images"), ("missing", "no such file")])
def test_a_folder_without_images_is_refused(tmp_path: Path, folder: str, problem: str) -> None:
    (tmp_path / "readme.txt").write_text("nothing here")

    with pytest.raises(InputError, match=problem):
        find_images(tmp_path / folder)


def test_the_name_of_an_image_is_its_file_name_without_the_format() -> None:
    assert image_name(Path("x/a.b.nii.gz")) == "a.b"
    assert image_name(Path("x/a.gipl.gz")) == "a"
    assert image_name(Path("x/A.NRRD")) == "A"


@pytest.mark.skipif(not GIPL.exists(), reason="needs the real volumes of shared/data")
def test_a_real_gipl_volume_has_the_geometry_that_simpleitk_reads(tmp_path: Path) -> None:
    image = sitk.ReadImage(str(GIPL))

    volume = read_volume(GIPL)

    assert volume.voxels.shape == image.GetSize() == (479, 394, 29)
    np.testing.assert_allclose(volume.geometry.spacing, (0.199, 0.199, 2.0), rtol=1e-6)
    np.testing.assert_allclose(volume.geometry.origin, image.GetOrigin())
    np.testing.assert_allclose(volume.geometry.direction.ravel(), image.GetDirection())
    np.testing.assert_array_equal(volume.voxels[:, :, 14], sitk.GetArrayFromImage(image)[14].T)

    short = shutil.copy(GIPL, tmp_path / "short.gipl")
    os.truncate(short, 1_000_000)
    with pytest.raises(InputError, match="is cut short"):
        read_volume(short)
