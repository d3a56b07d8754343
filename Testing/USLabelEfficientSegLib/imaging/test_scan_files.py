"""What a user names as images, and under which names it is found."""

import shutil

import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import find_images
from USLabelEfficientSegLib.imaging.scan_files import images_by_name


def test_inputs_are_files_folders_of_images_and_folders_of_a_dicom_series(tmp_path, simulated):
    series = tmp_path / "series"
    series.mkdir()
    (series / "slice1").write_bytes(bytes(128) + b"DICM")
    image = simulated / "images" / "simulated_0000.nrrd"
    other = tmp_path / "other.nrrd"
    shutil.copy(image, other)

    found = images_by_name([other, series, simulated / "images"])

    assert list(found) == ["other", "series", "simulated_0000", "simulated_0001", "simulated_0002"]
    assert found["series"] == series


def test_two_images_of_one_name_are_refused(simulated, tmp_path):
    shutil.copy(simulated / "images" / "simulated_0001.nrrd", tmp_path)

    with pytest.raises(InputError, match="same name"):
        images_by_name([tmp_path, simulated / "images"])


def test_a_file_where_a_folder_is_needed_is_refused_as_one(simulated):
    with pytest.raises(InputError, match=r"0000.nrrd: is a file, not a folder; give the folder that it is in"):
        find_images(simulated / "images" / "simulated_0000.nrrd")
