"""Figures of training: epochs are whole numbers, however few there are."""

from __future__ import annotations

import pandas as pd
import pytest

from pneumoscope.report.run.training import draw_loss, draw_scores


@pytest.mark.parametrize("count", [1, 2, 14])
def test_epochs_are_whole(count: int) -> None:
    epochs = range(1, count + 1)
    history = pd.DataFrame({"epoch": epochs, "train_loss": 0.4, "val_loss": 0.5, "val_auroc": 0.9})
    for figure in (draw_loss(history, 1), draw_scores(history, 1)):
        axes = figure.axes[0]
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert ticks and all(tick == round(tick) for tick in ticks)
