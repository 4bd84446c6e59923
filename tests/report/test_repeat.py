"""Repeating a run: the command, recipe and words of what was done, where other epochs were asked
for than fitted into the minutes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from tests.helpers.runs import write_runs

from pneumoscope.evaluation.comparison import read_comparison
from pneumoscope.recipe import load_recipe
from pneumoscope.report.evaluated import read_evaluated
from pneumoscope.report.repeat import repeating
from pneumoscope.report.run.answers import answers
from pneumoscope.report.run.render import write_report
from pneumoscope.workflows.compare import compare


@pytest.mark.parametrize(
    ("typed", "epochs", "printed"),
    [
        ("train D --minutes 2 --out here", 3, "train D --set train.epochs=3"),
        ("train D --minutes=2 --out=here", 3, "train D --set train.epochs=3"),
        (
            "train D --set train.minutes=2",
            3,
            "train D --set train.minutes=null --set train.epochs=3",
        ),
        (
            "train D -r own.yaml --minutes 2",
            3,
            "train D -r own.yaml --set train.epochs=3 --set train.minutes=null",
        ),
        ("train 'my films' --out here --seed 4", None, "train 'my films' --seed 4"),
        ("train it's", None, "train it's"),
        ("", None, ""),
    ],
)
def test_the_printed_command_does_the_same_again(
    typed: str, epochs: int | None, printed: str
) -> None:
    assert repeating(typed, epochs) == printed
    assert repeating(printed) == printed


def test_what_is_printed_is_a_recipe_that_trains_as_many_epochs() -> None:
    words = repeating("pneumoscope train D --set train.minutes=2", 3).split()
    changes = [word for before, word in zip(words, words[1:], strict=False) if before == "--set"]
    train = load_recipe("small", changes).train
    assert (train.epochs, train.minutes) == (3, None)


def fitted(folder: Path, epochs: int = 1) -> Path:
    """The run, as if that many epochs had fitted into 2 minutes instead of its recipe's 24."""
    recipe = load_recipe("default", ["train.epochs=24"]).model_dump()
    recipe["train"]["minutes"] = 2.0
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    about = json.loads((folder / "run.json").read_text())
    about["epochs"] = {"number": epochs, "why": "measured"}
    about["command"] = f"pneumoscope train D --minutes 2 --out {folder}"
    (folder / "run.json").write_text(json.dumps(about))
    return folder


@pytest.mark.usefixtures("undrawn")
def test_a_run_cut_short_says_so_first_and_shows_what_was_done(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    folder = make_run()
    whole = write_report(folder, film).read_text(encoding="utf-8")
    assert "cut short" not in whole
    run = read_evaluated(fitted(folder))
    said = "Training was cut short: 1 of 24 epochs, as many as fit into 2 minutes."
    assert f"chance 0.5. {said}" in answers(run)[0].text
    page = write_report(folder, film).read_text(encoding="utf-8")
    assert said in page
    assert "pneumoscope train D --set train.epochs=1</code>" in page
    assert "epochs: 1\n" in run.recipe and "minutes: null\n" in run.recipe
    assert "epochs: 24" not in page and "--out" not in page


def test_as_many_epochs_as_asked_for_are_not_cut_short(make_run: Callable[..., Path]) -> None:
    run = read_evaluated(fitted(make_run(), 30))
    assert not run.cut_short and "epochs: 30\n" in run.recipe


def test_a_comparison_shows_the_epochs_that_were_trained(tmp_path: Path) -> None:
    runs = [fitted(run, epochs) for run, epochs in zip(write_runs(tmp_path), (1, 2), strict=True)]
    found = read_comparison(compare(runs, out=tmp_path / "compared"))
    changed = {each.key: each.values for each in found.recipe_differences}
    assert changed == {"train.epochs": (1, 2)}
    assert not found.seeds  # two seeds, and yet not of one recipe
