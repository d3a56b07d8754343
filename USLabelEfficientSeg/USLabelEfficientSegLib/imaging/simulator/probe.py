"""What a probe does to the echoes: resolution, attenuation and its compensation, noise, clutter, display."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from .beams import BeamGrid
from .noise import smooth_noise

SPEED_OF_SOUND = 1.54  # mm per microsecond, the value every scanner assumes
SOFT_TISSUE_ATTENUATION = 0.7  # dB / (cm MHz), one way: what time-gain compensation assumes


@dataclass(frozen=True)
class ProbeSettings:
    """Quality of a probe and its electronics.

    Depths are counted in wavelengths because attenuation makes every scanner trade frequency for penetration.
    Levels in dB are relative to the echo of reference soft tissue.
    """

    depth_in_wavelengths: float = 130.0
    pulse_cycles: float = 2.5
    lateral_f_number: float = 2.0
    elevation_f_number: float = 2.8
    focal_depth: float = 0.45  # fraction of the imaged depth
    depth_of_focus: float = 0.45  # fraction of the imaged depth over which the beam widens by sqrt(2)
    noise_db: float = -50.0  # electronic noise at the face, before time-gain compensation
    clutter_db: float = -36.0  # side lobes and reverberation: energy received from around
    gain_error_db: float = 1.0  # standard deviation of the time-gain error along depth and of overall gain
    contact_error_db: float = 0.7  # standard deviation of the gain between beams
    dynamic_range_db: float = 60.0

    def wavelength(self, depth_mm: float) -> float:
        """Wavelength in millimetres when the image is ``depth_mm`` deep."""
        return depth_mm / self.depth_in_wavelengths

    def frequency_mhz(self, depth_mm: float) -> float:
        """Centre frequency in MHz when the image is ``depth_mm`` deep."""
        return SPEED_OF_SOUND / self.wavelength(depth_mm)

    def pulse_width(self, depth_mm: float) -> float:
        """Axial full width at half maximum in mm: half the pulse's length, as the echo travels twice."""
        return self.pulse_cycles * self.wavelength(depth_mm) / 2

    def beam_width(self, depths: np.ndarray, depth_mm: float, f_number: float) -> np.ndarray:
        """Full width at half maximum in millimetres of the beam at ``depths``: narrowest at the focus.

        ``w(z) = F lambda sqrt(1 + ((z - z_focus) / depth_of_focus)^2)``, the profile of a Gaussian beam.
        """
        defocus = (depths / depth_mm - self.focal_depth) / self.depth_of_focus
        return np.asarray(f_number * self.wavelength(depth_mm) * np.sqrt(1 + defocus**2))


PROBES = {
    "good": ProbeSettings(),
    "medium": ProbeSettings(
        depth_in_wavelengths=115.0,
        lateral_f_number=2.4,
        elevation_f_number=3.2,
        depth_of_focus=0.38,
        noise_db=-40.0,
        clutter_db=-27.0,
        gain_error_db=1.8,
        contact_error_db=1.4,
        dynamic_range_db=56.0,
    ),
    "low-cost": ProbeSettings(
        depth_in_wavelengths=100.0,
        pulse_cycles=3.0,
        lateral_f_number=2.7,
        elevation_f_number=3.6,
        focal_depth=0.4,
        depth_of_focus=0.35,
        noise_db=-30.0,
        clutter_db=-20.0,
        gain_error_db=2.8,
        contact_error_db=2.4,
        dynamic_range_db=52.0,
    ),
}


def probe_settings(probe: str | ProbeSettings) -> ProbeSettings:
    """The settings of a named level, or the settings themselves; an unknown name raises ``InputError``."""
    if isinstance(probe, ProbeSettings):
        return probe
    if probe not in PROBES:
        raise InputError(f"probe {probe!r}", "is not a known level", f"use one of {', '.join(PROBES)}")
    return PROBES[probe]


def tissue_loss_db(attenuation: np.ndarray, grid: BeamGrid, frequency_mhz: float) -> np.ndarray:
    """Round-trip loss in dB (depth, lateral, elevation), accumulated along each beam, as shadows are.

    ``attenuation`` is one-way, in dB / (cm MHz); fluid gives less than time-gain compensation expects
    (enhancement behind it), bone far more (shadow).
    """
    per_step = attenuation * np.float32(2 * frequency_mhz * grid.depth_step / 10)
    total = np.cumsum(per_step, axis=0)
    total -= per_step / 2  # up to the middle of the sample itself
    return np.asarray(total)


def compensation_db(grid: BeamGrid, frequency_mhz: float) -> np.ndarray:
    """Time-gain compensation in dB (depth, 1, 1) for reference soft tissue."""
    return (2 * frequency_mhz * SOFT_TISSUE_ATTENUATION / 10 * grid.depths)[:, None, None].astype(np.float32)


def gain_error_db(grid: BeamGrid, settings: ProbeSettings, rng: np.random.Generator) -> np.ndarray:
    """Imperfect gain in dB (depth, lateral, elevation): along depth, overall, and between beams (contact)."""
    depths, lateral, elevation = grid.shape
    along = smooth_noise(rng, (depths, 1, 1), (5, 1, 1))
    between = smooth_noise(rng, (1, lateral, elevation), (1, 10, 5))
    overall = np.float32(rng.standard_normal())
    error: np.ndarray = settings.gain_error_db * (along + overall) / np.float32(np.sqrt(2))
    return error + settings.contact_error_db * between


def compress(envelope: np.ndarray, dynamic_range_db: float) -> np.ndarray:
    """Log compression to [0, 1]: the dynamic range fills it, the echo 1 (reference tissue) is mid-grey."""
    level_db = 20 * np.log10(np.maximum(envelope, np.float32(1e-6)))
    return np.asarray(np.clip(level_db / np.float32(dynamic_range_db) + np.float32(0.5), 0, 1))
