"""Sentences of an explanation."""

from types import SimpleNamespace
from typing import Any

from pneumoscope.explain.localise import Localisation
from pneumoscope.readings import Estimate
from pneumoscope.report.explain.words import headline, location_words


def test_no_percent_sign_stands_after_a_space() -> None:
    share = Estimate(0.4, -0.1, 0.5, 0.95, "bootstrap", 12)
    pointing = Localisation("pointing", share, share, share, share, share)
    said = location_words("Grad-CAM", pointing, 12)
    assert said.count("%") == 4 and " %" not in said


def test_methods_that_passed_are_named_in_a_sentence() -> None:
    checks = {"a": True, "b": True, "c": True, "d": False}
    found: Any = SimpleNamespace(
        localisation=None,
        titles={name: name.upper() for name in checks},
        sanity={name: SimpleNamespace(passed=passed) for name, passed in checks.items()},
    )
    passed, failed = headline(found)
    assert "maps by A, B and C change, as they must: passed." in passed
    assert "maps by D hardly change: not passed, so do not rely on them." in failed
