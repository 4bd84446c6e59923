"""Sentences of an explanation."""

from pneumoscope.report.explain.words import located


def test_no_percent_sign_stands_after_a_space() -> None:
    share = {"value": 0.4, "low": -0.1, "high": 0.5}
    parts = ("value", "chance", "prior", "above_chance", "above_prior")
    said = located("Grad-CAM", {"pointing": dict.fromkeys(parts, share)}, 12)
    assert said.count("%") == 4 and " %" not in said
