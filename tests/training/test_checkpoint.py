"""What a resumed run finds again of the one that was stopped."""

from pathlib import Path

import pandas as pd
import torch

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.listener import Silent
from pneumoscope.recipe import load_recipe
from pneumoscope.run import Run
from pneumoscope.training.fit import fit
from pneumoscope.training.job import TrainingJob, build_network
from pneumoscope.training.measure.precision import Precision


def train(run: Run, prepared: PreparedSet, epochs: int) -> pd.DataFrame:
    """The history after so many epochs in all."""
    quick = ["model.backbone=test_resnet", "train.batch_size=16", f"train.epochs={epochs}"]
    recipe = load_recipe("default", [*quick, "train.monitor=auroc"])
    job = TrainingJob(prepared, recipe, 32, 3, Precision("float32", "test"))
    fit(run, job, build_network(prepared, recipe, 32, 3), Silent())
    return pd.read_csv(run.history_file)


def test_the_history_lies_where_version_0_1_0_put_it(prepared: PreparedSet, tmp_path: Path) -> None:
    """A class of another name would begin a history of its own, and choose the best epoch anew."""
    run = Run(tmp_path)
    train(run, prepared, 1)
    checkpoint = torch.load(run.last_checkpoint, weights_only=True)
    kept = checkpoint["callbacks"]["Keeper"]
    assert set(kept) == {"history"} and list(checkpoint["callbacks"]) == ["Keeper"]
    kept["history"][0]["val_auroc"] = 0.123  # the first epoch's, which no second one computes
    torch.save(checkpoint, run.last_checkpoint)
    history = train(run, prepared, 2)
    assert history["epoch"].tolist() == [1, 2]
    assert history["val_auroc"][0] == 0.123
    assert [path.name for path in run.checkpoints.glob("best*")] == ["best-0002.safetensors"]
