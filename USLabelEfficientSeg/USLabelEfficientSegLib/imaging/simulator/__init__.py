"""Simulated 3-D ultrasound with known anatomy and exactly known organ volumes."""

from .probe import PROBES, ProbeSettings
from .simulate import SimulatedCase, simulate_volume

__all__ = ["PROBES", "ProbeSettings", "SimulatedCase", "simulate_volume"]
