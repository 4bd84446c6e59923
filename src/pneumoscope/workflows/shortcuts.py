"""The shortcut check of a run: its test films with a part hidden, kept in ``shortcuts.csv``."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.devices import use_all_cores
from pneumoscope.evaluation.predictions import predictions_text
from pneumoscope.evaluation.shortcuts import read_shortcuts
from pneumoscope.imaging.hidden import mean_film
from pneumoscope.inference.predictor import Predictor
from pneumoscope.inference.shortcuts import shortcut_logits
from pneumoscope.models.bundle import Bundle
from pneumoscope.storage import write_atomic
from pneumoscope.workflows.context import RunContext


def shortcut_stage(work: RunContext, prepared: PreparedSet, bundle: Bundle) -> pd.DataFrame | None:
    """A row a test film: its logits where only the border, the centre or a thumbnail is left.
    What is hidden is filled with the mean of the training films; None where there are none."""
    file = work.run.shortcuts_file
    kept = read_shortcuts(file)
    train, rows = (np.asarray(prepared.rows(split)) for split in ("train", "test"))
    if kept is not None or work.run.metrics_file.is_file() or not len(train):
        return kept
    work.listener.stage("Check for shortcuts")
    use_all_cores()
    fill = mean_film(prepared.images, train)

    predictor = Predictor([bundle], work.device)
    advance = partial(work.listener.progress, unit="film")
    found = shortcut_logits(predictor, prepared.images, rows, fill, advance=advance)
    table = prepared.table.iloc[rows][["image_id"]].assign(**found)
    write_atomic(file, predictions_text(table))
    return read_shortcuts(file)
