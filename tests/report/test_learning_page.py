"""The page of a learning curve: recipes beside each other at every share."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.helpers.runs import write_runs

from pneumoscope.evaluation.groups import LearningCurve, read_learning
from pneumoscope.recipe import load_recipe
from pneumoscope.records import DataRequest
from pneumoscope.run import LEARNING
from pneumoscope.workflows.groups.learning import write_learning
from pneumoscope.workflows.groups.plan import GroupPlan, recipes_of_shares


def drawn(folder: Path, seeds: tuple[int, ...]) -> tuple[LearningCurve, str]:
    """The curve and the page of two recipes at two shares, of simulated runs."""
    recipes = [
        load_recipe("small").model_copy(update={"name": name}) for name in ("plain", "better")
    ]
    plan = GroupPlan(
        DataRequest("films"), recipes_of_shares(recipes, (0.25, 1.0)), seeds, True, "", True
    )
    runs = plan.runs(folder)
    apart = [2.2 if run.recipe.name.startswith("better") else 1.2 for run in runs]
    for made, run in zip(write_runs(folder / "made", apart), runs, strict=True):
        run.folder.parent.mkdir(exist_ok=True)
        made.rename(run.folder)
    page = write_learning(folder, plan)
    return read_learning(folder / LEARNING), page.read_text("utf-8")


def test_recipes_are_compared_at_every_share(tmp_path: Path) -> None:
    curve, page = drawn(tmp_path, (0, 1))
    assert [(d.share, d.first, d.second) for d in curve.differences] == [
        (0.25, "plain", "better"),
        (1.0, "plain", "better"),
    ]
    for found in curve.differences:
        points = {p.recipe: p for p in curve.points if p.share == found.share}
        means = [points[name].metrics["auroc"].mean for name in ("plain", "better")]
        auroc = found.differences["auroc"]
        assert auroc.value == pytest.approx(means[1] - means[0]) and auroc.low > 0
        assert "seeds and films" in auroc.method
    assert "better less plain" in page and "Balanced accuracy, 25%" in page
    assert "The AUROC of better minus that of plain: +" in page
    # Whose films these are is not known.
    assert all(point.patients is None for point in curve.points)
    assert "What more films bring, plain." in page and "one standard deviation between" in page
    cells = [row.rpartition("<td>")[2] for row in page.split("</tr>") if "better-25-of-100/" in row]
    assert "Report of seed</th>" in page and len(cells) == 1
    links = re.findall(r'href="([^"]+)/report\.html">(\d+)</a>', cells[0])
    point = next(each for each in curve.points if (each.recipe, each.share) == ("better", 0.25))
    assert links == [(run.folder, str(run.seed)) for run in point.runs] and len(links) == 2
    assert all((tmp_path / folder).is_dir() for folder, _ in links)
    assert "better beside plain." in page and "counts the luck of seeds and that" in page


def test_one_seed_each_is_said(tmp_path: Path) -> None:
    curve, page = drawn(tmp_path, (0,))
    assert "of one seed each" in curve.differences[0].differences["auroc"].method
    assert "that of seeds is not known" in page
