"""The data sets of each suite by name: what is simulated, and what a user's folders add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...errors import InputError

Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class SimulatedSet:
    """Subjects of a population of the simulator.

    Attributes:
        name: of the set.
        population: of `imaging.simulator.POPULATIONS`.
        shape, spacing: of each volume, in voxels and mm.
        training, test: numbers of subjects.
        training_probes, test_probes: qualities, in turn.
        slice_axis: array axis of the labelled slices.
    """

    name: str
    population: str
    shape: Shape
    spacing: Spacing
    training: int = 12
    test: int = 5
    training_probes: tuple[str, ...] = ("good",)
    test_probes: tuple[str, ...] = ("good",)
    slice_axis: int = 2


@dataclass(frozen=True)
class GivenSet:
    """Cases of a folder that the user gives by name.

    Attributes:
        name: of the set.
        source: the name by which the folder is given.
        test: places of the test cases in the order of all names; none: a fifth of the subjects is drawn.
        unseen: leave that fifth alone, and hold out a part of the other subjects in its place.
        most: largest numbers of training and test cases.
        slice_axis: array axis of the labelled slices.
    """

    name: str
    source: str
    test: tuple[int, ...] = ()
    unseen: bool = False
    most: tuple[int, int] | None = None
    slice_axis: int = 2


SuiteSet = SimulatedSet | GivenSet


@dataclass(frozen=True)
class Suite:
    """Sets, and what is run on each unless the user says otherwise."""

    sets: tuple[SuiteSet, ...]
    label_fractions: tuple[float, ...]
    label_choices: tuple[str, ...]
    seeds: tuple[int, ...]
    seconds: float


_FINE, _THICK = (0.6, 0.6, 3.0), (128, 128, 24)
_CUBES = (1.2, 1.2, 1.2)
_EVERY_PROBE = ("good", "medium", "low-cost")

_SIMULATED = (
    SimulatedSet("two-organs", "two-organs", (64, 64, 64), (1.4, 1.4, 1.4), 12, 6, _EVERY_PROBE, _EVERY_PROBE),
    SimulatedSet("fixed-place", "fixed-place", (64, 64, 64), (1.4, 1.4, 1.4), 12, 5, ("medium",), ("medium",)),
    SimulatedSet("anywhere", "anywhere", (72, 72, 64), _CUBES),
    SimulatedSet("either-side", "either-side", _THICK, _FINE),
    SimulatedSet("same-texture", "same-texture", (72, 72, 64), _CUBES, slice_axis=0),
    SimulatedSet("shell", "shell", (80, 80, 72), (1.0, 1.0, 1.0)),
    SimulatedSet("tube", "tube", (72, 72, 64), _CUBES, 12, 5, ("medium",), ("medium",)),
    SimulatedSet("follicles", "follicles", (96, 96, 64), (0.8, 0.8, 1.2)),
    SimulatedSet("cut", "cut", _THICK, _FINE),
    SimulatedSet("tiny", "tiny", (96, 96, 80), (0.8, 0.8, 0.8)),
    SimulatedSet("cheaper-probe", "anywhere", (72, 72, 64), _CUBES, 12, 5, ("good",), ("low-cost",)),
)
_LONG_TRAINING, _LONG_TEST = 40, 12

SUITES = {
    "small": Suite(
        (
            *_SIMULATED,
            GivenSet("trus84", "trus84", unseen=True, most=(20, 6)),
            GivenSet("must16", "must16", test=(12, 13, 14, 15)),
        ),
        label_fractions=(0.01,),
        label_choices=("random", "suggested"),
        seeds=(0,),
        seconds=120.0,
    ),
    "long": Suite(
        (
            *(replace(one, training=_LONG_TRAINING, test=_LONG_TEST) for one in _SIMULATED),
            SimulatedSet("tiny-fine", "tiny", (300, 300, 300), (0.25, 0.25, 0.25), 10, 4),
            SimulatedSet("shell-fine", "shell", (192, 192, 160), (0.45, 0.45, 0.45), 16, 6),
            SimulatedSet("tube-thick", "tube", (192, 192, 36), (0.45, 0.45, 2.25), 24, 8, ("good",), ("medium",)),
            GivenSet("trus84", "trus84"),
            *(
                GivenSet(f"must16-{fold + 1}", "must16", test=tuple(range(4 * fold, 4 * fold + 4)))
                for fold in reversed(range(4))
            ),
        ),
        label_fractions=(0.001, 0.005, 0.01),
        label_choices=("random", "suggested"),
        seeds=(0, 1, 2),
        seconds=300.0,
    ),
}


def suite_named(name: str) -> Suite:
    """A suite. Raises `InputError` for one that does not exist."""
    if name not in SUITES:
        raise InputError(f"suite {name}", "does not exist", f"choose among {', '.join(SUITES)}")
    return SUITES[name]


def chosen_sets(suite: Suite, names: Sequence[str] | None, sources: Sequence[str]) -> list[SuiteSet]:
    """The sets to run, in the suite's order: those named, or else all whose data are at hand.

    Args:
        suite: where they are.
        names: of the sets; None: all.
        sources: names of the folders that the user gives.

    Raises:
        InputError: no such set, no set with such a folder, or a named set without its folder.
    """
    known = {one.name: one for one in suite.sets}
    needed = {one.source for one in suite.sets if isinstance(one, GivenSet)}
    for source in sources:
        if source not in needed:
            raise InputError(
                f"--data {source}", "belongs to no set of the suite", f"give {' or '.join(sorted(needed))}"
            )
    for name in names or ():
        if name not in known:
            raise InputError(f"set {name}", "does not exist", f"choose among {', '.join(known)}")
        one = known[name]
        if isinstance(one, GivenSet) and one.source not in sources:
            raise InputError(f"set {name}", "has no data", f"give --data {one.source}=FOLDER")
    return [
        one
        for one in suite.sets
        if (names is None and (isinstance(one, SimulatedSet) or one.source in sources)) or one.name in (names or ())
    ]
