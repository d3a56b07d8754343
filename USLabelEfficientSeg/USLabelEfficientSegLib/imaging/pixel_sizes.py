"""Pixel sizes of 2-D images whose files do not tell them: a table, or one size for all.

PNG, JPEG, BMP and TIFF files may hold a resolution, but it belongs to a printer or screen: it is never used.
"""

import csv
import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError, Notice
from ..text.csv_lines import refuse_more_cells
from .files import image_name

_FILE_HEADINGS = {"filename", "file name", "file", "image", "name", "case"}
_SIZE_HEADINGS = {"pixel size mm", "pixel size", "mm per pixel", "pixel spacing mm", "pixel spacing", "spacing mm"}
_WIDTH_HEADINGS, _HEIGHT_HEADINGS = {"pixel width mm", "pixel width"}, {"pixel height mm", "pixel height"}
_AGREE = 0.01

Size = tuple[float, float]


@dataclass(frozen=True)
class PixelSizes:
    """Pixel sizes that the user gives, in mm along i (width) and j (height).

    Args:
        table: sizes by the name of the image.
        otherwise: pixel size of images that neither tell it themselves nor are in the table.
        source: the file of the table.
    """

    table: Mapping[str, Size] = field(default_factory=dict)
    otherwise: float | None = None
    source: Path | None = None

    def __post_init__(self) -> None:
        if self.otherwise is not None and not (math.isfinite(self.otherwise) and self.otherwise > 0):
            raise InputError(f"pixel size {self.otherwise} mm", "is no length", "give a size above zero")

    def of(self, path: Path, own: Size | None) -> Size:
        """The pixel size of an image: what its file says, else the table, else the one for all others.

        Raises:
            InputError: nobody tells, or file and table disagree by more than 1 %.
        """
        told = self.table.get(image_name(path))
        if own is None:
            if told is None and self.otherwise is None:
                where = f", and neither does {self.source}" if self.source else ""
                raise InputError(
                    path,
                    f"does not say how large its pixels are{where}",
                    "give its pixel size with --pixel-sizes TABLE.csv or --pixel-size MM: without it a length means "
                    "nothing",
                    in_panel="give its pixel size in step 1, as a table or in mm for all: without it a length means "
                    "nothing",
                )
            return told or (self.otherwise or math.nan,) * 2
        if told is not None and not _agree(own, told):
            problem = f"says that its pixels have {_text(own)} mm, but {self.source} says {_text(told)} mm"
            raise InputError(path, problem, "correct it or leave the image out")
        if told is None and self.otherwise is not None and not _agree(own, (self.otherwise, self.otherwise)):
            text = f"has pixels of {_text(own)} mm by its file or its image, so --pixel-size {self.otherwise:.4g}"
            warnings.warn(Notice(path, f"{text} is not used"), stacklevel=2)
        return own

    def instead_of(self, path: Path, contradiction: str) -> Size:
        """The pixel size of an image whose file contradicts itself: the user's, who must have looked.

        Raises:
            InputError: the user does not say it.
        """
        told = self.table.get(image_name(path))
        if told is None and self.otherwise is None:
            remedy = "give the right one with --pixel-size MM or --pixel-sizes TABLE.csv"
            raise InputError(
                path, contradiction, remedy, in_panel="give the right one in step 1, as a table or in mm for all"
            )
        return told or (self.otherwise or math.nan,) * 2


UNKNOWN_PIXEL_SIZES = PixelSizes()


def read_pixel_sizes(table: Path | None, otherwise: float | None = None) -> PixelSizes:
    """Pixel sizes from a CSV file with a column of file names and one of mm per pixel, or of widths and heights.

    Headings are read as `filename` and `pixel size(mm)` or alike; other columns are passed over.

    Raises:
        InputError: no such file or columns, a size that is no length above zero, or an image with two sizes.
    """
    if table is None:
        return PixelSizes(otherwise=otherwise)
    try:
        text = table.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(table, f"cannot be read ({(error.strerror or '').lower()})", "check the path") from None
    except UnicodeDecodeError:
        raise InputError(table, "is no text file", "give a table as CSV, in UTF-8") from None
    rows = csv.reader(text.splitlines(), delimiter=";" if ";" in text.partition("\n")[0] else ",")
    headings = [" ".join(re.findall("[a-z]+", heading.lower())) for heading in next(rows, [])]
    file, size = _column(headings, _FILE_HEADINGS), _column(headings, _SIZE_HEADINGS)
    width, height = _column(headings, _WIDTH_HEADINGS), _column(headings, _HEIGHT_HEADINGS)
    width, height = (width, height) if size is None else (size, size)
    if file is None or width is None or height is None:
        problem = "has no column of file names or none of pixel sizes"
        raise InputError(table, problem, "give a table with the columns `filename` and `pixel size(mm)`")
    sizes: dict[str, Size] = {}
    for number, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            continue
        refuse_more_cells(table, number, row[len(headings) :])
        cells = [row[column].strip() if column < len(row) else "" for column in (file, width, height)]
        found = _length(table, number, cells[1]), _length(table, number, cells[2])
        name = image_name(Path(cells[0]))
        if sizes.setdefault(name, found) != found:
            raise InputError(table, f"has two pixel sizes of {cells[0]}", "remove the wrong one")
    return PixelSizes(sizes, otherwise, table)


def _agree(own: Size, told: Size) -> bool:
    """Whether two sizes are the same within 1 %."""
    return all(abs(a - b) <= _AGREE * a for a, b in zip(own, told, strict=True))


def _column(headings: list[str], names: set[str]) -> int | None:
    return next((number for number, heading in enumerate(headings) if heading in names), None)


def _length(table: Path, number: int, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise InputError(table, f"has in row {number} the pixel size '{cell}'", "give mm per pixel, above zero")
    return value


def _text(size: Size) -> str:
    return f"{size[0]:.4g}" if size[0] == size[1] else f"{size[0]:.4g} x {size[1]:.4g}"
