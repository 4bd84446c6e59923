"""Sentences of an explanation."""

from pneumoscope.explain.localise import Localisation
from pneumoscope.readings import Estimate
from pneumoscope.report.explain.words import location_words


def test_no_percent_sign_stands_after_a_space() -> None:
    share = Estimate(0.4, -0.1, 0.5, 0.95, "bootstrap", 12)
    pointing = Localisation("pointing", share, share, share, share, share)
    said = location_words("Grad-CAM", pointing, 12)
    assert said.count("%") == 4 and " %" not in said
