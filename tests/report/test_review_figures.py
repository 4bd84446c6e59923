"""Figures of the wider judgement, as drawn: no word lies on another or leaves the figure."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation

from pneumoscope.evaluation.operating import at_prevalences
from pneumoscope.metrics.intervals import wilson
from pneumoscope.report.kit.figure import house_style
from pneumoscope.report.review.prevalence import draw_prevalence


@pytest.mark.parametrize(
    ("own", "asked"),
    [
        (0.005, 0.02),
        (0.02, 0.005),
        (0.1, 0.1),
        (0.74, 0.5),
        (0.002, 0.0021),
        (0.07, 0.08),
        (0.999, None),
    ],
)
def test_words_about_prevalences_are_legible(own: float, asked: float | None) -> None:
    with house_style():
        metrics = {
            "sensitivity": wilson(80, 100),
            "specificity": wilson(70, 100),
            "precision": wilson(80, 110),
            "npv": wilson(70, 90),
        }
        found = at_prevalences(metrics, own, asked)
        figure = draw_prevalence(found)
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw(renderer)
        axes = figure.axes[0]
        words = [each for each in axes.texts if isinstance(each, Annotation)]
        boxes = [each.get_window_extent(renderer) for each in words]
        whole, inner = figure.bbox, axes.get_window_extent(renderer)
    assert len(words) == 3 + (asked is not None)
    assert f"these films, {own * 100:.3g}%" in [each.get_text() for each in words]
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other)
    for box in boxes:
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and box.y1 <= whole.y1
        assert box.y0 >= inner.y1  # clear of the curves
    low, high = axes.get_xlim()
    assert np.all([low < share <= high for share in (own, asked) if share])
