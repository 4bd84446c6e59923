"""Fitting: from a prepared set and a recipe to a finished model in the run folder."""

from __future__ import annotations

import torch
from lightning.pytorch.loggers import TensorBoardLogger
from safetensors.torch import load_file
from timm.layers import convert_sync_batchnorm  # type: ignore[attr-defined]  # timm has no __all__
from torch.utils.data import DataLoader

from pneumoscope.data.loader import WHOLE, Batch, RankSlice, make_loader
from pneumoscope.data.prepared import population
from pneumoscope.listener import Listener
from pneumoscope.manifest import Lineage
from pneumoscope.models.bundle import Bundle, save_bundle
from pneumoscope.models.network import Network
from pneumoscope.run import Run
from pneumoscope.storage import writing
from pneumoscope.training.allocator import keep_freed_memory
from pneumoscope.training.checkpoint import CheckpointCallback
from pneumoscope.training.features.batches import feature_loaders
from pneumoscope.training.features.store import drop_features
from pneumoscope.training.job import TrainingJob, class_counts, sampling_of, steps_of_epoch
from pneumoscope.training.losses import Loss
from pneumoscope.training.module import ClassifierModule
from pneumoscope.training.trainer import make_trainer, quiet


def fit(
    run: Run, job: TrainingJob, network: Network, listener: Listener, part: RankSlice = WHOLE
) -> Bundle:
    """Train, from the last checkpoint if there is one, and save the best epoch as a bundle.

    Where several processes train together this is the first one's; the others ``train``.
    """
    module, checkpoint = train(run, job, network, listener, part)
    bundle = _best(run, job, checkpoint, module.evaluated)
    save_bundle(bundle, run.folder)
    drop_features(run)
    return bundle


def train(
    run: Run, job: TrainingJob, network: Network, listener: Listener, part: RankSlice
) -> tuple[ClassifierModule, CheckpointCallback]:
    """Take ``part`` in the training; DDP gives all processes the first one's weights, and only
    the first one writes."""
    keep_freed_memory()
    run.checkpoints.mkdir(exist_ok=True)
    if part.world_size > 1 and job.precision.device == "cuda":
        # Not Lightning's sync_batchnorm: torch's conversion drops the activation that timm's
        # BatchNormAct2d carries, timm's own keeps it.
        network = convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    recipe = job.recipe
    views = recipe.train.views > 0
    module, films, val_films = assemble(job, network, features=views, part=part)
    if views:
        films, val_films = feature_loaders(run, job, network, listener)
    checkpoint = CheckpointCallback(run, recipe.train.monitor, recipe.train.patience, listener)
    with quiet(), writing(run.folder):
        trainer = make_trainer(
            recipe,
            job.precision,
            [checkpoint],
            job.hardware,
            max_epochs=recipe.train.epochs,
            logger=TensorBoardLogger(run.folder, name="", version="tensorboard"),
        )
        trainer.fit(
            module,
            films,
            val_films,
            ckpt_path=run.last_checkpoint if run.last_checkpoint.is_file() else None,
            weights_only=True,
        )
    return module, checkpoint


def assemble(
    job: TrainingJob,
    network: Network,
    *,
    features: bool = False,
    part: RankSlice = WHOLE,
) -> tuple[ClassifierModule, DataLoader[Batch], DataLoader[Batch]]:
    """What Lightning trains, and its batches of training and validation films: their ``part``.

    With ``features`` the module takes features of the frozen parts instead of films.
    """
    prepared, recipe = job.prepared, job.recipe
    size, sampling = recipe.train.batch_size, sampling_of(prepared, recipe)
    blended = bool(recipe.augment.mixup or recipe.augment.cutmix)
    train = make_loader(prepared, "train", size, job.seed, sampling, part, rising=not blended)
    loss = Loss(recipe.loss, *class_counts(prepared, recipe))
    steps = steps_of_epoch(prepared, recipe) * recipe.train.epochs
    module = ClassifierModule(
        network, recipe, loss, steps=steps, seed=job.seed, features=features, part=part
    )
    module.to(memory_format=torch.channels_last)
    return module, train, make_loader(prepared, "val", 2 * size, part=part)


def _best(run: Run, job: TrainingJob, checkpoint: CheckpointCallback, network: Network) -> Bundle:
    """The bundle of the epoch that is kept; its weights are loaded into ``network``."""
    recipe, best = job.recipe, checkpoint.best_row()
    network.load_state_dict(load_file(checkpoint.weights_of(best)))
    # The normalisation lies in the weights; model.json repeats it for people to read.
    mean, std = (round(float(value) / 255, 4) for value in (network.mean, network.std))
    return Bundle(
        network=network.cpu().eval(),
        backbone=recipe.model.backbone,
        weights=recipe.shareable().model.weights,
        normalisation=(mean, std),
        flip_average=recipe.decide.flip_average,
        turn_average=recipe.decide.turn_average,
        precision=job.precision.name,
        operating_points=(),
        lineage={
            "recipe": recipe.name,
            "data": job.prepared.about["source"]["name"],
            "fingerprint": job.prepared.fingerprint,
            "best_epoch": int(best["epoch"]),
            "epochs": len(checkpoint.history),
            "monitor": checkpoint.monitor,
            "population": population(job.prepared),
            **_origin(run),
        },
    )


def _origin(run: Run) -> Lineage:
    """Which file the weights came from, as far as others may know: not where it lay."""
    begun = run.manifest().get("weights") if run.manifest_file.is_file() else None
    if not begun:
        return {}
    origin: Lineage = {"weights_sha256": begun["sha256"]}
    if package := begun.get("package"):
        origin["weights_package"] = package
    return origin
