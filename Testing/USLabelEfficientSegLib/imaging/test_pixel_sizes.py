"""How large a pixel is where the file of a 2-D image does not say so."""

import numpy as np
import pytest
import SimpleITK
from simulated_heads import write_png

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.image_files import read_image
from USLabelEfficientSegLib.imaging.pixel_sizes import PixelSizes, read_pixel_sizes

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 20), dtype=np.uint8)  # rows, columns


def table(tmp_path, text):
    (tmp_path / "sizes.csv").write_text(text)
    return read_pixel_sizes(tmp_path / "sizes.csv")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("filename,pixel size(mm),head circumference (mm)\na.png,0.07,44.3\n", (0.07, 0.07)),
        ("file,subject,pixel_width_mm,pixel_height_mm\na.png,1,0.07,0.08\n", (0.07, 0.08)),
        ("image;mm per pixel\na;0.07\n\n", (0.07, 0.07)),
    ],
)
def test_tables_of_pixel_sizes_are_read_as_they_come(tmp_path, text, size):
    assert read_image(write_png(tmp_path / "a.png", PIXELS), table(tmp_path, text)).geometry.spacing[:2] == size


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("filename,circumference\na.png,3\n", "has no column of file names or none of pixel sizes"),
        ("filename,pixel size\na.png,0\n", "has in row 2 the pixel size '0'; give mm per pixel, above zero"),
        ("filename,pixel size\na.png,nan\n", "pixel size 'nan'"),
        ("filename,pixel size\na.png,wide\n", "pixel size 'wide'"),
        ("filename,pixel size\na.png,1,2\n", "has more cells than headings in line 2"),
        ("filename,pixel size\na.png\n", "pixel size ''"),
        ("filename,pixel size\na.png,1\na.png,2\n", r"has two pixel sizes of a\.png"),
        ("", "has no column"),
    ],
)
def test_wrong_tables_are_refused(tmp_path, text, problem):
    with pytest.raises(InputError, match=problem):
        table(tmp_path, text)


def test_an_image_that_the_table_lacks_is_refused_unless_there_is_a_size_for_all(tmp_path):
    path = write_png(tmp_path / "b.png", PIXELS)
    sizes = table(tmp_path, "filename,pixel size\na.png,1\n")

    with pytest.raises(InputError, match=r"b\.png: does not say .* neither does .*sizes\.csv; give its pixel size"):
        read_image(path, sizes)
    assert read_image(path, read_pixel_sizes(tmp_path / "sizes.csv", 0.5)).geometry.spacing[:2] == (0.5, 0.5)


def test_a_table_that_contradicts_the_file_is_refused(tmp_path):
    image = SimpleITK.GetImageFromArray(PIXELS)
    image.SetSpacing((0.2, 0.3))
    SimpleITK.WriteImage(image, str(tmp_path / "a.nrrd"))

    with pytest.raises(InputError, match=r"says that its pixels have 0\.2 x 0\.3 mm, but .*sizes\.csv says 1 mm"):
        read_image(tmp_path / "a.nrrd", table(tmp_path, "filename,pixel size\na.nrrd,1\n"))


@pytest.mark.parametrize("size", [0.0, -1.0, np.nan, np.inf])
def test_a_pixel_size_is_a_length(size):
    with pytest.raises(InputError, match="is no length"):
        PixelSizes(otherwise=size)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"sizes\.csv: cannot be read \(no such file"):
        read_pixel_sizes(tmp_path / "sizes.csv")
