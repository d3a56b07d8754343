"""Values that lie in files, are read when they are asked for, and of which the latest stay in memory."""

import pickle

import pytest
import torch

from USLabelEfficientSegLib.anatomy import kept as kept_module
from USLabelEfficientSegLib.anatomy.kept import Again, InMemory, Latest, OnDemand, kept
from USLabelEfficientSegLib.anatomy.targets import SoftTarget
from USLabelEfficientSegLib.anatomy.training_volumes import Maps, Proposal, TrainingVolume
from USLabelEfficientSegLib.errors import InputError

SHAPE = (4, 3, 2)


def target(number: int) -> SoftTarget:
    """One of 120 bytes."""
    return SoftTarget(torch.full((4, *SHAPE[:2], 2), float(number))[..., :1], torch.full((4, 3), float(number))[:3])


@pytest.fixture
def latest(monkeypatch: pytest.MonkeyPatch) -> Latest:
    """The latest values of a test alone: room for two targets."""
    latest = Latest(2 * sum(part.nbytes for part in (target(0).weighted, target(0).weight)), fewest=0)
    monkeypatch.setattr(kept_module, "LATEST", latest)
    return latest


def test_the_latest_values_stay_and_the_one_that_nobody_has_asked_for_longest_goes(latest: Latest) -> None:
    made: list[int] = []

    def source(number: int) -> Again[SoftTarget]:
        def make() -> SoftTarget:
            made.append(number)
            return target(number)

        return Again(make)

    one, two, three = (source(number) for number in (1, 2, 3))
    one(), two(), one()
    assert made == [1, 2]
    three()
    one()
    assert made == [1, 2, 3]
    two()
    assert made == [1, 2, 3, 2]
    latest.clear()
    one()
    assert made == [1, 2, 3, 2, 1]


def test_a_value_without_room_is_made_each_time_and_drives_nothing_out(latest: Latest) -> None:
    small = Again(lambda: target(1))
    large = Again(lambda: SoftTarget(torch.zeros(1000), torch.zeros(1)))
    first = small()

    assert large() is not large()
    assert small() is first


def test_a_few_values_have_room_however_large_they_are(latest: Latest) -> None:
    latest.fewest = 2
    one, two, three = (Again(lambda: SoftTarget(torch.zeros(1000), torch.zeros(1))) for _ in range(3))
    first, second = one(), two()

    assert one() is first and two() is second
    three()
    assert one() is not first


@pytest.mark.parametrize("room", [0, 10_000])
def test_what_is_kept_reads_as_it_was_written_also_in_another_process(tmp_path, latest: Latest, room: int) -> None:
    latest.most_bytes = room
    maps = Maps(torch.rand(SHAPE), torch.rand(2, *SHAPE).half(), torch.rand(SHAPE) > 0.5)

    source = kept(tmp_path / "a.maps", maps)
    read = [source(), pickle.loads(pickle.dumps(source))()]

    for name, tensor in vars(maps).items():
        assert all(torch.equal(getattr(one, name), tensor) and getattr(one, name).dtype == tensor.dtype for one in read)
    assert (source() is maps) == (room > 0)


def test_a_file_that_has_gone_is_told_and_a_study_that_was_moved_is_named(tmp_path, latest: Latest) -> None:
    latest.most_bytes = 0
    folder = tmp_path / "study" / "run" / "volumes"
    folder.mkdir(parents=True)
    source = kept(folder / "a.labels", target(1))

    (folder / "a.labels").write_bytes(b"other")
    with pytest.raises(InputError, match=r"a\.labels: was changed or removed during the training"):
        source()
    (tmp_path / "study").rename(tmp_path / "moved")
    with pytest.raises(InputError, match="study: is not there any more: the study was moved, renamed or removed"):
        source()


def test_a_volume_on_disk_is_the_same_volume(tmp_path, latest: Latest) -> None:
    latest.most_bytes = 0
    labels = SoftTarget(torch.rand(3, *SHAPE), torch.rand(SHAPE))
    volume = TrainingVolume.of(
        "a", (1.0, 1.0, 2.0), torch.rand(SHAPE), torch.rand(2, *SHAPE).half(), torch.rand(SHAPE) > 0.5, labels
    )
    proposal = InMemory(Proposal(torch.rand(3, *SHAPE), torch.rand(SHAPE)))

    on_disk = volume.on_disk(tmp_path, "a")

    assert {path.name for path in tmp_path.iterdir()} == {"a.maps", "a.labels"}
    assert torch.equal(on_disk.inputs, volume.inputs) and on_disk.shape == volume.shape == SHAPE
    one, other = (each.taught(proposal, None).equally_trusted() for each in (volume, on_disk))
    for name in ("labels", "pseudo"):
        assert torch.equal(getattr(one, name).weighted, getattr(other, name).weighted)
        assert torch.equal(getattr(one, name).weight, getattr(other, name).weight)


def test_a_sequence_on_demand_makes_an_item_when_it_is_asked_for() -> None:
    made: list[int] = []

    def double(number: int) -> int:
        made.append(number)
        return 2 * number

    sequence = OnDemand([1, 2, 3, 4], double)
    assert len(sequence) == 4 and made == []
    assert sequence[-1] == 8 and made == [4]
    assert list(sequence[1:3]) == [4, 6] and made == [4, 2, 3]
    with pytest.raises(IndexError):
        sequence[4]
