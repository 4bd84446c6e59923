"""Sections of a recipe: what each may choose, within what bounds, and what it means.

This is the one source of the checks, of error messages and of the list of keys.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Section(BaseModel):
    """A part of a recipe: unknown keys are refused, values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataChoices(Section):
    """Which films train, validate and test."""

    test: Literal["official", "new"] = Field(
        description="official keeps the data's own test split, and cuts one where there is none; "
        "new always cuts one"
    )
    val: Literal["auto", "official", "new"] = Field(
        description="auto keeps the data's own validation split unless it is too small to tell "
        "anything, and cuts one from train where there is none"
    )
    test_share: Annotated[float, Field(gt=0, lt=0.9)] = Field(
        description="part of all films that a test split cut here gets"
    )
    val_share: Annotated[float, Field(gt=0, lt=0.9)] = Field(
        description="part of the other films that a validation split cut here gets"
    )
    train_share: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="part of the training patients of each class that is trained on, the same for "
        "all seeds; smaller parts lie within larger ones, for learning curves",
    )
    split_seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = Field(
        description="cuts follow from it, and not from --seed, so all seeds share their test films"
    )
    fold: Annotated[str, Field(pattern=r"^(none|[0-9]{1,3} of [0-9]{1,3})$")] = Field(
        "none",
        description="3 of 5 judges on the fourth of five folds of the films that are not in the "
        "official test split, which is then left out; pneumoscope crossval sets it; none is usual",
    )
    test_site: Annotated[str, Field(min_length=1)] = Field(
        "none",
        description="of several sets the one that is judged and takes no part in training; "
        "official test splits are then left out; pneumoscope crossval --by site sets it",
    )
    views: Literal["auto", "all"] = Field(
        "all",
        description="auto leaves lateral films, other modalities, other parts of the body and "
        "cut-out lungs out of training and of splits cut here, where most films are none of "
        "these; all keeps them",
    )
    groups: Literal["patients", "alike"] = Field(
        "patients",
        description="what a cut never divides: patients, or also equal pixels, copies of one film "
        "and films made from one by their names",
    )
    most_bad: Fraction = Field(
        description="the data is refused when more than this part of its films cannot be used"
    )


class InputChoices(Section):
    """What the network sees."""

    size: Literal["auto"] | Annotated[int, Field(ge=16, le=1024)] = Field(
        description="side in pixels of the network's square input; auto follows the data"
    )
    fit: Literal["squash", "pad", "crop"] = Field(
        description="how an oblong film becomes a square: squash it, pad with black, or crop"
    )
    margin: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        description="part of the stored side left out around what is judged: 0.125 stores 256 "
        "for a 224 px network, as Resize(256) and CenterCrop(224) do"
    )
    local_contrast: Annotated[int, Field(ge=0, le=16)] = Field(
        0,
        description="cells a side of a grid over which brightness and contrast are evened out "
        "(local contrast normalisation), so that neither can tell anything by itself; 0 is off",
    )
    normalisation: Literal["auto"] | tuple[Fraction, Annotated[float, Field(gt=0, le=1)]] = Field(
        description="mean and standard deviation, of full scale; auto takes those of the "
        "pretrained weights, or of the training films where the weights are random; "
        "without effect beside local_contrast"
    )


class AugmentChoices(Section):
    """Random changes of the training films; ranges are half-widths around no change."""

    flip: Fraction = Field(description="probability of a left-right flip")
    crop: Annotated[float, Field(gt=0, le=1)] = Field(
        description="smallest area of a random crop, part of the film, aspect 3/4 to 4/3, as "
        "RandomResizedCrop takes them; 1 is off"
    )
    rotation: Annotated[float, Field(ge=0, le=180)] = Field(description="degrees")
    translation: Annotated[float, Field(ge=0, le=0.5)] = Field(description="part of the side")
    scale: Annotated[float, Field(ge=0, lt=0.9)] = Field(description="0.1 means 0.9 to 1.1")
    stretch: Annotated[float, Field(ge=0, lt=0.9)] = Field(description="change of aspect ratio")
    brightness: Annotated[float, Field(ge=0, le=1)] = Field(description="part of full scale")
    contrast: Annotated[float, Field(ge=0, lt=1)] = Field(description="0.2 means x0.8 to x1.2")
    gamma: Annotated[float, Field(ge=0, lt=1)] = Field(description="0.2 means 2**-0.2 to 2**0.2")
    detail: Annotated[float, Field(ge=0, le=4)] = Field(
        0.0, description="strength of fine and of middling detail: 1 means 2**-1 to 2**1"
    )
    field: Annotated[float, Field(ge=0, le=1)] = Field(
        description="largest strength of a smooth random field of brightness over the film, part "
        "of full scale"
    )
    noise: Annotated[float, Field(ge=0, le=0.5)] = Field(
        description="largest standard deviation of added Gaussian noise, part of full scale"
    )
    erase: Fraction = Field(description="probability that a rectangle is blanked")
    mixup: Annotated[float, Field(ge=0, le=10)] = Field(
        description="alpha of the beta distribution by which two films and their labels are "
        "blended; 0 is off; beside cutmix each gets half of the batches"
    )
    cutmix: Annotated[float, Field(ge=0, le=10)] = Field(
        description="alpha by which a rectangle of another film replaces the film's own; 0 is off"
    )

    @classmethod
    def still(cls) -> dict[str, float]:
        """The values that change no film: 0, and for a crop 1, the whole film."""
        return {name: 1.0 if name == "crop" else 0.0 for name in cls.model_fields}

    @property
    def any_random(self) -> bool:
        """Whether any film is changed at all."""
        return self.model_dump() != self.still()


class ModelChoices(Section):
    """The network."""

    backbone: str = Field(
        min_length=1,
        description="any timm name, +half behind it for two sizes; see: pneumoscope models",
    )
    weights: str = Field(
        min_length=1,
        description="imagenet (of the installed package for tf_efficientnet_lite0 to 2, else "
        "torchvision's where timm has them, else timm's), none, or a .pth/.safetensors file",
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(description="before the last layer")
    freeze: str = Field(
        min_length=1,
        description="the last part that keeps its weights and batch statistics, such as layer3; "
        "none, or all of the backbone",
    )
    unfreeze_every: Annotated[int, Field(ge=0)] = Field(
        description="after so many epochs the topmost frozen part is freed, and so on; 0 never"
    )


class LossChoices(Section):
    """What is minimised."""

    name: Literal["bce", "cross_entropy", "focal"] = Field(
        description="bce and focal have one output, cross_entropy two"
    )
    focal_gamma: Annotated[float, Field(ge=0, le=10)] = Field(
        description="focal only: how far well classified films are played down"
    )
    weighting: Literal["none", "balanced"] | Annotated[float, Field(gt=0, le=1000)] = Field(
        description="balanced gives both classes the same total weight; a number is the weight "
        "of a pneumonia film beside 1 of a normal one, which others call pos_weight"
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        description="targets become smoothing/2 and 1 - smoothing/2"
    )


class OptimChoices(Section):
    """How it is minimised."""

    name: Literal["adamw", "adam", "sgd"] = Field(description="sgd has Nesterov momentum 0.9")
    learning_rate: Annotated[float, Field(gt=0, le=10)] = Field(description="the highest one")
    weight_decay: Annotated[float, Field(ge=0, le=1)] = Field(
        description="not applied to biases and normalisation layers"
    )
    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        description="each layer's rate as a part of that of the layer above; 1 is off"
    )
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="part of all steps in which the rate rises linearly"
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(description="after the warm-up")
    clip: Annotated[float, Field(ge=0)] = Field(description="gradient norm limit; 0 is off")


class TrainChoices(Section):
    """How long, how large, how precise."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = Field(description="passes over train")
    minutes: Annotated[float, Field(gt=0, le=100_000)] | None = Field(
        description="time for training: epochs becomes what fits into it; null: epochs decides"
    )
    min_steps: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        0,
        description="at least so many optimiser steps: few training films take more epochs; 0 is "
        "off",
    )
    batch_size: Annotated[int, Field(ge=2, le=8192)] = Field(
        description="films that go through the network together"
    )
    accumulate: Annotated[int, Field(ge=1, le=1024)] = Field(
        description="batches whose gradients make one step"
    )
    sampling: Literal["shuffle", "oversample", "undersample"] = Field(
        description="shuffle draws each film once an epoch; oversample draws both classes alike "
        "with repetition; undersample leaves out films of the larger class, others each epoch"
    )
    sites: Literal["balanced", "pooled"] = Field(
        "balanced",
        description="of several sets: balanced draws each class of each site alike, with "
        "repetition, so that the site does not tell the class, in place of sampling and of "
        "loss.weighting; pooled takes all films as one set; without effect on one set",
    )
    views: Annotated[int, Field(ge=0, le=1000)] = Field(
        description="augmented views of a film whose frozen features are computed once and "
        "reused in turn; 0 computes them anew at each step"
    )
    ema: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="highest decay of the weight average that is judged and kept; 0 is off"
    )
    monitor: Literal["auroc", "loss", "last"] = Field(
        description="the validation figure by which the epoch that is kept is chosen; last keeps "
        "the last epoch whatever it shows"
    )
    patience: Annotated[int, Field(ge=0)] = Field(
        description="stop after so many epochs without a better one; 0 is off"
    )
    precision: Literal["auto", "float32", "bf16"] = Field(
        description="auto measures both at the start, and takes bf16 where it is 1.25 times as fast"
    )


class DecideChoices(Section):
    """How probabilities become decisions; fitted on validation rows only."""

    rule: Literal[
        "youden", "youden_smooth", "f1", "sensitivity", "specificity", "cost", "fixed"
    ] = Field(description="what the threshold maximises, or holds")
    target: Annotated[float, Field(gt=0, le=1000)] | None = Field(
        description="what the rule needs: for sensitivity, specificity the value to hold (null: "
        "0.95); for fixed the threshold (null: 0.5); for cost how many false alarms a missed "
        "pneumonia weighs (null: 5); other rules take null"
    )
    flip_average: bool = Field(description="average the logit of the film and its mirror image")
    turn_average: float = Field(
        0.0,
        ge=0,
        le=45,
        description="average the logit of the film with those of the film turned by so many "
        "degrees to the left and to the right; 0: of the film alone",
    )

    @model_validator(mode="after")
    def _target_belongs(self) -> DecideChoices:
        if self.target is None:
            return self
        if self.rule in ("youden", "youden_smooth", "f1"):
            raise ValueError(f"a target beside the rule {self.rule!r}, which takes none")
        if self.rule != "cost" and self.target >= 1:
            raise ValueError(
                f"target={self.target:g} beside the rule {self.rule!r}, which takes a number "
                "above 0 to below 1"
            )
        return self
