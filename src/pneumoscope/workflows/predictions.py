"""Predictions of a prepared set: its rows through a model, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.devices import choose_device, use_all_cores
from pneumoscope.evaluation.predictions import predictions_table
from pneumoscope.listener import Listener

if TYPE_CHECKING:  # torch takes seconds to import, and judging a table needs none
    from pneumoscope.inference.predictor import Predictor
    from pneumoscope.models.bundle import Bundle


def predict_rows(
    predictor: Predictor, prepared: PreparedSet, rows: NDArray[np.int64], listener: Listener
) -> pd.DataFrame:
    """The table of predictions of ``rows``, in their order, with progress told."""
    use_all_cores()
    advance = partial(listener.progress, unit="film")
    logits = predictor.logits(prepared.images, rows, advance=advance)
    return predictions_table(prepared, rows, logits)


def predict_with(
    bundles: Sequence[Bundle],
    calibrated: bool,
    prepared: PreparedSet,
    rows: NDArray[np.int64],
    listener: Listener,
) -> pd.DataFrame:
    """As ``predict_rows``, by ``bundles`` on the best device: a task for ``workflows.networks``."""
    from pneumoscope.inference.predictor import Predictor

    predictor = Predictor(bundles, choose_device(), calibrated=calibrated)
    return predict_rows(predictor, prepared, rows, listener)
