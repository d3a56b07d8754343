"""The folder of 2-D images that the user has chosen for a study, and how large its pixels are; a row of step 1."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from ..section import on_click, silent
from .image_folder import ImageFolder, tableBeside

if TYPE_CHECKING:
    from ..panel import Panel


class ImagesChoice:
    """A folder that is not loaded: its images are copied into the study, and loaded when they are looked at.

    Args:
        panel: gives access to the widgets and the parameters.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.ui = panel.ui
        self._counted: tuple[str, int] = ("", 0)
        self.ui.pixelSizeSpin.connect("valueChanged(double)", self._on_pixel_size)
        on_click(self.ui.pixelTableButton, self.ui.dataStatus, self._choose_table)
        on_click(self.ui.removeImagesButton, self.ui.dataStatus, self.forget)

    @property
    def folder(self) -> ImageFolder | None:
        """The folder, None when none is chosen."""
        parameters = self.panel.parameters
        if parameters is None or not parameters.imageFolder:
            return None
        table = Path(parameters.pixelTable) if parameters.pixelTable else None
        return ImageFolder(Path(parameters.imageFolder), parameters.pixelSize or None, table)

    def choose(self, path: Path, count: int) -> None:
        """Take a folder with so many images; a table of pixel sizes beside it is found."""
        parameters = self.panel.parameters
        if parameters is not None:
            table = tableBeside(path)
            parameters.imageFolder = str(path)
            parameters.pixelTable = "" if table is None else str(table)
            self._counted = (str(path), count)

    def forget(self) -> None:
        """Take none, for example because its images are in the study now."""
        parameters = self.panel.parameters
        if parameters is not None:
            parameters.imageFolder = parameters.pixelTable = ""
            parameters.pixelSize = 0.0
        self.panel.refresh_soon()

    def refresh(self) -> None:
        """Show the folder and the table, if there are any."""
        folder, ui = self.folder, self.ui
        ui.imagesRow.visible = folder is not None
        if folder is None:
            return
        path, count = self._counted
        images = _("{count} images").format(count=count) if path == str(folder.path) else _("images")
        sizes = "" if folder.pixelSizes is None else _(", pixel sizes of {table}").format(table=folder.pixelSizes.name)
        ui.imagesLabel.text = f"{folder.path}: {images}{sizes}"
        with silent(ui.pixelSizeSpin):
            ui.pixelSizeSpin.value = folder.pixelSize or 0.0

    def _on_pixel_size(self, millimetres: float) -> None:
        if self.panel.parameters is not None:
            self.panel.parameters.pixelSize = millimetres

    def _choose_table(self) -> None:
        file: Any = qt.QFileDialog.getOpenFileName(
            slicer.util.mainWindow(), _("Table of pixel sizes"), "", _("Tables (*.csv)")
        )
        if file:
            self.useTable(Path(file))

    def useTable(self, file: Path) -> None:
        """Take the pixel sizes of a table. Raises `InputError` when it is none."""
        from ...imaging.pixel_sizes import read_pixel_sizes

        read_pixel_sizes(file)
        self.panel.parameters.pixelTable = str(file)
        self.panel.refresh_soon()
