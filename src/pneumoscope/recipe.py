"""Recipes: every choice of an experiment in one validated, readable file.

A recipe file may be partial: what it leaves out is taken from ``default``. What is stored in a
run folder is always complete, so a run can be repeated from it alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from pneumoscope.errors import BadRecipe, nearest
from pneumoscope.schema import describe, recipe_error, section_of
from pneumoscope.sections import (
    AugmentChoices,
    DataChoices,
    DecideChoices,
    InputChoices,
    LossChoices,
    ModelChoices,
    OptimChoices,
    Section,
    TrainChoices,
)

# PyYAML lets through what int() and date() say of an impossible number or day, and deep nesting.
_NOT_YAML = (yaml.YAMLError, ValueError, RecursionError)

_NO_FILES = ("none", "imagenet")
"""What ``model.weights`` may be beside the name of a file."""


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

    @property
    def weights_file(self) -> Path | None:
        """The local file that the backbone begins from; None for random and published weights."""
        weights = self.model.weights
        return None if weights in _NO_FILES else Path(weights).expanduser()

    def with_weights(self, weights: str) -> Recipe:
        """The recipe beginning from other weights, as ``model.weights`` names them."""
        return self.model_copy(update={"model": self.model.model_copy(update={"weights": weights})})

    def shareable(self) -> Recipe:
        """The recipe as others may see it: a weights file by its name, not by the folder that it
        lies in, which may name a person or a project."""
        file = self.weights_file
        if file is None:
            return self
        return self.with_weights(f"./{file.name}" if file.name in _NO_FILES else file.name)

    def to_yaml(self) -> str:
        """The complete recipe as YAML, in the order of the schema."""
        return yaml.safe_dump(self.model_dump(), sort_keys=False, allow_unicode=True)


_BASE = "default"
"""The complete recipe that others are laid over."""

_BELONGS = (
    ("decide", "rule", "target", None),  # a threshold of .5 would become a sensitivity of .5
    ("train", "epochs", "min_steps", 0),
)
"""What a key of a section becomes where the key before it changes and it is not said."""


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("pneumoscope") / "recipes"
    files = (file.name for file in folder.iterdir())
    return sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml"))


def load_recipe(name_or_file: str, changes: Sequence[str] = ()) -> Recipe:
    """The recipe of that name or file, with ``section.key=value`` changes laid over it.

    A change leaves behind what belongs to the value that it replaces (``_BELONGS``). Raises
    BadRecipe for an unknown recipe, section or key (with the nearest known name), a value out of
    range, a change that is not of the form ``section.key=value``, and one that would do nothing.
    """
    base = _read_packaged(_BASE)
    asked = (
        _read_file(Path(name_or_file))
        if _is_file_name(name_or_file)
        else _read_packaged(name_or_file)
    )
    values = _lay(base, asked)
    changed: dict[str, object] = {}
    for change in changes:
        changed = _merge(changed, _parse_change(change))
    recipe = validate_recipe(_lay(values, changed))
    _refuse_idle(recipe, values, changed)
    return recipe


def stored_recipe(path: Path) -> Recipe:
    """The complete recipe that a run keeps. A key that did not exist in its day has the schema's
    default, which leaves all as it was; today's ``default`` may have chosen otherwise."""
    return validate_recipe(_read_file(path))


def validate_recipe(values: Mapping[str, object]) -> Recipe:
    """Check a mapping against the schema. Raises BadRecipe naming the first fault."""
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise recipe_error(error, Recipe) from None


def _is_file_name(text: str) -> bool:
    return text.endswith((".yaml", ".yml")) or "/" in text or "\\" in text


def _read_packaged(name: str) -> dict[str, object]:
    if name not in recipe_names():
        raise BadRecipe(
            "there is no such recipe",
            got=repr(name),
            expected=nearest(name, recipe_names()),
            remedy="see: pneumoscope recipes; or give a .yaml file",
        )
    text = (resources.files("pneumoscope") / "recipes" / f"{name}.yaml").read_text("utf-8")
    return _parse(text, name)


def _read_file(path: Path) -> dict[str, object]:
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


def _parse(text: str, origin: str) -> dict[str, object]:
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


def _parse_change(change: str) -> dict[str, object]:
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


def _merge(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            merged[key] = _merge(under, value)
        else:
            merged[key] = value
    return merged


def _lay(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """``above`` over ``below``, without what belongs to a value that ``above`` replaces."""
    merged = _merge(below, above)
    for section, key, follower, off in _BELONGS:
        was, now = _section(below, section), _section(above, section)
        if now.get(key, was.get(key)) != was.get(key) and follower not in now:
            merged[section] = {**_section(merged, section), follower: off}
    return merged


def _section(values: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = values.get(name)
    return found if isinstance(found, Mapping) else {}


def _refuse_idle(
    recipe: Recipe, below: Mapping[str, object], changed: Mapping[str, object]
) -> None:
    """Refuse a change that does nothing beside the recipe's other choices."""
    for key, why in _idle(recipe).items():
        section, _, name = key.partition(".")
        value = getattr(getattr(recipe, section), name)
        if name in _section(changed, section) and value != _section(below, section).get(name):
            raise BadRecipe(
                f"{key} would do nothing in the recipe {recipe.name!r}",
                got=f"{key}={value}",
                expected=why,
                remedy=f"leave {key} out, or change what it depends on",
            )


def _idle(recipe: Recipe) -> dict[str, str]:
    """The keys that do nothing beside the recipe's other choices, and what they wait for."""
    data, model, train = recipe.data, recipe.model, recipe.train
    idle = {}
    if recipe.input.local_contrast:
        idle["input.normalisation"] = "input.local_contrast=0; it takes the place of both figures"
    if recipe.loss.name != "focal":
        idle["loss.focal_gamma"] = f"loss.name=focal; it is {recipe.loss.name}"
    if model.freeze == "none":
        idle["model.unfreeze_every"] = "model.freeze=PART; nothing is frozen"
    if model.freeze == "all" and not model.unfreeze_every:
        idle["optim.layer_decay"] = "a part of the backbone that learns; model.freeze is all"
    if train.minutes is not None:
        fits = "train.minutes=null; as many epochs as fit into the minutes are run"
        idle |= {"train.epochs": fits, "train.min_steps": fits}
    if train.views > 1 and not recipe.augment.any_random:
        idle["train.views"] = "random changes (augment.*); without them all views are alike"
    if data.fold != "none":
        idle["data.test_share"] = "data.fold=none; the fold is the test split"
        idle["data.val"] = "data.fold=none; validation is cut from the other folds"
    elif data.val == "official":
        idle["data.val_share"] = "data.val=auto or new; the official split is kept"
    return idle


def describe_keys() -> list[tuple[str, str, str]]:
    """Every key as (name, allowed values, meaning): the one source of its documentation."""
    rows = []
    for key, allowed in describe(Recipe).items():
        section, _, name = key.rpartition(".")
        fields = (section_of(Recipe, section) or Recipe).model_fields
        rows.append((key, allowed, fields[name].description or ""))
    return rows
