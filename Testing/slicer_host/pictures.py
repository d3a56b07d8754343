"""Pictures of the panel and of the views, as PNG files."""

import tempfile
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

_VIEW_COLOURS = {"Red": "#F34A33", "Yellow": "#EDD54C", "Green": "#6EB04B", "3D": "#7478C4"}
_STRIP = 6  # the coloured strip above a view
_GAP = 4


def render_panel(widget: Any, png: Path | str, width: int = 480) -> None:
    """Draw a module's panel, or any widget, as high as its content."""
    _save(_panel_picture(widget, width), Path(png))


def render_slice_view(volume_node: Any, axis: int, png: Path | str, size: tuple[int, int] = (600, 600)) -> None:
    """Draw a slice view in the plane of a volume's array axis, the volume behind, segmentations in front.

    The Red view is used, and turned into that plane if it does not show such a slice already.
    """
    from USLabelEfficientSegLib.slicer_side.nodes.slice_views import shownSlice, showSlice

    view = slicer.app.layoutManager().sliceWidget("Red").view
    slicer.util.setSliceViewerLayers(background=volume_node)
    shown = shownSlice(view.node, volume_node)
    if shown is None or shown[0] != axis:
        showSlice(view.node, volume_node, axis, volume_node.GetImageData().GetDimensions()[axis] // 2)
    view.logic.ResizeSliceNode(*size)
    view.logic.FitSliceToBackground()
    view.logic.SnapSliceOffsetToIJK()
    view.render(Path(png), size)


def render_3d(png: Path | str, size: tuple[int, int] = (600, 600)) -> None:
    """Draw the 3-D view with everything in it that is shown in 3-D."""
    slicer.app.layoutManager().threeDWidget(0).view.render(Path(png), size)


def render_window(widget: Any, png: Path | str, size: tuple[int, int] = (1500, 900), panel_width: int = 480) -> None:
    """Draw Slicer's window: the module's panel at the left, the three slice views and the 3-D view at the right.

    The views show what they are set to show; a panel that is higher than the window is cut at the bottom.
    """
    picture = QtGui.QImage(*size, QtGui.QImage.Format.Format_RGB32)
    picture.fill(QtGui.QColor("#3C3C3C"))
    painter = QtGui.QPainter(picture)
    panel = _panel_picture(widget, panel_width)
    painter.fillRect(0, 0, panel_width, size[1], QtWidgets.QApplication.palette().window())
    painter.drawPixmap(0, 0, panel, 0, 0, panel_width, min(panel.height(), size[1]))
    cell = (size[0] - panel_width - 2 * _GAP) // 2, (size[1] - _GAP) // 2
    with tempfile.TemporaryDirectory() as folder:
        for place, name in enumerate(("Red", "3D", "Yellow", "Green")):
            x = panel_width + _GAP + (place % 2) * (cell[0] + _GAP)
            y = (place // 2) * (cell[1] + _GAP)
            file = Path(folder) / f"{name}.png"
            _render_view(name, file, (cell[0], cell[1] - _STRIP))
            painter.fillRect(x, y, cell[0], _STRIP, QtGui.QColor(_VIEW_COLOURS[name]))
            painter.drawImage(QtCore.QPoint(x, y + _STRIP), QtGui.QImage(str(file)))
    painter.end()
    _save(picture, Path(png))


def _render_view(name: str, png: Path, size: tuple[int, int]) -> None:
    layout = slicer.app.layoutManager()
    if name == "3D":
        layout.threeDWidget(0).view.render(png, size)
        return
    view = layout.sliceWidget(name).view
    view.logic.ResizeSliceNode(*size)
    offset = view.node.GetSliceOffset()
    view.logic.FitSliceToBackground()
    view.node.SetSliceOffset(offset)
    view.render(png, size)


def _panel_picture(widget: Any, width: int) -> QtGui.QPixmap:
    panel: Any = widget if isinstance(widget, QtWidgets.QWidget) else widget.parent
    panel.setMinimumWidth(width)
    panel.show()
    slicer.app.processEvents()  # lays out, so that the height of wrapped text is known
    layout = panel.layout()
    wraps = layout is not None and layout.hasHeightForWidth()
    panel.resize(width, layout.totalHeightForWidth(width) if wraps else panel.sizeHint.height())
    slicer.app.processEvents()
    return panel.grab()


def _save(picture: QtGui.QPixmap | QtGui.QImage, png: Path) -> None:
    if not picture.save(str(png)):
        raise OSError(f"{png} cannot be written")
