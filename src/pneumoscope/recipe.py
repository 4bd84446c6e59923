"""Recipes: every choice of an experiment in one validated, readable file.

A recipe file may be partial: what it leaves out is taken from ``default``. What is stored in a
run folder is always complete, so a run can be repeated from it alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pneumoscope.errors import BadRecipe, nearest
from pneumoscope.schema import describe, explain, section_of

# PyYAML lets through what int() and date() say of an impossible number or day, and deep nesting.
_NOT_YAML = (yaml.YAMLError, ValueError, RecursionError)

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
    split_seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = Field(
        description="cuts follow from it, and not from --seed, so all seeds share their test films"
    )
    fold: Annotated[str, Field(pattern=r"^(none|[0-9]{1,3} of [0-9]{1,3})$")] = Field(
        "none",
        description="3 of 5 judges on the fourth of five folds of the films that are not in the "
        "official test split, which is then left out; pneumoscope crossval sets it; none is usual",
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
    normalisation: Literal["auto"] | tuple[Fraction, Annotated[float, Field(gt=0, le=1)]] = Field(
        description="mean and standard deviation, of full scale; auto takes those of the "
        "pretrained weights, or of the training films where the weights are random"
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


class ModelChoices(Section):
    """The network."""

    backbone: str = Field(min_length=1, description="any timm name; see: pneumoscope models")
    weights: str = Field(min_length=1, description="imagenet, none, or a .pth/.safetensors file")
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
        description="auto measures both at the start and takes the faster"
    )


class DecideChoices(Section):
    """How probabilities become decisions; fitted on validation rows only."""

    rule: Literal[
        "youden", "youden_smooth", "f1", "sensitivity", "specificity", "cost", "fixed"
    ] = Field(description="what the threshold maximises, or holds; cost: a missed pneumonia is 5")
    target: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        description="for sensitivity, specificity: the value to hold (null: 0.95); for fixed: "
        "the threshold (null: 0.5); for other rules: null"
    )
    flip_average: bool = Field(description="average the logit of the film and its mirror image")

    @model_validator(mode="after")
    def _target_belongs(self) -> DecideChoices:
        if self.target is not None and self.rule in ("youden", "youden_smooth", "f1"):
            raise ValueError(f"a target beside the rule {self.rule!r}, which takes none")
        return self


class Recipe(Section):
    """A complete experiment."""

    name: str = Field(
        min_length=1,
        max_length=80,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="part of the run folder's records",
    )
    about: str = Field(description="one sentence: where it comes from, what it is for")
    data: DataChoices
    input: InputChoices
    augment: AugmentChoices
    model: ModelChoices
    loss: LossChoices
    optim: OptimChoices
    train: TrainChoices
    decide: DecideChoices

    @model_validator(mode="after")
    def _go_together(self) -> Recipe:
        if self.train.sampling != "shuffle" and self.loss.weighting == "balanced":
            raise ValueError(
                f"train.sampling={self.train.sampling} beside loss.weighting=balanced: each alone "
                "balances the classes, both correct twice; set one to shuffle or none"
            )
        if self.train.views and (self.model.freeze == "none" or self.model.unfreeze_every):
            raise ValueError(
                "train.views keeps the features of a part that stays frozen: set model.freeze, "
                "and model.unfreeze_every=0"
            )
        if self.train.views and (self.augment.mixup or self.augment.cutmix):
            raise ValueError(
                "augment.mixup and augment.cutmix blend other films at each step, but train.views "
                "keeps the features of films as they are: set both to 0, or train.views=0"
            )
        if self.train.views and self.train.minutes is not None:
            raise ValueError(
                "train.minutes measures steps on films, and train.views trains on kept features: "
                "set train.minutes=null and train.epochs, or train.views=0"
            )
        if self.train.patience and self.train.monitor == "last":
            raise ValueError("train.patience needs a train.monitor that says which epoch is better")
        return self

    def to_yaml(self) -> str:
        """The complete recipe as YAML, in the order of the schema."""
        return yaml.safe_dump(self.model_dump(), sort_keys=False, allow_unicode=True)


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("pneumoscope") / "recipes"
    files = (file.name for file in folder.iterdir())
    return sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml"))


def load_recipe(name_or_file: str, changes: Sequence[str] = ()) -> Recipe:
    """The recipe of that name or file, with ``section.key=value`` changes laid over it.

    Raises BadRecipe for an unknown recipe, section or key (with the nearest known name), a value
    out of range, or a change that is not of the form ``section.key=value``.
    """
    base = _read_packaged("default")
    asked = (
        _read_file(Path(name_or_file))
        if _is_file_name(name_or_file)
        else _read_packaged(name_or_file)
    )
    values = _merge(base, asked)
    for change in changes:
        values = _merge(values, _parse_change(change))
    return validate_recipe(values)


def validate_recipe(values: Mapping[str, Any]) -> Recipe:
    """Check a mapping against the schema. Raises BadRecipe naming the first fault."""
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise explain(error, Recipe) from None


def _is_file_name(text: str) -> bool:
    return text.endswith((".yaml", ".yml")) or "/" in text or "\\" in text


def _read_packaged(name: str) -> dict[str, Any]:
    if name not in recipe_names():
        raise BadRecipe(
            "there is no such recipe",
            got=repr(name),
            expected=nearest(name, recipe_names()),
            remedy="see: pneumoscope recipes; or give a .yaml file",
        )
    text = (resources.files("pneumoscope") / "recipes" / f"{name}.yaml").read_text("utf-8")
    return _parse(text, name)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRecipe(
            "the recipe file cannot be read",
            got=f"{path} ({error.__class__.__name__})",
            expected="a YAML file in UTF-8",
            remedy="check the path; the packaged recipes are listed by: pneumoscope recipes",
        ) from None
    values = _parse(text, str(path))
    values.setdefault("name", path.stem)
    return values


def _parse(text: str, origin: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(text)
    except _NOT_YAML as error:
        raise BadRecipe(
            f"{origin} is not valid YAML", got=" ".join(str(error).split())[:300]
        ) from None
    if not isinstance(values, dict):
        raise BadRecipe(
            f"{origin} is not a recipe",
            got=type(values).__name__,
            expected="a mapping of sections",
        )
    return values


def _parse_change(change: str) -> dict[str, Any]:
    key, equals, value = change.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts):
        raise BadRecipe(
            "a change has another form",
            got=repr(change),
            expected="section.key=value",
            remedy="for example: --set train.epochs=4",
        )
    try:
        inner: Any = yaml.safe_load(value)
    except _NOT_YAML:
        inner = value
    for part in reversed(parts):
        inner = {part: inner}
    return dict(inner)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            merged[key] = _merge(under, value)
        else:
            merged[key] = value
    return merged


def describe_keys() -> list[tuple[str, str, str]]:
    """Every key as (name, allowed values, meaning): the one source of its documentation."""
    rows = []
    for key, allowed in describe(Recipe).items():
        section, _, name = key.rpartition(".")
        fields = (section_of(Recipe, section) or Recipe).model_fields
        rows.append((key, allowed, fields[name].description or ""))
    return rows
