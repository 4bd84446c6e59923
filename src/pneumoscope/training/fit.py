"""Build, train, keep: from a prepared set and a recipe to a finished model in the run folder."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import lightning
import numpy as np
import torch
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader

from pneumoscope.data.loader import Batch, make_loader
from pneumoscope.data.prepared import PreparedSet, population
from pneumoscope.models.bundle import Bundle, save_bundle
from pneumoscope.models.freeze import frozen_count
from pneumoscope.models.network import Network, pretrained_grey
from pneumoscope.models.weights import load_weights
from pneumoscope.models.zoo import build_backbone
from pneumoscope.recipe import Recipe
from pneumoscope.records import InputSpec, Listener
from pneumoscope.run import Run
from pneumoscope.storage import writing
from pneumoscope.training.allocator import keep_freed_memory
from pneumoscope.training.batchnorm import share_batch_norm
from pneumoscope.training.features import drop_features, feature_loaders
from pneumoscope.training.keeper import Keeper
from pneumoscope.training.losses import Loss
from pneumoscope.training.measure.precision import Precision
from pneumoscope.training.module import Classifier
from pneumoscope.training.team import alike, present_share

_SAMPLE = 2000


def build_network(
    prepared: PreparedSet, recipe: Recipe, network_side: int, seed: int, *, begun: bool = False
) -> Network:
    """The untrained network of a recipe, its random weights drawn from ``seed``.

    ``begun`` leaves pretrained weights out, when a checkpoint is going to replace them all.
    """
    torch.manual_seed(seed)
    backbone = build_backbone(recipe.model.backbone)
    if not begun:
        load_weights(backbone, recipe.model.backbone, recipe.model.weights)
    network = Network(
        backbone,
        InputSpec(
            prepared.spec.stored,
            network_side,
            prepared.spec.fit,
            margin=recipe.input.margin,
            local_contrast=recipe.input.local_contrast,
        ),
        normalisation=_normalisation(prepared, recipe, backbone),
        outputs=2 if recipe.loss.name == "cross_entropy" else 1,
        dropout=recipe.model.dropout,
    )
    network.freeze(frozen_count(backbone, recipe.model.freeze))
    return network


def _normalisation(
    prepared: PreparedSet, recipe: Recipe, backbone: nn.Module
) -> tuple[float, float]:
    if recipe.input.normalisation != "auto":
        return recipe.input.normalisation
    random = recipe.model.weights == "none"
    return train_grey(prepared) if random else pretrained_grey(backbone)


def train_grey(prepared: PreparedSet) -> tuple[float, float]:
    """Mean and standard deviation of the training films, of full scale; from 2,000 at most."""
    rows = prepared.rows("train")
    rows = rows[:: max(1, len(rows) // _SAMPLE)]
    mean, square = 0.0, 0.0
    for part in np.array_split(rows, max(1, len(rows) // 100)):
        films = prepared.images[part].astype(np.float64) / 255
        mean += float(films.mean()) * len(part) / len(rows)
        square += float(np.square(films).mean()) * len(part) / len(rows)
    return round(mean, 4), round(max(square - mean**2, 1e-4) ** 0.5, 4)


def _share_layers(network: Network, recipe: Recipe, device: str) -> None:
    """Where several processes train: the first one's weights in all, batch norm over all of them,
    and DDP must see, when it begins, whatever will ever learn."""
    if present_share().size > 1:
        alike(present_share(), network, device)
        share_batch_norm(network, device)
        if recipe.model.unfreeze_every:
            network.requires_grad_(True)


def fit(
    run: Run,
    prepared: PreparedSet,
    recipe: Recipe,
    network: Network,
    *,
    seed: int,
    precision: Precision,
    listener: Listener,
) -> Bundle:
    """Train, from the last checkpoint if there is one, and save the best epoch as a bundle."""
    keep_freed_memory()
    run.checkpoints.mkdir(exist_ok=True)
    _share_layers(network, recipe, precision.device)
    views = recipe.train.views > 0
    module, train, val = assemble(prepared, recipe, network, seed, features=views)
    if views:
        train, val = feature_loaders(
            *(run, prepared, recipe, network), seed=seed, precision=precision, listener=listener
        )
    keeper = Keeper(run, recipe.train.monitor, recipe.train.patience, listener)
    with quiet(), writing(run.folder):
        trainer = _trainer(run, recipe, keeper, precision)
        trainer.fit(
            module,
            train,
            val,
            ckpt_path=run.last_checkpoint if run.last_checkpoint.is_file() else None,
            weights_only=True,
        )
    bundle = _finish(run, prepared, recipe, keeper, module.judged, precision)
    drop_features(run)
    return bundle


def assemble(
    prepared: PreparedSet, recipe: Recipe, network: Network, seed: int, *, features: bool = False
) -> tuple[Classifier, DataLoader[Batch], DataLoader[Batch]]:
    """What Lightning trains, and its batches of training and validation films.

    With ``features`` the module takes features of the frozen parts instead of films.
    """
    share, size = present_share(), recipe.train.batch_size
    blended = bool(recipe.augment.mixup or recipe.augment.cutmix)
    sampling = recipe.train.sampling
    train = make_loader(prepared, "train", size, seed, sampling, share, rising=not blended)
    labels = prepared.labels(prepared.rows("train"))
    loss = Loss(recipe.loss, int(labels.sum()), len(labels))
    steps = math.ceil(len(train) / recipe.train.accumulate) * recipe.train.epochs
    module = Classifier(network, recipe, loss, steps=steps, seed=seed, features=features)
    module.to(memory_format=torch.channels_last)
    return module, train, make_loader(prepared, "val", 2 * size, share=share)


def _trainer(run: Run, recipe: Recipe, keeper: Keeper, precision: Precision) -> lightning.Trainer:
    size = present_share().size
    nodes = size // int(os.environ["LOCAL_WORLD_SIZE"]) if size > 1 else 1
    return lightning.Trainer(
        accelerator="gpu" if precision.device == "cuda" else "cpu",
        devices=size // nodes,
        num_nodes=nodes,
        strategy=_strategy(recipe) if size > 1 else "auto",
        use_distributed_sampler=False,  # the batches are divided already
        precision="bf16-mixed" if precision.name == "bf16" else "32-true",
        max_epochs=recipe.train.epochs,
        accumulate_grad_batches=recipe.train.accumulate,
        logger=TensorBoardLogger(run.folder, name="", version="tensorboard"),
        callbacks=[keeper],
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=True,
        log_every_n_steps=1,  # nothing is logged by step; a larger number draws a remark
    )


def _strategy(recipe: Recipe) -> DDPStrategy:
    """Gradients averaged over processes that were started already."""
    return DDPStrategy(
        cluster_environment=TorchElasticEnvironment(),
        # Frozen for a while: known to DDP, and without a gradient.
        find_unused_parameters=recipe.model.unfreeze_every > 0,
        broadcast_buffers=False,  # they begin alike, and batch norm sees the films of all
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Without Lightning's remarks on matters that are settled here on purpose."""
    loggers = [logging.getLogger(n) for n in ("lightning.pytorch", "lightning.fabric")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Batches are one indexing call of a memory map: worker processes would only cost.
            warnings.filterwarnings("ignore", ".*does not have many workers.*")
            warnings.filterwarnings("ignore", ".*Checkpoint directory .* exists.*")
            # Frozen parts are in evaluation mode on purpose.
            warnings.filterwarnings("ignore", ".*in eval mode at the start of training.*")
            # All processes compute the same figures of all films.
            warnings.filterwarnings("ignore", ".*sync_dist=True.*")
            # The new name of that option is unknown to torch 2.14.
            warnings.filterwarnings("ignore", ".*broadcast_buffers. is deprecated.*")
            # Lightning 2.6 calls an alias that torch 2.15 is about to drop.
            warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated.*")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _finish(
    run: Run,
    prepared: PreparedSet,
    recipe: Recipe,
    keeper: Keeper,
    network: Network,
    precision: Precision,
) -> Bundle:
    best = keeper.best_row()
    network.load_state_dict(load_file(keeper.weights_of(best)))
    # The normalisation lies in the weights; model.json repeats it for people to read.
    mean, std = (round(float(value) / 255, 4) for value in (network.mean, network.std))
    begun = run.manifest().get("weights") if run.manifest_file.is_file() else None
    bundle = Bundle(
        network=network.cpu().eval(),
        backbone=recipe.model.backbone,
        weights=recipe.shareable().model.weights,
        normalisation=(mean, std),
        flip_average=recipe.decide.flip_average,
        turn_average=recipe.decide.turn_average,
        precision=precision.name,
        operating_points=(),
        lineage={
            "recipe": recipe.name,
            "data": prepared.about["source"]["name"],
            "fingerprint": prepared.fingerprint,
            "best_epoch": int(best["epoch"]),
            "epochs": len(keeper.history),
            "monitor": keeper.monitor,
            "population": population(prepared),
            **({"weights_sha256": begun["sha256"]} if begun else {}),
        },
    )
    if present_share().rank == 0:
        save_bundle(bundle, run.folder)
    return bundle
