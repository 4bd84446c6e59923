"""The drawn reference: what is kept of it is what is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.imaging import appearance
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.imaging.thumbnails import thumbnails


def test_the_kept_chests_are_those_that_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, kept = appearance.draw_chests(), appearance._reference()
    for name in ("chest", "mean"):
        np.testing.assert_allclose(getattr(kept, name), getattr(drawn, name), atol=2e-4)
    np.testing.assert_allclose(kept.upright.weights, drawn.upright.weights, atol=2e-3, rtol=1e-3)
    # Components have no sign of their own, and those of one size turn into each other.
    films = np.stack([draw_phantom(9, i, label=i % 2, size=64).image[:48, :48] for i in range(12)])
    units = appearance.unit_films(thumbnails(np.concatenate([films, np.rot90(films, 1, (1, 2))])))
    judged = [*appearance.chest_likeness(units), appearance.turn_evidence(units)]
    monkeypatch.setattr(appearance, "_reference", lambda: drawn)
    anew = [*appearance.chest_likeness(units), appearance.turn_evidence(units)]
    for one, other in zip(judged, anew, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    assert len(np.unique(judged[0])) == 24
