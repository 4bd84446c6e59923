"""Every packaged recipe loads, says where it comes from, and has its page."""

from importlib import resources
from pathlib import Path

import pytest
import yaml

from pneumoscope.recipe import Recipe, load_recipe, recipe_names

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
    assert set(PUBLISHED) | {"default", "demo", "small"} == set(recipe_names())


def test_the_published_choices_are_there() -> None:
    frozen, scratch, transfer, fifty, rsna = map(load_recipe, PUBLISHED)
    assert (fifty.model.backbone, fifty.input.size, fifty.train.batch_size) == ("resnet50", 128, 8)
    assert fifty.input.normalisation == (0.5, 0.5) and fifty.loss.weighting == "balanced"
    assert (frozen.model.freeze, frozen.loss.name, frozen.input.size) == (
        "layer3", "cross_entropy", 224,
    )  # fmt: skip
    assert (scratch.input.fit, scratch.input.margin, scratch.augment.crop) == ("crop", 0.125, 0.08)
    same = scratch.model_dump() | {"name": "", "about": ""}
    same["model"]["weights"], same["optim"]["learning_rate"] = "imagenet", 1e-4
    assert same == transfer.model_dump() | {"name": "", "about": ""}
    assert scratch.optim.learning_rate == 1e-3 and scratch.model.weights == "none"
    assert (rsna.loss.name, rsna.loss.weighting) == ("bce", 3.0) and rsna.augment.crop < 1
