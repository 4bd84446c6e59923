"""The page of folds: a verdict first, whose films, and what models without lungs reach."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pneumoscope.audit.baselines import JudgedBaseline
from pneumoscope.plain import to_plain
from pneumoscope.readings import Estimate
from pneumoscope.report.evaluated import read_evaluated
from pneumoscope.report.groups.crossval import _forest, _good, _limits, _lungs
from pneumoscope.report.groups.seeds import _remarks_of_use, one_answers
from pneumoscope.report.kit.figure import house_style


def estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, low, high, 0.95, "DeLong", 60)


def pooled(sensitivity: float = 0.9, specificity: float = 0.8) -> Any:
    return SimpleNamespace(
        metrics={
            "auroc": estimate(0.93, 0.9, 0.95),
            "sensitivity": estimate(sensitivity, 0.8, 1.0),
            "specificity": estimate(specificity, 0.0, 1.0),
        },
        over_folds={"auroc": SimpleNamespace(mean=0.94, sd=0.01)},
        folds=[SimpleNamespace(folder="fold-1"), SimpleNamespace(folder="fold-2")],
    )


def test_folds_are_judged_beside_models_without_lungs(make_run: Callable[..., Path]) -> None:
    few = JudgedBaseline("border", "the outer tenth alone", "test", None, "few")
    runs = [
        read_evaluated(
            make_run(
                name=f"fold-{at}",
                baselines=[
                    to_plain(JudgedBaseline("metadata", "file facts alone", "test", found)),
                    to_plain(few),
                ],
            )
        )
        for at, found in ((1, estimate(0.8, 0.7, 0.9)), (2, estimate(0.9, 0.8, 0.95)))
    ]
    said = _good(pooled(), runs)
    assert said.startswith("Better than chance: AUROC 0.930 (0.900–0.950) pooled")
    assert "means of folds: the network " in said
    assert "without the lungs file facts alone 0.850; chance 0.5." in said
    table = _lungs(SimpleNamespace(found=pooled(), runs=runs))  # type: ignore[arg-type]
    assert table is not None
    assert table["columns"] == ["file facts alone", "the outer tenth alone"]
    (first, cells), _ = table["rows"]
    assert first == "fold-1" and cells[2][0] == "0.800" and cells[3] == ("–", "")
    better = pooled()
    better.over_folds["auroc"].mean = 0.84
    assert _good(better, runs).startswith("No better than file facts alone, which see no lungs")
    found: Any = SimpleNamespace(found=pooled(), runs=runs)
    with house_style():
        figure = _forest(found)
    assert "fold-2: 0." in figure.alt and figure.alt.endswith("pooled: 0.930 (0.900–0.950).")
    found.found.data, found.found.patients = "phantom", None
    limits = " ".join(_limits(found)["limits"])
    assert "all films come from phantom" in limits and "not all patients are known" in limits


def test_seeds_say_whether_they_are_good_and_for_whom(make_run: Callable[..., Path]) -> None:
    auroc = SimpleNamespace(mean=0.94, sd=0.01)
    summary: Any = SimpleNamespace(metrics={"auroc": auroc}, n=60)
    good, whom = _remarks_of_use(summary, [read_evaluated(make_run())])
    assert good.text.startswith("AUROC 0.940 ± 0.010 over seeds on 60 films; chance 0.5. No film")
    assert whom.lead == "For whom?" and "are untested" in whom.text


def test_a_model_of_one_answer_comes_first_on_folds_and_seeds() -> None:
    assert _good(pooled(1.0, 0.0), []).startswith("No. Every film is called pneumonia")
    one, other = SimpleNamespace(value=1.0), SimpleNamespace(value=0.0)
    metrics = {
        "sensitivity": SimpleNamespace(values=[one, SimpleNamespace(value=0.9)]),
        "specificity": SimpleNamespace(values=[other, SimpleNamespace(value=0.8)]),
    }
    assert len(one_answers(SimpleNamespace(metrics=metrics))) == 1  # type: ignore[arg-type]
