import copy
import math

import pytest
import torch
from training_contexts import context_in

from USLabelEfficientSegLib.divergence import training
from USLabelEfficientSegLib.divergence.batches import draw_batch
from USLabelEfficientSegLib.divergence.images import prepare_images
from USLabelEfficientSegLib.divergence.losses import cross_supervision
from USLabelEfficientSegLib.divergence.objective import images_of_step, weighted_losses
from USLabelEfficientSegLib.divergence.pair import NetworkPair
from USLabelEfficientSegLib.divergence.prediction import predict_images
from USLabelEfficientSegLib.divergence.rounds import RoundPosition
from USLabelEfficientSegLib.divergence.training import make_optimizer, set_learning_rates, train_pair
from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.study.setting_sections import DivergenceSettings
from USLabelEfficientSegLib.study.settings import changed, preset
from USLabelEfficientSegLib.training.schedules import polynomial_decay, ramp_up

CPU = torch.device("cpu")
SIZE = (32, 48)
TINY = DivergenceSettings(
    image_size=48,
    partner="swin-unet",
    steps=3,
    rounds=1,
    labelled_images=2,
    unlabelled_images=4,
    interpolation_start=0.0,
    unlabelled_start=0.0,
    ramp_up=1.0,
    learning_rate=2e-3,
)
ALONE = TINY.model_copy(update={"partner": "average"})
NO_TERMS = {"cross_supervision": 0.0, "information_divergence": 0.0, "interpolation": 0.0}


def discs(count=12, labelled=4):
    """Bright discs on dark ground, and which pixels they cover."""
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    images, labels = [], []
    for number in range(count):
        row, column = (10 + 12 * torch.rand(1, generator=generator) for _ in range(2))
        mask = (x - 10 - column) ** 2 + (y - row) ** 2 < 64
        images.append(0.15 + 0.6 * mask + 0.2 * torch.rand(SIZE, generator=generator))
        labels.append(mask.long() if number < labelled else None)
    return prepare_images(images, labels, [(1.0, 1.0)] * count, classes=2, image_size=48)


def trained(folder, settings=TINY, images=None, **options):
    return train_pair(images or discs(), settings, context_in(folder, "divergence", **options))


def same(first, second):
    pairs = zip(first.state_dict().items(), second.state_dict().values(), strict=True)
    return all(torch.equal(tensor, other) for (_, tensor), other in pairs)


def stop_after(calls):
    """A `cancelled` that says so after a number of steps."""
    asked = iter(range(1000))
    return lambda: next(asked) >= calls - 1


def test_stopped_training_continues_to_the_same_weights_bit_for_bit(tmp_path):
    settings = TINY.model_copy(update={"steps": 4})
    whole = trained(tmp_path / "whole", settings)
    with pytest.raises(Cancelled):
        trained(tmp_path / "stopped", settings, cancelled=stop_after(2))

    resumed = trained(tmp_path / "stopped", settings)

    assert same(whole, resumed)
    steps = [event.step for event in read_events(tmp_path / "stopped" / "events.jsonl")]
    assert steps[0] == 1 and steps[-1] == 4


@pytest.mark.parametrize("done", [1, 6, 7, 8])
def test_a_training_in_rounds_stopped_anywhere_continues_to_the_same_weights(tmp_path, done):
    settings = ALONE.model_copy(update={"steps": 9, "rounds": 3})  # rounds of 6, 2 and 1 steps
    whole = trained(tmp_path / "whole", settings)
    with pytest.raises(Cancelled):
        trained(tmp_path / "stopped", settings, cancelled=stop_after(done))

    assert same(whole, trained(tmp_path / "stopped", settings))


@pytest.mark.parametrize("partner", ["swin-unet", "average"])
def test_a_later_round_begins_with_the_averages_of_the_one_before_which_teach(tmp_path, monkeypatch, partner):
    seen = []

    def recorded(pair, teachers, batch, settings, position, generator):
        seen.append((position, copy.deepcopy(pair), copy.deepcopy(teachers)))
        return weighted_losses(pair, teachers, batch, settings, position, generator)

    monkeypatch.setattr(training, "weighted_losses", recorded)
    settings = TINY.model_copy(update={"steps": 9, "rounds": 3, "partner": partner})

    result = trained(tmp_path, settings)

    assert [position.round for position, _, _ in seen] == [1, 1, 1, 1, 1, 1, 2, 2, 3]
    assert not same(seen[1][2], seen[2][2])  # in the first round teachers follow
    first_of_second, second_of_second, first_of_third = seen[6:]
    assert same(first_of_second[1], first_of_second[2]) and same(first_of_second[2], second_of_second[2])
    assert not same(second_of_second[1], second_of_second[2])
    assert same(first_of_third[1], first_of_third[2]) and not same(first_of_third[2], second_of_second[2])
    assert not same(result, first_of_third[2]) and not result.training


def test_in_later_rounds_every_term_has_its_full_weight_from_the_first_step_on():
    settings = TINY.model_copy(update={"steps": 100, "interpolation_start": 0.5})

    full, later = losses_of(settings, step=100), losses_of(settings, step=0, number=2)

    assert later.keys() == full.keys() >= set(NO_TERMS)
    assert all(later[name].item() == pytest.approx(full[name].item(), rel=1e-5) for name in set(NO_TERMS))


def test_in_later_rounds_the_finished_networks_teach_whatever_the_views():
    settings = TINY.model_copy(update={"strong_views": False})

    assert losses_of(settings, number=1)["cross_supervision"].item() == pytest.approx(
        losses_of(settings, number=1, teacher_seed=1)["cross_supervision"].item()
    )
    assert losses_of(settings, number=2)["cross_supervision"].item() != pytest.approx(
        losses_of(settings, number=2, teacher_seed=1)["cross_supervision"].item()
    )


@pytest.mark.parametrize(
    ("settings", "networks"), [(TINY, {"unext", "swin_unet"}), (ALONE, {"unext"})], ids=["swin-unet", "average"]
)
def test_all_terms_are_reported_and_finite(tmp_path, settings, networks):
    pair = trained(tmp_path, settings)

    losses = read_events(tmp_path / "events.jsonl")[-1].losses

    assert set(pair.networks()) == networks
    assert set(losses) == networks | set(NO_TERMS)
    assert all(math.isfinite(loss) for loss in losses.values())


@pytest.mark.parametrize("partner", ["swin-unet", "average"])
@pytest.mark.parametrize("term", list(NO_TERMS))
def test_a_term_can_be_switched_off(term, partner):
    settings = TINY.model_copy(update={term: 0.0, "partner": partner})
    assert term not in losses_of(settings)
    assert set(NO_TERMS) - {term} < set(losses_of(settings))


def test_without_terms_unlabelled_images_cost_nothing():
    settings = TINY.model_copy(update=NO_TERMS)

    assert images_of_step(RoundPosition(1, 2, 3), settings) == (6, 0)
    assert set(losses_of(settings, unlabelled=0)) == {"unext", "swin_unet"}


def test_unlabelled_images_wait_for_their_start():
    settings = TINY.model_copy(update={"steps": 100, "unlabelled_start": 0.3, "ramp_up": 0.1})

    assert images_of_step(RoundPosition(1, 29, 100), settings) == (6, 0)
    assert (
        images_of_step(RoundPosition(1, 30, 100), settings)
        == (2, 4)
        == images_of_step(RoundPosition(2, 0, 100), settings)
    )
    first, last, later = (losses_of(settings, step=step)["cross_supervision"].item() for step in (30, 40, 99))
    assert first == pytest.approx(math.exp(-5) * last, rel=1e-4)
    assert later == last


def test_alone_a_network_learns_the_decisions_of_its_own_average_and_of_nothing_else():
    torch.manual_seed(0)
    network, average = NetworkPair(2, None).eval(), NetworkPair(2, None).eval()
    batch = draw_batch(discs(), ALONE, (2, 2), torch.Generator().manual_seed(0))

    losses = weighted_losses(
        network, average, batch, ALONE, RoundPosition(1, ALONE.steps, ALONE.steps), torch.Generator().manual_seed(1)
    )

    decisions = average(batch.weak)["unext"][2:]
    expected = cross_supervision(network(batch.strong)["unext"][2:], decisions, batch.inside[2:])
    assert losses["cross_supervision"].item() == pytest.approx(expected.item(), rel=1e-5)
    torch.stack(list(losses.values())).sum().backward()
    assert all(weight.grad is None for weight in average.parameters())
    assert all(weight.grad is not None for weight in network.parameters())


def test_swin_weights_without_a_swin_unet_are_refused():
    with pytest.raises(InputError, match="partner"):
        changed(preset("quick"), {"divergence.transformer_weights": "swin.pth"})


def test_unlabelled_terms_are_weighted_and_ramped_up():
    early, late = losses_of(TINY, step=0), losses_of(TINY, step=3)
    doubled = losses_of(TINY.model_copy(update={"cross_supervision": 2.0}), step=3)

    assert early["cross_supervision"].item() == pytest.approx(math.exp(-5) * late["cross_supervision"].item(), rel=1e-4)
    assert doubled["cross_supervision"].item() == pytest.approx(2 * late["cross_supervision"].item(), rel=1e-5)


def test_interpolation_waits_for_its_start():
    settings = TINY.model_copy(update={"steps": 100, "interpolation_start": 0.5})

    assert "interpolation" not in losses_of(settings, step=49)
    assert "interpolation" in losses_of(settings, step=50)


def losses_of(settings, step=1, unlabelled=2, number=1, teacher_seed=None):
    """The terms of one batch under untrained networks."""
    torch.manual_seed(0)
    width = 32 if settings.partner == "swin-unet" else None
    pair = NetworkPair(2, width).eval()
    if teacher_seed is not None:
        torch.manual_seed(teacher_seed)
    average = NetworkPair(2, width).eval()
    batch = draw_batch(discs(), settings, (2, unlabelled), torch.Generator().manual_seed(0))
    return weighted_losses(
        pair, average, batch, settings, RoundPosition(number, step, settings.steps), torch.Generator().manual_seed(1)
    )


def test_a_batch_shows_labelled_images_first_and_targets_in_their_pose():
    settings = TINY.model_copy(update={"strength": 0.0})

    batch = draw_batch(discs(), settings, (2, 2), torch.Generator().manual_seed(0))

    assert batch.weak.shape == batch.strong.shape == (4, 1, *SIZE)
    organ = (batch.target[:, 1] > 0.5) & (batch.weight > 0.99)
    ground = (batch.target[:, 1] < 0.5) & (batch.weight > 0.99)
    assert batch.strong[:2, 0][organ].mean() > 0.7 > 0.4 > batch.strong[:2, 0][ground].mean()
    assert (batch.inside[:2] == batch.weight).all()


def test_the_published_views_are_the_same_for_both():
    batch = draw_batch(
        discs(), TINY.model_copy(update={"strong_views": False}), (2, 2), torch.Generator().manual_seed(0)
    )

    assert torch.equal(batch.weak, batch.strong)


def test_networks_learn_to_find_the_discs(tmp_path):
    settings = TINY.model_copy(update={"steps": 25, "deformation": 0.0, "learning_rate": 4e-3})
    images = discs()

    pair = trained(tmp_path, settings, images)

    grey = images.grey[:4, 0].float() / 255
    probability = predict_images(pair.unext, grey, (1.0, 1.0), 48)
    found, truth = probability[:, 1] > 0.5, images.target[:, 1] > 0.5
    assert probability.shape == (4, 2, *SIZE)
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.8


def test_other_settings_or_images_do_not_continue_a_training(tmp_path):
    trained(tmp_path, TINY.model_copy(update={"steps": 1}))

    with pytest.raises(InputError, match="other settings"):
        trained(tmp_path, TINY.model_copy(update={"steps": 1, "interpolation": 0.5}))
    with pytest.raises(InputError, match="images"):
        trained(tmp_path, TINY.model_copy(update={"steps": 1}), discs(labelled=3))


def test_schedules_are_those_of_the_paper():
    full = preset("full").divergence

    assert ramp_up(0, 100) == pytest.approx(math.exp(-5)) and ramp_up(50, 100) == pytest.approx(math.exp(-1.25))
    assert ramp_up(100, 100) == ramp_up(200, 100) == 1
    assert polynomial_decay(5_000, 10_000, 1.0) == pytest.approx(0.5**0.9)
    networks = NetworkPair(2, 32)
    assert networks.swin_unet is not None
    optimizer = make_optimizer({networks.unext: 1e-3, networks.swin_unet: 2e-3}, full)
    for step, share in ((0, 1.0), (15_000, 0.5**0.9), (full.steps - 1, (1 / full.steps) ** 0.9)):
        set_learning_rates(optimizer, RoundPosition(1, step, full.steps), full)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([share * 1e-3, share * 2e-3])
