"""Simulated 3-D ultrasound with known anatomy and exactly known organ volumes."""

from .populations import POPULATIONS
from .probe import PROBES, ProbeSettings
from .simulate import SimulatedCase, simulate_population, simulate_volume

__all__ = ["POPULATIONS", "PROBES", "ProbeSettings", "SimulatedCase", "simulate_population", "simulate_volume"]
