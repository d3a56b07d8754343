"""Speckle in homogeneous tissue: first-order statistics, unit power, beam widths as set."""

from functools import lru_cache

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.simulator.beams import BeamGrid, draw_sector
from USLabelEfficientSegLib.imaging.simulator.probe import PROBES, compress
from USLabelEfficientSegLib.imaging.simulator.speckle import FWHM, envelope, received_echoes, with_clutter

GRID = BeamGrid(draw_sector(np.array([96.0, 96.0, 64.0]), np.random.default_rng(1)), (160, 110, 70))
SETTINGS = PROBES["good"]


@lru_cache
def homogeneous() -> np.ndarray:
    ones = np.ones(GRID.shape, np.float32)
    return received_echoes(ones, 0 * ones, GRID, SETTINGS, np.random.default_rng(0))


def test_envelope_is_rayleigh_distributed_with_unit_power() -> None:
    magnitude = envelope(homogeneous())
    assert np.mean(magnitude**2) == pytest.approx(1, rel=0.03)
    assert magnitude.mean() / magnitude.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.02)  # 1.91
    median, upper = np.quantile(magnitude, [0.5, 0.9])
    assert upper / median == pytest.approx(np.sqrt(np.log(10) / np.log(2)), rel=0.02)


def measured_width(axis: int, depth: float) -> float:
    """FWHM in mm of the Gaussian whose autocorrelation neighbouring beams show around a depth."""
    index = int(np.argmin(np.abs(GRID.depths - depth)))
    echoes = homogeneous()[:, max(index - 8, 0) : index + 9]
    count = echoes.shape[axis + 1]
    here, next_beam = np.take(echoes, range(count - 1), axis + 1), np.take(echoes, range(1, count), axis + 1)
    correlation = (here * next_beam).mean() / (echoes**2).mean()
    return float(FWHM * GRID.beam_spacing(axis)[index] / np.sqrt(-4 * np.log(correlation)))


@pytest.mark.parametrize(("axis", "f_number"), [(1, SETTINGS.lateral_f_number), (2, SETTINGS.elevation_f_number)])
def test_speckle_widens_away_from_the_focus_as_set(axis: int, f_number: float) -> None:
    depth = GRID.sector.depth
    focus, far = SETTINGS.focal_depth * depth, 0.93 * depth
    for place in (focus, far):
        expected = float(SETTINGS.beam_width(np.array([place]), depth, f_number)[0])
        assert measured_width(axis, place) == pytest.approx(expected, rel=0.1)
    assert measured_width(axis, far) > 1.25 * measured_width(axis, focus)


def test_interface_keeps_its_brightness_whatever_the_beam_width() -> None:
    nothing = np.zeros(GRID.shape, np.float32)
    for settings in PROBES.values():
        echoes = received_echoes(nothing, nothing + 3, GRID, settings, np.random.default_rng(0))
        np.testing.assert_allclose(envelope(echoes)[20:-20, 30:-30, 25:-25], 3, rtol=0.05)


def test_clutter_comes_late_and_fills_dark_tissue() -> None:
    diffuse = np.zeros(GRID.shape, np.float32)
    diffuse[60:70] = 1
    received = with_clutter(diffuse, GRID, SETTINGS)
    assert (received[72:76] > 0.001).all()
    assert (received[:58] < 1e-4).all()


def test_compression_spans_the_dynamic_range() -> None:
    range_db = 60.0
    amplitudes = 10 ** (np.array([-40.0, -30.0, 0.0, 15.0, 30.0, 40.0]) / 20)
    np.testing.assert_allclose(compress(amplitudes, range_db), [0, 0, 0.5, 0.75, 1, 1], atol=1e-6)
