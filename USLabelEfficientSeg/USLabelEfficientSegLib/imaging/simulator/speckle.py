"""Speckle: random scatterers seen through a point-spread function that widens away from the focus."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .beams import BeamGrid
from .probe import ProbeSettings

FWHM = float(np.sqrt(8 * np.log(2)))  # full width at half maximum of a Gaussian of unit standard deviation


def beam_kernels(grid: BeamGrid, axis: int, width: np.ndarray) -> np.ndarray:
    """Gaussian mixing matrices (depth, beams, beams) for beams of ``width`` (depth,) mm FWHM.

    Rows have unit norm: white noise of unit power keeps its power at every depth, so that a wider
    point-spread function changes the speckle's size and not the tissue's brightness.
    """
    sigma = np.maximum(width / FWHM / grid.beam_spacing(axis), 0.3)
    beams = np.arange(grid.shape[axis])
    distance = (beams[:, None] - beams)[None] / sigma[:, None, None]
    kernels = np.exp(-0.5 * distance**2)
    return np.asarray((kernels / np.linalg.norm(kernels, axis=2, keepdims=True)).astype(np.float32))


def pulse_kernel(grid: BeamGrid, width: float) -> np.ndarray:
    """Samples of a Gaussian pulse of ``width`` mm FWHM along a beam, of unit norm."""
    sigma = max(width / FWHM / grid.depth_step, 0.3)
    reach = int(np.ceil(4 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.asarray((kernel / np.linalg.norm(kernel)).astype(np.float32))


def complex_noise(shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """White circular complex noise of unit power, as two real arrays (2, depth, lateral, elevation)."""
    return rng.standard_normal((2, *shape), dtype=np.float32) * np.float32(np.sqrt(0.5))


def received_echoes(
    diffuse: np.ndarray,
    specular: np.ndarray,
    grid: BeamGrid,
    settings: ProbeSettings,
    rng: np.random.Generator,
) -> np.ndarray:
    """In-phase and quadrature echoes (2, depth, lateral, elevation) of scatterers and of smooth interfaces.

    ``diffuse`` and ``specular`` are echo amplitudes (depth, lateral, elevation). A scatterer at depth z
    returns the pulse ``g(t - 2z/c) cos(omega (t - 2z/c))``; after quadrature demodulation that is the
    Gaussian g times ``exp(-2i omega z / c)``. Many scatterers at random sub-wavelength depths in a cell
    therefore add up to a circular complex Gaussian amplitude (Goodman 1975: fully developed speckle, Rayleigh
    envelope), while the scatterers of a smooth interface add up in phase.
    """
    depth = grid.sector.depth
    lateral = beam_kernels(grid, 1, settings.beam_width(grid.depths, depth, settings.lateral_f_number))
    elevation = beam_kernels(grid, 2, settings.beam_width(grid.depths, depth, settings.elevation_f_number))
    pulse = pulse_kernel(grid, settings.pulse_width(depth))
    echoes = complex_noise(grid.shape, rng) * diffuse
    # In-phase sums grow with the size of the kernels; an interface is to keep its brightness.
    coherent_gain = lateral.sum(2)[:, :, None] * elevation.sum(2)[:, None, :] * pulse.sum()
    echoes[0] += specular / coherent_gain
    echoes = lateral @ echoes @ elevation.transpose(0, 2, 1)
    return np.asarray(ndimage.convolve1d(echoes, pulse, axis=1, mode="reflect"))


def electronic_noise(grid: BeamGrid, settings: ProbeSettings, rng: np.random.Generator) -> np.ndarray:
    """Receiver noise of unit power (2, depth, lateral, elevation): band of the pulse, new in each beam."""
    pulse = pulse_kernel(grid, settings.pulse_width(grid.sector.depth))
    return np.asarray(ndimage.convolve1d(complex_noise(grid.shape, rng), pulse, axis=1, mode="reflect"))


def envelope(echoes: np.ndarray) -> np.ndarray:
    """Magnitude (depth, lateral, elevation) of in-phase and quadrature echoes."""
    return np.asarray(np.hypot(echoes[0], echoes[1]))


def with_clutter(diffuse: np.ndarray, grid: BeamGrid, settings: ProbeSettings) -> np.ndarray:
    """Echo amplitude with the energy that side lobes and reverberation bring in from around and above."""
    power = diffuse**2
    # Averages over a quarter of the beams, and over the depth just passed (reverberation comes late).
    around = ndimage.uniform_filter1d(power, max(3, grid.shape[1] // 4), axis=1)
    around = ndimage.uniform_filter1d(around, max(3, grid.shape[2] // 4), axis=2)
    passed = max(3, grid.shape[0] // 10)
    around = ndimage.uniform_filter1d(around, passed, axis=0, origin=(passed - 1) // 2)
    return np.asarray(np.sqrt(power + np.float32(10 ** (settings.clutter_db / 10)) * around))
