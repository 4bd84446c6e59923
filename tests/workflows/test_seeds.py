"""Mean and spread over seeds against the standard library."""

import math
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pneumoscope.errors import NotARun
from pneumoscope.evaluation.results import Evaluation, SiteResult
from pneumoscope.metrics.scores import Confusion
from pneumoscope.plain import to_plain
from pneumoscope.readings import Estimate, OperatingPoint
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.groups.seeds import write_seeds_page
from pneumoscope.workflows.groups.seeds import summarise_seeds

VALUES = (0.91, 0.95, 0.90)


def judged(folder: Path, seed: int, value: float | None, image: str = "a") -> EvaluatedRun:
    ends = (math.nan,) * 3 if value is None else (value, value - 0.05, value + 0.04)
    return EvaluatedRun(
        folder=folder / f"seed-{seed}",
        manifest={
            "seed": seed,
            "source": {"name": "films"},
            "timing": {"train_seconds": 2.0, "x": 0.5},
        },
        model={
            "backbone": "resnet18",
            "lineage": {"recipe": "default", "epochs": 2, "best_epoch": 1},
        },
        results=Evaluation(
            schema=1,
            split="test",
            n=2,
            positives=1,
            patients=None,
            operating_point=OperatingPoint("fixed", 0.5, "fixed at 0.5", "val"),
            metrics={"auroc": Estimate(*ends, 0.95, "m", 2)},
            confusion=Confusion(1, 0, 0, 1),
            per_class={},
            timing={},
        ),
        predictions=pd.DataFrame({"image_id": [image, "b"]}),
        history=pd.DataFrame(
            {"epoch": [1, 2], "val_auroc": [0.8, value or 0.5], "val_loss": [0.7, 0.6]}
        ),
        recipe="name: default\n",
    )


def test_mean_and_sd_are_those_of_the_values(tmp_path: Path) -> None:
    runs = [judged(tmp_path, seed, value) for seed, value in enumerate(VALUES)]
    summary = summarise_seeds(tmp_path, runs, "pneumoscope train x --seeds 3")
    auroc = summary.metrics["auroc"]
    assert auroc.mean == pytest.approx(statistics.mean(VALUES))
    assert auroc.sd == pytest.approx(statistics.stdev(VALUES))
    assert [each.value for each in auroc.values] == list(VALUES)
    assert [run.seconds for run in summary.runs] == [2.5, 2.5, 2.5]
    assert [run.folder for run in summary.runs] == ["seed-0", "seed-1", "seed-2"]


def test_an_undefined_value_is_left_out_and_counted(tmp_path: Path) -> None:
    runs = [judged(tmp_path, 0, 0.9), judged(tmp_path, 1, None)]
    summary = summarise_seeds(tmp_path, runs)
    auroc = summary.metrics["auroc"]
    assert (auroc.mean, auroc.n) == (0.9, 1) and math.isnan(auroc.sd)
    assert to_plain(summary)["metrics"]["auroc"]["sd"] is None


def test_other_films_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotARun, match="same films"):
        summarise_seeds(tmp_path, [judged(tmp_path, 0, 0.9), judged(tmp_path, 1, 0.9, "c")])


def test_the_page_says_what_sd_is_not(tmp_path: Path) -> None:
    runs = [judged(tmp_path, seed, value) for seed, value in enumerate(VALUES)]
    page = write_seeds_page(tmp_path, summarise_seeds(tmp_path, runs), runs).read_text()
    assert "not the uncertainty of the test" in page
    assert f"±\u00a0{statistics.stdev(VALUES):.3f}" in page
    assert "0.860\u2060–\u20600.950" in page and "seed 2" in page
    assert not math.isnan(len(page)) and "src=" not in page.replace("img-src", "")


def test_the_page_has_the_figures_of_each_site(tmp_path: Path) -> None:
    runs = []
    for seed, value in enumerate(VALUES):
        run = judged(tmp_path, seed, 0.5)
        auroc = {"auroc": Estimate(value, value - 0.05, value + 0.04, 0.95, "m", 2)}
        calibration: Any = None  # the page shows none
        of = (2, 1, None, Confusion(1, 0, 0, 1), auroc, calibration)
        sites = tuple(SiteResult(name, *of) for name in ("east", "west"))
        runs.append(replace(run, results=replace(run.results, sites=sites)))
    page = write_seeds_page(tmp_path, summarise_seeds(tmp_path, runs), runs).read_text()
    assert page.index("Metrics by site, over seeds") < page.index("Metrics over seeds")
    by_site = page[page.index("Metrics by site") : page.index("Metrics over seeds")]
    assert "east, 2 films" in by_site and "west, 2 films" in by_site
    assert by_site.count("0.860\u2060–\u20600.950") == by_site.count("0.026") == 2


@pytest.mark.parametrize(
    ("epochs", "command", "told"),
    [
        ((3, 3, 3), "--seeds 3 --set train.epochs=3", "name those that were trained"),
        ((3, 4, 3), "--seeds 3 --minutes 2", "in the order of the seeds: 3, 4, 3"),
        ((), "--seeds 3", ""),
    ],
)
def test_the_command_names_the_epochs_that_fitted_into_its_minutes(
    tmp_path: Path, epochs: tuple[int, ...], command: str, told: str
) -> None:
    runs = [judged(tmp_path, seed, value) for seed, value in enumerate(VALUES)]
    for run, number in zip(runs, epochs, strict=False):
        run.manifest["epochs"] = {"number": number}
    typed = f"pneumoscope train x --seeds 3{' --minutes 2' if epochs else ''} --out y"
    page = write_seeds_page(tmp_path, summarise_seeds(tmp_path, runs, typed), runs).read_text()
    assert f"<code>pneumoscope train x {command}</code>" in page
    assert told in page and ("fitted into the minutes" in page) == bool(epochs)


@pytest.mark.parametrize(
    ("monitor", "told"),
    [("val_auroc", "helped to choose the epoch"), ("the last epoch", "The last epoch was kept")],
)
def test_the_page_says_how_the_kept_epoch_came_to_be(
    tmp_path: Path, monitor: str, told: str
) -> None:
    runs = [judged(tmp_path, seed, value) for seed, value in enumerate(VALUES)]
    for run in runs:
        run.model["lineage"]["monitor"] = monitor
    page = write_seeds_page(tmp_path, summarise_seeds(tmp_path, runs), runs).read_text()
    assert told in page
    assert ("helped to choose" in page) == (monitor == "val_auroc")
