"""What training settles of its films: epochs for a number of steps."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pneumoscope.recipe import load_recipe
from pneumoscope.training.job import TrainingJob, steps_of_epoch
from pneumoscope.workflows.training import FEW, _at_least, few_films_words


@pytest.mark.parametrize(
    ("films", "accumulate", "epochs"), [(80, 1, 8), (80, 2, 14), (84, 1, 8), (6400, 1, 3)]
)
def test_few_films_take_more_epochs_and_many_none(films: int, accumulate: int, epochs: int) -> None:
    changes = ["train.min_steps=40", "train.epochs=3", "train.batch_size=16"]
    recipe = load_recipe("small", [*changes, f"train.accumulate={accumulate}"])
    labels = np.resize([0, 1], films)
    prepared: Any = SimpleNamespace(
        images=None,
        sites=(),
        table=pd.DataFrame({"label": labels}),
        rows=lambda _: np.arange(films),
        labels=lambda rows: labels[rows],
    )
    told: list[tuple[str, str, str]] = []
    context: Any = SimpleNamespace(note_choice=lambda *words: told.append(words))
    nothing: Any = None
    job = _at_least(context, TrainingJob(prepared, recipe, 32, 0, nothing))
    assert job.recipe.train.epochs == epochs
    steps = steps_of_epoch(prepared, recipe)
    assert steps * epochs >= 40 and (epochs == 3 or steps * (epochs - 1) < 40)
    assert [choice for what, choice, _ in told if what == "epochs"] == [str(epochs)] * bool(told)
    assert bool(told) == (epochs > 3)


@pytest.mark.parametrize(
    ("recipe", "films", "height", "told"),
    [
        ("default", 380, 1024, True),
        ("default", FEW + 1, 1024, False),
        ("default", 380, 28, False),
        ("transfer", 380, 1024, False),
        ("default --set model.weights=imagenet", 380, 1024, False),
    ],
)
def test_few_large_films_are_told_of_the_recipe_for_them(
    recipe: str, films: int, height: int, told: bool
) -> None:
    table = pd.DataFrame({"height": [height] * films})
    prepared: Any = SimpleNamespace(table=table, rows=lambda _: np.arange(films))
    name, _, change = recipe.partition(" --set ")
    words = few_films_words(load_recipe(name, [change] if change else []), prepared)
    assert words.startswith("380 training films are few. --recipe frozen") if told else not words
