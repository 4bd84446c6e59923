"""A site alone: what its labelled films teach a network from random weights, and nothing else.

Stopped at any time it goes on from its last checkpoint, in the same folder.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.metrics.scores import auroc
from pneumoscope.records import DataRequest
from pneumoscope.training.checkpoint import CheckpointCallback
from pneumoscope.workflows.adapt.site import Site
from sites import trained


def alone(
    site: Site, some: NDArray[np.int64], judge: NDArray[np.int64], name: str
) -> dict[str, Any]:
    """AUROC of ``default`` from random weights, trained on ``some`` films and nothing else."""
    place = Path(f"alone-{name}").absolute()
    films, run = place / "films", place / "run"
    for split, places in (("train", some), ("test", judge)):
        for at in places if not run.with_name("part-run").exists() else ():
            film = f"patient{site.patients[at]:05d}_{at}.png"
            file = films / split / ("NORMAL", "PNEUMONIA")[site.labels[at]] / film
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(site.prepared.images[site.rows[at]]).save(file)
    # A twentieth for validation: nothing is chosen on it, for the recipe fixes the threshold.
    changes = ["train.min_steps=150", "data.val_share=0.05", "data.groups=patients"]
    trained(DataRequest(str(films)), changes, run)
    rows = pd.read_csv(run / "predictions.csv").query("split == 'test'")
    shutil.rmtree(place)
    return {"films": len(rows), "auroc": round(auroc(rows["label"], rows["raw_logit"]), 4)}


def saved_seldom(every: int = 25) -> None:
    """An epoch of 100 films is one step, and a checkpoint takes longer than that."""
    save = CheckpointCallback._save

    def seldom(callback: CheckpointCallback, trainer: Any) -> None:
        if trainer.current_epoch % every == every - 1:
            save(callback, trainer)

    CheckpointCallback._save = seldom
