"""Training job: the films, recipe and numbers that decide a training, and the network they make."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pneumoscope.data.loader import Sampling, make_loader
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.models.freeze import frozen_count
from pneumoscope.models.network import Network, pretrained_grey
from pneumoscope.models.weights import load_weights
from pneumoscope.models.zoo import build_backbone
from pneumoscope.recipe import Recipe
from pneumoscope.records import Hardware, InputSpec
from pneumoscope.training.measure.precision import Precision

_SAMPLE = 2000


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """What is trained, beside the network and the folder it is written to; it can be pickled.

    ``side`` is that of the network in pixels. All that is random follows from ``seed``.
    """

    prepared: PreparedSet
    recipe: Recipe
    side: int
    seed: int
    precision: Precision
    hardware: Hardware = Hardware()


def sampling_of(prepared: PreparedSet, recipe: Recipe) -> Sampling:
    """How the training films are drawn: of several sites each class of each alike, unless the
    recipe pools them."""
    balanced = len(prepared.sites) > 1 and recipe.train.sites == "balanced"
    return "sites" if balanced else recipe.train.sampling


def class_counts(prepared: PreparedSet, recipe: Recipe) -> tuple[int, int]:
    """Training films with pneumonia and all of them, by which the loss weighs classes; where
    classes of sites are drawn alike, as they are drawn."""
    rows = prepared.rows("train")
    if sampling_of(prepared, recipe) == "sites":
        strata = np.unique(prepared.strata(rows))
        return int((strata % 2).sum()), len(strata)
    return int(prepared.labels(rows).sum()), len(rows)


def steps_of_epoch(prepared: PreparedSet, recipe: Recipe) -> int:
    """The optimiser steps of an epoch."""
    train = recipe.train
    batches = len(
        make_loader(prepared, "train", train.batch_size, 0, sampling_of(prepared, recipe))
    )
    return math.ceil(batches / train.accumulate)


def build_network(
    prepared: PreparedSet, recipe: Recipe, network_side: int, seed: int, *, begun: bool = False
) -> Network:
    """The untrained network of a recipe, its random weights drawn from ``seed``.

    ``begun`` leaves pretrained weights out, when others are going to replace them all.
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
