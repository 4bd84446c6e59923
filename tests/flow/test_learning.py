"""Learning curves from the command line, on tiny phantoms."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from tests.helpers.commands import run, train

from pneumoscope.errors import InputError
from pneumoscope.evaluation.groups import read_learning
from pneumoscope.recipe import load_recipe
from pneumoscope.workflows.groups.plan import base_name, parse_shares, recipes_of_shares


def test_a_learning_curve_is_trained_drawn_and_finished(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--set", "train.epochs=1", "--learning-curve", "100,50%"]
    assert train(monkeypatch, tiny_npz, *asked) == 0
    folder = Path("runs/001-learning-curve-pneumonia")
    printed = capsys.readouterr().out
    # Of arrays without patients shares are of films.
    assert "of films" in printed and "50% of its films" in printed
    assert "50 %" in printed and f"{folder}/report.html" in printed
    curve = read_learning(folder / "learning_curve.json")
    half, whole = curve.points
    assert (half.share, whole.share) == (0.5, 1.0) and half.recipe == whole.recipe
    assert curve.differences == ()
    assert half.films in range(whole.films // 2, whole.films // 2 + 3)
    tables = []
    for point in curve.points:
        found = folder / point.runs[0].folder
        metrics = json.loads((found / "metrics.json").read_text("utf-8"))["metrics"]
        assert point.metrics["auroc"].values[0].value == metrics["auroc"]["value"]
        tables.append(pd.read_csv(found / "predictions.csv"))
    of_half, of_whole = (
        {split: set(table["image_id"][table["split"] == split]) for split in ("val", "test")}
        for table in tables
    )
    assert of_half == of_whole
    page = folder / "report.html"
    text = page.read_text("utf-8")
    assert "AUROC by training films" in text and "a part of the training films of each" in text
    page.unlink()
    assert run(monkeypatch, "train", "--resume", str(folder)) == 0
    assert page.is_file() and not (folder / "comparison").exists()


@pytest.mark.parametrize("text", ["100", "0,50", "50,101", "a,b", "", "50,50", "nan,50"])
def test_shares_that_make_no_curve_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="learning curve"):
        parse_shares(text)


def test_each_recipe_is_made_once_for_each_share() -> None:
    recipes = [load_recipe("small"), load_recipe("default")]
    made = recipes_of_shares(recipes, parse_shares("2.5, 100"))
    assert [recipe.name for recipe in made] == [
        *("small-2.5-of-100", "small-100-of-100"),
        *("default-2.5-of-100", "default-100-of-100"),
    ]
    assert [base_name(recipe) for recipe in made] == ["small", "small", "default", "default"]
    assert [recipe.data.train_share for recipe in made] == [0.025, 1.0, 0.025, 1.0]
