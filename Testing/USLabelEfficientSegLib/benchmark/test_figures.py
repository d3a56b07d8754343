"""Figures of a benchmark tell its methods apart."""

from __future__ import annotations

from USLabelEfficientSegLib.benchmark.figures import style_of
from USLabelEfficientSegLib.benchmark.methods import method_names


def test_every_method_has_a_look_of_its_own() -> None:
    styles = [style_of(method, choice) for method in method_names() for choice in ("random", "suggested")]
    looks = {(style["color"], style["marker"], style["markerfacecolor"]) for style in styles}
    assert len(looks) == len(styles) == 2 * len(method_names())
