import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from USLabelEfficientSegLib.disk.suffixes import READ_SUFFIXES, WRITE_SUFFIXES
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.file_formats.segmentation import segment_fields
from USLabelEfficientSegLib.imaging.files import (
    read_label_map,
    read_map,
    read_volume,
    write_label_map,
    write_map,
    write_volume,
)
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan

DATA = Path(os.environ.get("USLABELSEG_DATA", Path(__file__).parents[5] / "shared" / "data"))
GIPL = DATA / "volumes" / "prostate_trus_full_resolution.gipl"


def _stored(path: Path, volume: Scan, compressed: bool = False) -> Path:
    """The voxels as SimpleITK writes them by itself."""
    sitk.WriteImage(sitk.GetImageFromArray(volume.voxels), str(path), compressed)
    return path


def _data_file(header: Path) -> Path:
    """The file that holds the voxels of an image."""
    others = [path for path in header.parent.glob(f"{header.stem}.*") if path != header]
    return others[0] if header.suffix in (".nhdr", ".mhd") else header


def test_voxels_are_indexed_like_simpleitk_images(volume: Scan, tmp_path: Path) -> None:
    write_volume(tmp_path / "case.nrrd", volume)

    image = sitk.ReadImage(str(tmp_path / "case.nrrd"))

    assert image.GetSize() == volume.voxels.shape
    assert image.GetPixel(3, 4, 5) == volume.voxels[3, 4, 5]
    point = image.TransformContinuousIndexToPhysicalPoint((3.5, 4.0, 5.25))
    np.testing.assert_allclose(volume.geometry.index_to_physical((3.5, 4.0, 5.25)), point, atol=1e-9)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", READ_SUFFIXES)
@pytest.mark.parametrize("kept", [0.97, 0.5, 0.02, 0.0])
def test_a_truncated_file_is_refused_without_a_word_on_stderr(
    volume: Scan,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    suffix: str,
    compressed: bool,
    kept: float,
) -> None:
    path = _stored(tmp_path / f"a{suffix}", volume, compressed=compressed)
    whole = _data_file(path).read_bytes()
    np.testing.assert_array_equal(np.swapaxes(read_volume(path).voxels, 0, 2), volume.voxels)

    _data_file(path).write_bytes(whole[: int(len(whole) * kept)])

    with pytest.raises(InputError, match=r"cut short|damaged"):
        read_volume(path)
    assert capfd.readouterr().err == ""


def test_a_damaged_compressed_file_is_refused(volume: Scan, tmp_path: Path) -> None:
    path = _stored(tmp_path / "a.nii.gz", volume)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"damaged|cut short"):
        read_volume(path)


def test_a_shear_is_refused_with_its_reason(volume: Scan, tmp_path: Path) -> None:
    path = _stored(tmp_path / "a.nii", volume)
    header = bytearray(path.read_bytes())
    header[252:254] = b"\0\0"  # no quaternion
    header[280:296] = np.array([1, 0.3, 0, 0], "<f4").tobytes()  # first row of the affine matrix
    path.write_bytes(header)

    with pytest.raises(InputError, match="orthonormal direction"):
        read_volume(path)


def test_the_error_stream_works_after_reading(volume: Scan, tmp_path: Path, capfd) -> None:
    write_volume(tmp_path / "a.nrrd", volume)
    read_volume(tmp_path / "a.nrrd")

    os.write(2, b"still here")

    assert capfd.readouterr().err == "still here"


def test_a_huge_image_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.nrrd"
    path.write_text("NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2048 2048 513\nencoding: raw\n\n")

    with pytest.raises(InputError, match=r"has 2048 x 2048 x 513 voxels, more than 2\^31"):
        read_volume(path)


@pytest.mark.parametrize("name", ["a.gipl", "a.mhd", "a.png", "a", "a.dcm"])
def test_only_formats_of_one_file_that_keep_the_geometry_are_written(volume: Scan, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"use one of \.nrrd"):
        write_volume(tmp_path / name, volume)
    assert not list(tmp_path.iterdir())


def test_writing_into_a_folder_that_does_not_exist(volume: Scan, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be written \(no such file or directory\); choose"):
        write_volume(tmp_path / "missing" / "a.nrrd", volume)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="every folder is writable to root")
def test_writing_without_permission(volume: Scan, tmp_path: Path) -> None:
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
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
voxels = np.random.default_rng(0).integers(0, 256, (50, 50, 50)).astype(np.uint8)
volume = Scan(voxels, Geometry(voxels.shape, (1, 1, 1), (0, 0, 0), np.eye(3)), "a")
for path in sys.argv[1:]:
    try:
        write_volume(path, volume)
    except InputError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of the file size are POSIX")
def test_a_full_disk_leaves_the_old_file_alone(volume: Scan, tmp_path: Path) -> None:
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


def test_long_names_and_letters_of_any_language(volume: Scan, tmp_path: Path) -> None:
    folder = tmp_path / "Prüfung 胎児" / ("d" * 200) / ("e" * 200)
    folder.mkdir(parents=True)
    for suffix in WRITE_SUFFIXES:
        path = folder / ("ñ" * 120 + suffix)

        write_volume(path, volume)

        np.testing.assert_array_equal(read_volume(path).voxels, volume.voxels)
        assert read_volume(path).name == "ñ" * 120


@pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "float32"])
def test_other_programs_read_what_is_written(
    oblique_geometry: Geometry, tmp_path: Path, suffix: str, dtype: str
) -> None:
    voxels = np.random.default_rng(0).integers(0, 100, oblique_geometry.shape).astype(dtype)
    path = tmp_path / f"a{suffix}"
    for turned in (oblique_geometry, replace(oblique_geometry, direction=-oblique_geometry.direction)):
        write_volume(path, Scan(voxels, turned, "a"))

        image, own = sitk.ReadImage(str(path)), read_volume(path)

        np.testing.assert_array_equal(sitk.GetArrayViewFromImage(image).T, voxels)
        np.testing.assert_array_equal(own.voxels, voxels)
        assert own.voxels.dtype == sitk.GetArrayViewFromImage(image).dtype == dtype
        exact = 1e-5 if "nii" in suffix else 1e-12  # NIfTI-1 holds 32 bits
        np.testing.assert_allclose(image.GetSpacing(), turned.spacing, atol=exact)
        np.testing.assert_allclose(image.GetOrigin(), turned.origin, atol=exact)
        np.testing.assert_allclose(image.GetDirection(), turned.direction.ravel(), atol=exact)
        assert own.geometry.same_grid(turned, 1e-4 if "nii" in suffix else 1e-9)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_texts_come_back(tmp_path: Path, suffix: str) -> None:
    labels = LabelMap(np.zeros((3, 4, 5), np.uint8), Geometry((3, 4, 5), (1, 1, 1), (0, 0, 0), np.eye(3)), "a")
    names = {1: "Bläschen: a = b", 2: "back\\slash"}

    write_label_map(tmp_path / f"a{suffix}", labels, segment_fields(names))

    assert read_label_map(tmp_path / f"a{suffix}").segments == names
    assert sitk.ReadImage(str(tmp_path / f"a{suffix}")).GetMetaData("Segment0_Name") == names[1]


def test_values_of_classes_come_back_and_are_a_vector_for_other_programs(
    oblique_geometry: Geometry, tmp_path: Path
) -> None:
    values = np.random.default_rng(0).random((3, *oblique_geometry.shape)).astype(np.float32)

    write_map(tmp_path / "a.nrrd", values, oblique_geometry)

    again, geometry = read_map(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(again, values)
    assert geometry.same_grid(oblique_geometry, 1e-9)
    image = sitk.ReadImage(str(tmp_path / "a.nrrd"))
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(image).transpose(3, 2, 1, 0), values)
    with pytest.raises(InputError, match=r"cannot hold several values a voxel; write it as \.nrrd"):
        write_map(tmp_path / "a.mha", values, oblique_geometry)
    with pytest.raises(InputError, match="has 3 values a voxel of the kind vector, not grey or RGB"):
        read_volume(tmp_path / "a.nrrd")


def test_nifti_has_no_room_for_long_axes(tmp_path: Path) -> None:
    shape = (40_000, 2, 2)
    voxels = np.arange(160_000, dtype=np.uint16).reshape(shape) % 7
    with pytest.raises(InputError, match="has no room for 40000 voxels on an axis"):
        write_volume(tmp_path / "a.nii.gz", Scan(voxels, Geometry(shape, (1, 1, 1), (0, 0, 0), np.eye(3)), "a"))
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no such names")
def test_folders_whose_names_are_no_text_are_written_to(volume: Scan, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    for suffix in WRITE_SUFFIXES:
        write_volume(folder / f"a{suffix}", volume)

        np.testing.assert_array_equal(read_volume(folder / f"a{suffix}").voxels, volume.voxels)
