"""A 3-D picture of segmented organs: shaded surfaces seen from three sides.

Painted by hand rather than on a graphics card: the same picture on every machine, also where there is no display.
"""

import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from ...imaging.organ_colours import organ_colour
from ...imaging.resampling import resample_axes, working_geometry
from ...imaging.scan import LabelMap
from ...measurement.surface import ClosedSurface, closed_surface

SIDES = ("the front", "the left", "above")

_SIZE, _SUPERSAMPLING = 280, 2  # pixels of each picture
_MARGIN = 12  # finer pixels above and below
_MAX_VOXELS = 56  # a finer surface would look the same
_SAMPLES_PER_PIXEL = 1.3  # along a side of a triangle: no pixel inside stays empty
# LPS directions to the right, up and towards the viewer of each side.
_CAMERAS = np.array(
    [
        [(1, 0, 0), (0, 0, 1), (0, -1, 0)],
        [(0, 1, 0), (0, 0, 1), (1, 0, 0)],
        [(-1, 0, 0), (0, -1, 0), (0, 0, 1)],
    ],
    dtype=float,
)
_TURN, _TILT = np.deg2rad([20.0, 20.0])  # so that the depth of simple shapes shows
_LIGHT = np.array([-0.4, 0.5, 0.77])  # to the right, up and towards the viewer
_AMBIENT, _OPACITY = 0.35, 0.8
_COLOURS = 64


def organs_png(label_map: LabelMap) -> bytes | None:
    """The organs from the front, the left and above (of the patient, as the geometry says), at one scale.

    An organ before another one is slightly transparent. None when there is no organ.
    """
    surfaces = dict(_surfaces_mm(label_map))
    if not surfaces:
        return None
    corners = np.concatenate([surface.points for surface in surfaces.values()])
    centre = (corners.min(axis=0) + corners.max(axis=0)) / 2
    radius = float(np.linalg.norm(corners - centre, axis=1).max())
    pixels = _SIZE * _SUPERSAMPLING
    to_pixels = 0.48 * pixels / radius
    sides = []
    for camera in _CAMERAS:
        linear = to_pixels * (_tilted() @ camera)
        layers = [
            _painted(surface.moved(linear, -linear @ centre + [pixels / 2, pixels / 2, 0]), pixels)
            for surface in surfaces.values()
        ]
        sides.append(_composed(layers, [to_rgb(organ_colour(label)) for label in surfaces]))
    painted = (255 * np.concatenate(sides, axis=1)).round().astype(np.uint8)
    rows = np.flatnonzero((painted < 255).any(axis=(1, 2)))
    painted = painted[max(rows[0] - _MARGIN, 0) : rows[-1] + 1 + _MARGIN]
    size = len(sides) * _SIZE, -(-len(painted) // _SUPERSAMPLING)
    picture = Image.fromarray(painted).resize(size, Image.Resampling.BOX).quantize(_COLOURS)
    buffer = io.BytesIO()
    picture.save(buffer, format="png")
    return buffer.getvalue()


def _surfaces_mm(label_map: LabelMap) -> Iterator[tuple[int, ClosedSurface]]:
    """Surface of each organ in LPS millimetres, from a grid around them that is just fine enough for a picture."""
    found = label_map.voxels > 0
    if not found.any():
        return
    occupied = [np.flatnonzero(found.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = tuple(slice(int(places[0]), int(places[-1]) + 1) for places in occupied)
    voxels = label_map.voxels[box]
    corner = label_map.geometry.index_to_physical([part.start for part in box])
    grid = working_geometry(replace(label_map.geometry, shape=voxels.shape, origin=tuple(corner)), _MAX_VOXELS)
    linear = grid.direction * np.array(grid.spacing)
    for label in np.unique(voxels[voxels > 0]):
        coarse = resample_axes((voxels == label).astype(np.float32), grid.shape) >= 0.5
        if coarse.any():  # else it is too small to be seen beside the others
            surface = closed_surface(coarse).moved(linear, np.array(grid.origin))
            outwards = surface.triangles if np.linalg.det(linear) > 0 else surface.triangles[:, ::-1]
            yield int(label), ClosedSurface(surface.points, outwards)


def _tilted() -> NDArray[np.float64]:
    """The camera turned to the right and up around what it looks at."""
    turn = [[np.cos(_TURN), 0, np.sin(_TURN)], [0, 1, 0], [-np.sin(_TURN), 0, np.cos(_TURN)]]
    tilt = [[1, 0, 0], [0, np.cos(_TILT), -np.sin(_TILT)], [0, np.sin(_TILT), np.cos(_TILT)]]
    return np.array(tilt) @ np.array(turn)


def _painted(surface: ClosedSurface, pixels: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Depth (height, width), -inf where nothing is, and brightness of a surface in pixels to the right, up, forward.

    Every triangle that faces the viewer is sampled densely; of the samples in a pixel the foremost one stays.
    """
    points, triangles = surface.points, surface.triangles
    corners = points[triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.stack([np.bincount(triangles.ravel(), faces[:, axis].repeat(3), len(points)) for axis in range(3)], 1)
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    shade = _AMBIENT + (1 - _AMBIENT) * np.clip(normals @ _LIGHT, 0, 1)
    values = np.column_stack([points, shade]).astype(np.float32)
    seen = triangles[faces[:, 2] > 0]
    sides = np.ptp(points[seen][:, :, :2], axis=1).max(axis=1)
    steps = np.ceil(_SAMPLES_PER_PIXEL * sides).astype(int).clip(1)
    depth, brightness = np.full((2, pixels * pixels), -np.inf, dtype=np.float32)
    for count in np.unique(steps):
        first, second = np.indices((count + 1, count + 1)).reshape(2, -1) / count
        inside = first + second <= 1 + 1e-9
        weights = np.column_stack([first, second, 1 - first - second])[inside].astype(np.float32)
        samples = np.tensordot(weights, values[seen[steps == count]], axes=(1, 1)).reshape(-1, 4)
        column, row = samples[:, 0].astype(int), (pixels - 1 - samples[:, 1]).astype(int)
        place = row.clip(0, pixels - 1) * pixels + column.clip(0, pixels - 1)
        order = np.argsort(samples[:, 2])
        order = order[samples[order, 2] > depth[place[order]]]
        depth[place[order]], brightness[place[order]] = samples[order, 2], samples[order, 3]  # the last one stays
    return depth.reshape(pixels, pixels), brightness.reshape(pixels, pixels)


def _composed(
    layers: list[tuple[NDArray[np.float32], NDArray[np.float32]]], colours: list[tuple[float, float, float]]
) -> NDArray[np.float32]:
    """Layers over each other on white, from back to front in each pixel: (height, width, 3) in [0, 1]."""
    depths = np.stack([depth for depth, _ in layers])
    seen = np.isfinite(depths).any(axis=0)
    depths = depths[:, seen]
    painted = np.stack(
        [
            shade[seen].clip(0, 1)[:, None] * np.array(colour, np.float32)
            for (_, shade), colour in zip(layers, colours, strict=True)
        ]
    )
    pixels = np.ones((depths.shape[1], 3), dtype=np.float32)
    behind, each = np.zeros(depths.shape[1], dtype=bool), np.arange(depths.shape[1])
    for layer in np.argsort(depths, axis=0):
        here = np.isfinite(depths[layer, each])
        opacity = np.where(behind, _OPACITY, 1.0)[here, None]
        pixels[here] = opacity * painted[layer, each][here] + (1 - opacity) * pixels[here]
        behind |= here
    picture = np.ones((*seen.shape, 3), dtype=np.float32)
    picture[seen] = pixels
    return picture
