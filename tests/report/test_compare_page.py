"""The page of a comparison: whole, self-contained, and careful with what it claims."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from math import nan
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.pages import CHROMIUM, HOSTILE, Page, framed
from tests.helpers.runs import write_runs

from pneumoscope.evaluation.comparison import (
    ComparedDecisions,
    ComparedDifference,
    ComparedPair,
    RecipePair,
    SeedGroup,
)
from pneumoscope.readings import Estimate
from pneumoscope.report.compare import figures as compare_figures
from pneumoscope.report.compare.words import (
    headline,
    recipe_verdict,
    verdict,
)
from pneumoscope.report.evaluated import read_evaluated
from pneumoscope.report.kit.draw import look_of
from pneumoscope.sources.known_sets import KERMANY
from pneumoscope.workflows.compare import compare

NONE = ComparedDifference(0.0, -0.1, 0.1, 0.5, 0.95, "bootstrap", 100)


def difference(auroc: tuple[float, float, float, float] | None) -> ComparedDifference:
    value, low, high, p = auroc or (nan, nan, nan, nan)
    method = "DeLong" if auroc else "undefined: one class only"
    return ComparedDifference(value, low, high, p, 0.95, method, 100, p_holm=p)


def pair(
    auroc: tuple[float, float, float, float] | None, less: int, more: int, p: float = 0.5
) -> ComparedPair:
    differences = {"auroc": difference(auroc), "sensitivity": NONE, "specificity": NONE}
    return ComparedPair("A", "B", differences, ComparedDecisions(less, more, p, "", 100, {}, p))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            pair((0.021, 0.006, 0.036, 0.006), 11, 30, 0.004),
            "B ranks better than A: AUROC +0.021 (+0.006 to +0.036), p = 0.006. Their decisions "
            "differ in 41 films, 30 in favour of B (McNemar, p = 0.004): B makes fewer errors.",
        ),
        (
            pair((-0.021, -0.036, -0.006, 0.0002), 20, 20, 1.0),
            "A ranks better than B: AUROC +0.021 (+0.006 to +0.036), p < 0.001. Their decisions "
            "differ in 40 films, 20 in favour of each (McNemar, p = 1.00): no difference in "
            "errors could be shown.",
        ),
        (
            pair((0.004, -0.011, 0.019, 0.61), 1, 0, 1.0),
            "No difference in ranking could be shown between A and B: the AUROC of B less that of "
            "A is +0.004 (−0.011 to +0.019), p = 0.61; the interval still allows B to be better "
            "by up to 0.019 or worse by up to 0.011. Their decisions differ in 1 film, in favour "
            "of A (McNemar, p = 1.00): no difference in errors could be shown.",
        ),
        (
            pair(None, 0, 0, 1.0),
            "AUROC of A and B cannot be compared: one class only. They read all 100 films alike, "
            "right or wrong.",
        ),
    ],
)
def test_verdicts(found: Any, words: str) -> None:
    assert verdict(found, several=False) == words


def test_an_interval_without_0_does_not_outvote_holm() -> None:
    said = verdict(pair((0.02, 0.001, 0.04, 0.12), 3, 9), several=True)
    assert said.startswith("No difference in ranking could be shown")
    assert "Holm-adjusted p = 0.12; the interval alone leaves 0 out" in said


def test_errors_of_another_kind_are_said() -> None:
    found = pair((0.0, -0.01, 0.01, 0.9), 20, 20)
    apart = {
        "sensitivity": replace(NONE, value=0.2, low=0.1, high=0.3),
        "specificity": replace(NONE, value=-0.3, low=-0.4, high=-0.2),
    }
    found = replace(found, differences={**found.differences, **apart})
    assert verdict(found, several=False).endswith(
        "B differs from A in sensitivity by +0.200 (+0.100 to +0.300) and in specificity by "
        "−0.300 (−0.400 to −0.200)."
    )


def aurocs(*values: float) -> dict[str, Estimate]:
    return {
        letter: Estimate(value, value - 0.02, value + 0.02, 0.95, "DeLong", 100)
        for letter, value in zip("ABCDEF", values, strict=False)
    }


def test_the_headline_claims_no_more_than_was_shown() -> None:
    runs = aurocs(0.9, 0.95)
    close = pair((0.05, -0.01, 0.1, 0.2), 1, 2)
    assert headline(runs, [close]).endswith("but no lead over A is shown.")
    clear = pair((0.05, 0.02, 0.08, 0.001), 1, 2)
    assert headline(runs, [clear]).endswith("its lead is shown over A.")


@pytest.mark.parametrize(
    ("auroc", "words"),
    [
        (
            (-0.03, -0.05, -0.01, 0.01),
            "Over their seeds small (A and B) has a higher mean AUROC than big (C and D): "
            "+0.030 (+0.010 to +0.050), p = 0.010. ",
        ),
        (
            (0.01, -0.02, 0.04, 0.4),
            "Over their seeds no difference of mean AUROC could be shown between small (A and B) "
            "and big (C and D): +0.010 for the latter (−0.020 to +0.040), p = 0.40. ",
        ),
        (None, "Over their seeds small (A and B) and big (C and D) cannot be compared: one class"),
    ],
)
def test_verdicts_on_recipes(auroc: tuple[float, float, float, float] | None, words: str) -> None:
    groups = [SeedGroup("small", ("A", "B"), (0, 1), {}), SeedGroup("big", ("C", "D"), (0, 1), {})]
    found = RecipePair(0, 1, {"auroc": difference(auroc)})
    assert recipe_verdict(found, groups, several=False).startswith(words)


def test_the_headline_names_ties_and_runs_that_did_not_meet() -> None:
    pairs = [pair((0.0, -0.01, 0.01, 1.0), 1, 1)]
    said = headline(aurocs(0.9, 0.9), pairs)
    assert said.startswith("A and B share the highest AUROC to three places: A 0.900 (0.880–0.920)")
    # Of many runs each meets the first alone.
    clear = pair((0.05, 0.02, 0.08, 0.001), 1, 2)
    said = headline(aurocs(0.9, 0.95, 0.94, 0.93, 0.92), [clear])
    assert said.endswith("shown over A; with C, D and E it was not compared.")


@pytest.mark.parametrize(("apart", "place"), [(0.3, "upper right"), (3.0, "lower left")])
def test_the_legend_keeps_off_the_curves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apart: float, place: str
) -> None:
    places: list[Any] = []
    monkeypatch.setattr(compare_figures, "_legend", lambda _, __, at, *more: places.append(at))
    runs = [read_evaluated(folder) for folder in write_runs(tmp_path, (apart, apart))]
    compare_figures.draw_curves(["A", "B"], runs)
    assert places == ["lower right", place]


def test_sixteen_runs_look_unlike() -> None:
    looks = [look_of(at) for at in range(16)]
    assert len({(look.colour, look.dashes) for look in looks}) == 16
    assert len({look.dashes for look in looks[:4]}) == len({look.mark for look in looks[:4]}) == 4


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("compare")
    runs = write_runs(place / "runs", (2.0, 3.0, 2.1), warnings=[HOSTILE])
    return compare(runs, out=place / "out", command=HOSTILE)


@pytest.fixture(scope="module")
def page(compared: Path) -> str:
    return (compared / "comparison.html").read_text("utf-8")


def test_the_page_is_whole_and_asks_for_nothing(page: str) -> None:
    seen = Page(page)
    for tag, attributes in seen.tags:
        for name in ("src", "href", "srcset", "action", "xlink:href"):
            value = attributes.get(name) or ""
            assert value.startswith(("data:", "#")) or not value, (tag, value)
    assert "https://" not in page and "http://" not in page
    assert [tag for tag, _ in seen.tags].count("script") == 1  # HOSTILE brought none
    words = " ".join(seen.words)
    for trace in ("{{", "}}", "{%", "Undefined", " None", " nan", "NaN"):
        assert trace not in words.replace("Number.isNaN", ""), trace
    ids = [attributes["id"] for _, attributes in seen.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = {a["href"][1:] for _, a in seen.tags if (a.get("href") or "").startswith("#")}
    assert wanted | set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_all_that_was_promised_is_there(compared: Path, page: str) -> None:
    found = json.loads((compared / "comparison.json").read_text("utf-8"))
    assert len(found["pairs"]) == 3
    shown = page.replace("\u2060", "")
    for each in found["pairs"]:
        assert each["verdict"] in shown
        assert f"{each['second']} less {each['first']}" in page
    assert "<code>optim.learning_rate</code>" in page
    assert "<code>train.epochs</code>" not in page  # the same in all
    assert found["seeds"][0]["runs"] == ["A", "C"]
    assert "312.0 s" in page and "bf16" in page
    assert page.count('data-metric="') == 13
    charts = [a for tag, a in Page(page).tags if tag == "svg" and a.get("class") == "chart"]
    assert ["ROC" in str(a["aria-label"]) for a in charts] == [True, False]
    assert "has chosen on test films" in page
    assert "Research use only. Not a medical device." in page


def test_one_class_and_many_runs(tmp_path: Path) -> None:
    runs = write_runs(tmp_path, (1.0,) * 5, films=60)
    page = compare(runs, out=tmp_path / "out") / "comparison.html"
    text = page.read_text("utf-8")
    assert "each is compared with the first, A, only" in text
    assert text.count("less A</h3>") == 4


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium binary on this machine")
def test_browser_finds_no_fault(page: str, tmp_path: Path) -> None:
    assert framed(page, tmp_path)


def test_the_first_screen_says_whose_films_and_when_not_to_trust_it(page: str) -> None:
    first = page[: page.index('aria-label="Contents"')]
    assert "<strong>On whose films?</strong> Of patients whose age" in first
    assert "<strong>When not to trust it?</strong> Another seed gives another model" in first
    assert "AUROC is the chance that" in first


def test_whose_films_are_judged_is_what_any_of_the_runs_knows(tmp_path: Path) -> None:
    runs = write_runs(tmp_path, (1.0, 1.2), films=60)
    card = json.loads((runs[1] / "run.json").read_text())
    (runs[1] / "run.json").write_text(json.dumps({**card, "known_set": asdict(KERMANY)}))
    page = (compare(runs, out=tmp_path / "out") / "comparison.html").read_text("utf-8")
    assert "<strong>On whose films?</strong> Of children of one to five years" in page
