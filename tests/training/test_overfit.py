"""The recipe by which one batch is learnt: nothing random is left of it."""

import pytest

from pneumoscope.recipe import load_recipe, recipe_names
from pneumoscope.training.measure.overfit import still_recipe


@pytest.mark.parametrize("name", recipe_names())
def test_nothing_random_is_left(name: str) -> None:
    every = ["augment.mixup=0.2", "augment.cutmix=0.2", "augment.field=0.2", "train.views=0"]
    recipe = load_recipe(name, every)
    assert recipe.augment.any_random
    still = still_recipe(recipe)
    assert not still.augment.any_random
    assert (still.model.dropout, still.loss.label_smoothing, still.train.ema) == (0, 0, 0)
    # What is asked about stays as it is.
    assert still.model.backbone == recipe.model.backbone
    assert still.optim.learning_rate == recipe.optim.learning_rate
