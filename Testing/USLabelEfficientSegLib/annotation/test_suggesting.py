"""Of thousands of volumes only those are read whose turn it is."""

from dataclasses import replace

import numpy as np

from USLabelEfficientSegLib.annotation.suggesting import UnlabelledScan, suggest_slices
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan

GRID = Geometry((12, 10, 8), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def volumes_read(count):
    """Volumes, and the list of those that are read."""
    read: list[int] = []

    def reader(number):
        def scan():
            read.append(number)
            grey = np.random.default_rng(number).integers(50, 200, GRID.shape, dtype=np.uint8)
            return Scan(grey, GRID, f"volume {number}")

        return scan

    return [UnlabelledScan(f"volume {number}", reader(number)) for number in range(count)], read


def test_as_many_volumes_are_read_as_slices_are_wanted():
    volumes, read = volumes_read(1000)

    found = suggest_slices(volumes, 4, 2)

    assert [one.volume for one in found] == [f"volume {number}" for number in read]
    assert len(read) == len(set(read)) == 4


def test_a_volume_that_is_remembered_is_not_read_again():
    volumes, read = volumes_read(3)
    remembered: dict = {}
    first = suggest_slices(volumes, 3, 2, remembered=remembered)
    assert sorted(read) == [0, 1, 2]

    assert suggest_slices(volumes, 3, 2, remembered=remembered) == first
    assert len(read) == 3


def test_a_volume_that_is_labelled_all_over_is_passed_over():
    volumes, _ = volumes_read(2)
    everywhere = [(axis, index) for axis, n in enumerate(GRID.shape) for index in range(n)]
    volumes[0] = replace(volumes[0], labelled=everywhere)

    assert {one.volume for one in suggest_slices(volumes, 40, 2)} == {"volume 1"}
