"""The data of a set: made once, the same each time, with its split, and continued where it was stopped."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from USLabelEfficientSegLib.benchmark.data import read_dataset
from USLabelEfficientSegLib.benchmark.suite import making
from USLabelEfficientSegLib.benchmark.suite.making import first_subject, make_set
from USLabelEfficientSegLib.benchmark.suite.sets import GivenSet, SimulatedSet
from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume
from USLabelEfficientSegLib.imaging.simulator import simulate_population

SHAPE, SPACING = (24, 24, 16), (3.3, 3.3, 4.0)
TUBES = SimulatedSet("tubes", "tube", SHAPE, SPACING, 5, 2, ("good", "medium"), ("low-cost",))


@pytest.fixture(scope="module")
def tubes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suite") / "tubes"
    assert make_set(folder, TUBES, {}) == ("vessel",)
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_split_is_part_of_the_data(tubes: Path) -> None:
    dataset = read_dataset(tubes)
    assert sorted(dataset.images) == [f"tubes_{n:03d}" for n in range(7)]
    assert dataset.test == {"tubes_005", "tubes_006"}
    assert len(set(dataset.subjects.values())) == 7


@pytest.mark.parametrize(("number", "probe"), [(0, "good"), (1, "medium"), (6, "low-cost")])
def test_each_subject_is_seen_through_its_probe(tubes: Path, number: int, probe: str) -> None:
    case = simulate_population("tube", first_subject(TUBES) + number, shape=SHAPE, spacing=SPACING, probe=probe)
    name = f"tubes_{number:03d}.nrrd"
    np.testing.assert_array_equal(read_volume(tubes / "images" / name).voxels, case.volume.voxels)
    np.testing.assert_array_equal(read_label_map(tubes / "labels" / name).voxels, case.label_map.voxels)


def test_data_that_were_stopped_are_completed_and_never_made_twice(
    tubes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, asked = tmp_path / "tubes", []

    def cancelled() -> bool:
        asked.append(True)
        return len(asked) > 1

    with pytest.raises(Cancelled, match="simulation of tubes stopped"):
        make_set(folder, TUBES, {}, cancelled=cancelled)
    assert len(list((folder / "images").iterdir())) == 4 and not (folder / "cases.csv").exists()
    (folder / "labels" / "tubes_002.nrrd").unlink()

    make_set(folder, TUBES, {})
    assert bytes_of(folder) == bytes_of(tubes)

    monkeypatch.setattr(making, "simulate_population", None)
    make_set(folder, TUBES, {})
    with pytest.raises(InputError, match="holds another set tubes"):
        make_set(folder, replace(TUBES, training=6), {})


def given(folder: Path, source: Path, one: GivenSet) -> tuple[set[str], set[str]]:
    """The training and the test cases."""
    organs = make_set(folder, one, {"mine": source})
    assert organs == ("organ 1",)
    dataset = read_dataset(folder)
    return set(dataset.images) - dataset.test, set(dataset.test)


def test_a_given_set_is_copied_with_the_split_it_promises(tubes: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for part in ("images", "labels"):
        shutil.copytree(tubes / part, source / part)
    named = [f"tubes_{n:03d}" for n in range(7)]

    training, test = given(tmp_path / "fold", source, GivenSet("fold", "mine", test=(0, 1)))
    assert test == set(named[:2]) and training == set(named[2:])
    image = read_volume(tmp_path / "fold" / "images" / f"{named[3]}.nrrd")
    np.testing.assert_array_equal(image.voxels, read_volume(source / "images" / f"{named[3]}.nrrd").voxels)

    drawn = given(tmp_path / "drawn", source, GivenSet("drawn", "mine"))
    unseen = given(tmp_path / "unseen", source, GivenSet("unseen", "mine", unseen=True))
    assert drawn[0] | drawn[1] == set(named)
    assert unseen[0] | unseen[1] == drawn[0]  # the test subjects are left alone
    few = given(tmp_path / "few", source, GivenSet("few", "mine", most=(2, 1)))
    assert len(few[0]) == 2 and len(few[1]) == 1

    with pytest.raises(InputError, match="holds 7 cases, too few for fold"):
        make_set(tmp_path / "large", GivenSet("fold", "mine", test=(7,)), {"mine": source})
    assert not list((tmp_path / "large").glob("images"))
