"""Shares on an explanation's page: whole percentages that no line break can part."""

import pytest

from pneumoscope.report.explain.words import located, percent, span


@pytest.mark.parametrize(
    ("share", "wanted"), [(0.124, "12%"), (-0.031, "−3%"), (0.0, "0%"), (None, "not known")]
)
def test_a_share(share: float | None, wanted: str) -> None:
    assert percent(share) == wanted


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [(0.05, 0.3, "5–30%"), (-0.031, 0.12, "−3 to 12%"), (-0.2, -0.1, "−20 to −10%"), (None, 1, "")],
)
def test_an_interval(low: float | None, high: float, wanted: str) -> None:
    assert span({"low": low, "high": high}) == wanted


def test_no_percent_sign_stands_after_a_space() -> None:
    share = {"value": 0.4, "low": -0.1, "high": 0.5}
    parts = ("value", "chance", "prior", "above_chance", "above_prior")
    said = located("Grad-CAM", {"pointing": dict.fromkeys(parts, share)}, 12)
    assert said.count("%") == 4 and " %" not in said
