"""Every packaged recipe loads, says where it comes from, and has its page."""

from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from pneumoscope.errors import BadRecipe
from pneumoscope.recipe import Recipe, load_recipe, recipe_names, stored_recipe

PUBLISHED = [
    "hf-resnet18-frozen",
    "kermany-resnet18-scratch",
    "kermany-resnet18-transfer",
    "pneumoniamnist-resnet50",
    "rsna-resnet18-weighted",
]


def text_of(name: str) -> str:
    return (resources.files("pneumoscope") / "recipes" / f"{name}.yaml").read_text("utf-8")


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_loads_under_its_name_and_writes_itself(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name and recipe.about.endswith(".")
    assert Recipe.model_validate(yaml.safe_load(recipe.to_yaml())) == recipe


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_recipe_fixes_every_key_and_names_its_origin(name: str) -> None:
    values = yaml.safe_load(text_of(name))
    assert Recipe.model_validate(values) == load_recipe(name)  # nothing comes from default
    assert text_of(name).startswith("# Origin: ") and "# Here otherwise: " in text_of(name)
    page = Path(__file__).parents[2] / "docs" / "recipes" / f"{name}.md"
    assert "Here otherwise" in page.read_text("utf-8")


def test_no_published_recipe_is_missing() -> None:
    assert set(PUBLISHED) | {"default", "demo", "frozen", "small", "transfer"} == set(
        recipe_names()
    )


KERMANY = {
    "model.backbone": "resnet18", "input.size": 224, "input.fit": "crop", "input.margin": 0.125,
    "input.normalisation": (0.449, 0.226), "augment.crop": 0.08, "augment.flip": 0.5,
    "loss.name": "cross_entropy", "loss.weighting": "none", "optim.name": "adam",
    "train.batch_size": 32, "train.epochs": 20,
}  # fmt: skip
CHOICES = {
    "pneumoniamnist-resnet50": {
        "model.backbone": "resnet50", "model.weights": "imagenet", "input.size": 128,
        "input.normalisation": (0.5, 0.5), "augment.flip": 0.5, "augment.rotation": 10,
        "augment.translation": 0.1, "loss.name": "cross_entropy", "loss.weighting": "balanced",
        "optim.name": "adam", "optim.learning_rate": 1e-4, "train.batch_size": 8,
        "train.epochs": 50,
    },
    "hf-resnet18-frozen": {
        "model.backbone": "resnet18", "model.weights": "imagenet", "model.freeze": "layer3",
        "model.unfreeze_every": 0, "input.size": 224, "input.normalisation": "auto",
        "loss.name": "cross_entropy",
    },
    "kermany-resnet18-scratch": KERMANY | {"model.weights": "none", "optim.learning_rate": 1e-3},
    "kermany-resnet18-transfer": KERMANY
    | {"model.weights": "imagenet", "optim.learning_rate": 1e-4},
    "rsna-resnet18-weighted": {
        "model.backbone": "resnet18", "model.weights": "imagenet", "input.size": 224,
        "loss.name": "bce", "loss.weighting": 3, "optim.name": "adam",
        "optim.learning_rate": 1e-4,
    },
}  # fmt: skip
"""What the published systems fix."""
HALVES = ("scratch", "transfer")
CROPS = {"hf-resnet18-frozen": 1, "pneumoniamnist-resnet50": 1, "rsna-resnet18-weighted": 0.35}


def values_of(recipe: Recipe) -> dict[str, Any]:
    """Every value by its full key."""
    dump = recipe.model_dump()
    sections = {name: part for name, part in dump.items() if isinstance(part, dict)}
    return {f"{name}.{key}": v for name, part in sections.items() for key, v in part.items()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_choices_are_there(name: str) -> None:
    values = values_of(load_recipe(name))
    assert {key: values[key] for key in CHOICES[name]} == CHOICES[name]
    # No further change of films, imbalance, schedule or average: the origins have none.
    known = {"augment.flip", "augment.rotation", "augment.translation", "augment.scale"}
    others = {key for key in values if key.startswith("augment.")} - known - {"augment.crop"}
    assert {key: values[key] for key in others if values[key]} == {}
    assert values["augment.crop"] == CROPS.get(name, 0.08)
    same = {
        "train.sampling": "shuffle", "train.ema": 0, "train.accumulate": 1,
        "optim.schedule": "constant", "optim.warmup": 0, "optim.weight_decay": 0, "optim.clip": 0,
        "optim.layer_decay": 1, "loss.label_smoothing": 0, "model.dropout": 0,
        "decide.rule": "fixed", "decide.target": None, "decide.flip_average": False,
        "decide.turn_average": 0, "input.local_contrast": 0,
    }  # fmt: skip
    assert {key: values[key] for key in same} == same


def test_scratch_and_transfer_differ_in_weights_and_rate_alone() -> None:
    scratch, transfer = (values_of(load_recipe(f"kermany-resnet18-{k}")) for k in HALVES)
    assert {key for key in scratch if scratch[key] != transfer[key]} == {
        "model.weights",
        "optim.learning_rate",
    }


@pytest.mark.parametrize("name", recipe_names())
def test_another_rule_does_not_inherit_the_target(name: str) -> None:
    """A threshold of .3 is no sensitivity of .3."""
    changes = ["decide.rule=fixed", "decide.target=0.3"]
    assert load_recipe(name, changes).decide.target == 0.3
    assert load_recipe(name, ["decide.rule=sensitivity"]).decide.target is None
    given = ["decide.target=0.9", "decide.rule=sensitivity"]  # in any order
    assert load_recipe(name, given).decide.target == 0.9


def test_a_file_with_another_rule_does_not_inherit_the_target(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("decide: {rule: fixed, target: 0.3}")
    assert load_recipe(str(file)).decide.target == 0.3
    assert load_recipe(str(file), ["decide.rule=f1"]).decide.target is None
    assert load_recipe(str(file), ["decide.rule=fixed"]).decide.target == 0.3


def test_a_miss_may_cost_more_than_an_alarm_and_a_rate_is_below_one() -> None:
    assert load_recipe("small", ["decide.rule=cost", "decide.target=20"]).decide.target == 20
    with pytest.raises(BadRecipe, match=r"target=20 beside the rule 'sensitivity'"):
        load_recipe("small", ["decide.rule=sensitivity", "decide.target=20"])


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        (["loss.focal_gamma=3"], "loss.name=focal"),
        (["model.unfreeze_every=2"], "model.freeze=PART"),
        (["model.freeze=all", "optim.layer_decay=0.7"], "a part of the backbone that learns"),
        (["train.minutes=2", "train.epochs=7"], "train.minutes=null"),
        (["data.fold=0 of 5", "data.test_share=0.3"], "data.fold=none"),
        (["data.val=official", "data.val_share=0.3"], "data.val=auto or new"),
        (
            ["input.local_contrast=4", "input.normalisation=[0.4, 0.2]"],
            "input.local_contrast=0; it takes the place",
        ),
    ],
)
def test_a_change_that_would_do_nothing_is_refused(changes: list[str], wanted: str) -> None:
    with pytest.raises(BadRecipe, match="would do nothing") as caught:
        load_recipe("default", changes)
    assert wanted in str(caught.value.expected) and caught.value.remedy


def test_alike_views_are_refused_and_different_ones_are_not() -> None:
    with pytest.raises(BadRecipe, match="all views are alike"):
        load_recipe("hf-resnet18-frozen", ["train.views=4"])
    assert load_recipe("hf-resnet18-frozen", ["train.views=4", "augment.flip=0.5"]).train.views == 4


def test_a_runs_own_recipe_does_not_follow_todays_default(tmp_path: Path) -> None:
    """A key that is newer than the run leaves all as it was."""
    file = tmp_path / "recipe.yaml"
    recipe = load_recipe("default", ["input.local_contrast=5", "decide.turn_average=6"])
    file.write_text(recipe.to_yaml())
    assert stored_recipe(file) == recipe
    values = yaml.safe_load(file.read_text())
    for section, key in (("input", "local_contrast"), ("augment", "detail")):
        del values[section][key]
    del values["decide"]["turn_average"]
    file.write_text(yaml.safe_dump(values))
    old = stored_recipe(file)
    assert (old.input.local_contrast, old.augment.detail, old.decide.turn_average) == (0, 0, 0)


def test_a_change_to_what_is_there_already_is_none() -> None:
    assert load_recipe("default", ["loss.focal_gamma=2", "model.unfreeze_every=0"])


def test_what_belongs_to_a_value_goes_with_it() -> None:
    """Epochs that are asked for are those that are run."""
    recipe = load_recipe("transfer")
    assert recipe.train.min_steps > 0 and recipe.model.weights == "imagenet"
    assert load_recipe("transfer", ["train.epochs=2"]).train.min_steps == 0
    assert load_recipe("transfer", ["train.epochs=2", "train.min_steps=7"]).train.min_steps == 7
    assert load_recipe("transfer", ["model.dropout=0.1"]).train == recipe.train


def test_frozen_keeps_features_of_films_as_they_are() -> None:
    frozen, transfer = load_recipe("frozen"), load_recipe("transfer")
    assert frozen.train.views == 1 and not frozen.augment.any_random
    both = f"{transfer.model.backbone}+half"
    assert frozen.model == transfer.model.model_copy(update={"freeze": "all", "backbone": both})
    assert (frozen.input, frozen.loss, frozen.decide) == (
        transfer.input,
        transfer.loss,
        transfer.decide,
    )
