"""Volumes in every position that a scanner, or a user with a transform, can bring them into."""

import numpy as np


def random_volume_node(rng, name, shape=None):
    """A volume of random voxels, size, spacing, position, orientation and handedness, most under transforms."""
    import slicer

    shape = shape if shape is not None else tuple(int(n) for n in rng.integers(4, 14, 3))
    voxels = rng.integers(0, 255, shape[::-1]).astype(rng.choice([np.uint8, np.int16, np.float32]))
    ijk_to_ras = np.eye(4)
    ijk_to_ras[:3, :3] = random_axes(rng) * rng.uniform(0.1, 5.0, 3)
    ijk_to_ras[:3, 3] = rng.uniform(-300, 300, 3)
    node = slicer.util.addVolumeFromArray(voxels, ijk_to_ras, name)
    if rng.random() < 0.7:
        put_under_transform(rng, node, depth=int(rng.integers(1, 3)))
    return node


def random_axes(rng):
    """Orthogonal axes: oblique or along the patient's axes, of either handedness, in any order."""
    if rng.random() < 0.3:
        return np.eye(3)[:, rng.permutation(3)] * rng.choice([-1.0, 1.0], 3)
    return np.linalg.qr(rng.normal(size=(3, 3)))[0] * rng.choice([-1.0, 1.0], 3)


def put_under_transform(rng, node, depth=1):
    """Put a node under `depth` nested linear transforms: turned, moved, evenly scaled, perhaps mirrored."""
    import slicer

    child = node
    for _ in range(depth):
        matrix = np.eye(4)
        matrix[:3, :3] = random_axes(rng) * rng.uniform(0.5, 2.0)
        matrix[:3, 3] = rng.uniform(-100, 100, 3)
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        child.SetAndObserveTransformNodeID(transform.GetID())
        child = transform
