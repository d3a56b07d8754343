"""The closed surface of an organ, without the bias of smoothing.

A surface through the midpoints between voxels of a mask is a staircase: its area is some 8 % too large and it cuts
the corners of the organ. A Gaussian of less than a voxel evens the stairs out, but moves the surface inwards where the
organ is convex. So the surface is then moved outwards along its normals, everywhere by the same small distance, until
it encloses the volume of the voxels: on the whole nothing is lost, whatever the shape.

3D Slicer's Segment Statistics (`ClosedSurfaceSegmentStatisticsPlugin`) takes volume and area of the surface that Slicer
displays by vtkMassProperties. Of an ellipsoid 20 voxels across its volume is within 1 % of this one with the default
smoothing of 0.5, and 6 % smaller with 1. Its `LabelmapSegmentStatisticsPlugin.volume_cm3` is the voxel volume of
`volumes` exactly; but it reads the label map as it is stored, so that a transform that enlarges does not count there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D

_BLUR_VOXELS = 0.7  # standard deviation
_LEVEL = 0.5
_KEPT_SHARE = 0.8
_MOST_CORRECTIONS = 10  # Newton steps: the volume grows by the area times the distance
_TOLERANCE = 1e-4
_MARGIN = 3


@dataclass(frozen=True)
class ClosedSurface:
    """Triangles around an organ, oriented outwards.

    Args:
        points: (n, 3) corners, in voxel indices or, after `moved`, in mm.
        triangles: (m, 3) indices of corners.
    """

    points: NDArray[np.float64]
    triangles: NDArray[np.int64]

    def moved(self, linear: NDArray[np.float64], offset: NDArray[np.float64]) -> "ClosedSurface":
        """The surface with its points p at `linear @ p + offset`."""
        return ClosedSurface(self.points @ linear.T + offset, self.triangles)

    def volume(self) -> float:
        """Enclosed volume, in the cubed unit of the points (divergence theorem); cavities do not count."""
        (x1, y1, z1), (x2, y2, z2), (x3, y3, z3) = self._corners()
        determinants = x1 * (y2 * z3 - y3 * z2) + y1 * (z2 * x3 - z3 * x2) + z1 * (x2 * y3 - x3 * y2)
        return abs(float(determinants.sum())) / 6

    def area(self) -> float:
        """Area, in the squared unit of the points."""
        first, second, third = self._corners()
        (a, b, c), (d, e, f) = second - first, third - first
        return float(np.sqrt((b * f - c * e) ** 2 + (c * d - a * f) ** 2 + (a * e - b * d) ** 2).sum()) / 2

    def _corners(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Coordinates (3, m) of the first, second and third corners."""
        centred = (self.points - self.points.mean(axis=0)).T.copy()  # large offsets would cost digits
        first, second, third = (np.take(centred, self.triangles[:, corner], axis=1) for corner in range(3))
        return first, second, third


def closed_surface(mask: NDArray[np.bool_]) -> ClosedSurface:
    """Surface of a mask (I, J, K) with at least one voxel, in voxel indices; closed at the array's edges, too."""
    # VTK's arrays have i contiguous.
    field = np.pad(mask.T, _MARGIN).astype(np.float32)
    voxels = np.count_nonzero(mask)
    blurred = gaussian_filter(field, _BLUR_VOXELS, mode="constant", truncate=3.0)
    # What is thinner than the blur is lost in it, and is better shown with its stairs.
    kept = np.count_nonzero(blurred >= _LEVEL) >= _KEPT_SHARE * voxels
    surface = _contour(blurred if kept else field)
    points = vtk_to_numpy(surface.GetPoints().GetData()).astype(np.float64) - _MARGIN
    normals = vtk_to_numpy(surface.GetPointData().GetNormals()).astype(np.float64)
    triangles = vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3).astype(np.int64)
    result = ClosedSurface(points, triangles)
    for _ in range(_MOST_CORRECTIONS):
        missing = voxels - result.volume()
        if abs(missing) <= _TOLERANCE * voxels:
            break
        result = ClosedSurface(result.points + missing / result.area() * normals, triangles)
    return result


def _contour(field: NDArray[np.float32]) -> vtkPolyData:
    """Triangles where a field (K, J, I) crosses the level, with normals."""
    image = vtkImageData()
    image.SetDimensions(*field.shape[::-1])
    scalars = numpy_to_vtk(field.ravel())
    image.GetPointData().SetScalars(scalars)
    contour = vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, _LEVEL)
    contour.ComputeNormalsOn()
    contour.ComputeScalarsOff()
    contour.Update()
    return contour.GetOutput()
