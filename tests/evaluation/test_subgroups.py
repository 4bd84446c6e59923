"""Subgroups: how facts are cut into groups, and each group's figures against its own films."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from pneumoscope.evaluation.predictions import rows_of
from pneumoscope.evaluation.subgroups import evaluate_subgroups, groups_of
from pneumoscope.metrics.intervals import delong, wilson
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.plain import to_plain

Table = Callable[..., pd.DataFrame]


def cut(name: str, values: Any) -> dict[str, int]:
    return {group.name: int(group.films.sum()) for group in groups_of(name, pd.Series(values))}


def judged(frame: pd.DataFrame, facts: pd.DataFrame | None) -> dict[str, Any]:
    rows = rows_of(frame, "test").in_order()
    settings = IntervalSettings(resamples=200)
    return to_plain(evaluate_subgroups(rows, facts, 0.5, settings))


def test_cutting() -> None:
    assert cut("sex", ["F", "M", None, "F"]) == {"F": 2, "M": 1, "not stated": 1}
    assert cut("age", [0.5, 2, 5, 17, 18, 64, 65, 90, np.nan]) == {
        "under 2 years": 1,
        "2–5 years": 2,
        "6–17 years": 1,
        "18–39 years": 1,
        "40–64 years": 1,
        "65 and over": 2,
        "not stated": 1,
    }
    assert cut("rows", [1, 1, 2.5]) == {"1": 2, "2.5": 1}
    assert cut("width", np.arange(1000, 1400)) == {
        "1,000–1,099": 100,
        "1,100–1,199": 100,
        "1,200–1,299": 100,
        "1,300–1,399": 100,
    }
    # Equal films are never parted, and a value that most share is a group of its own.
    assert cut("width", [7] * 90 + list(range(100, 110))) == {"7": 90, "100–109": 10}
    words = [letter for n, letter in enumerate("abcdefghij", 1) for _ in range(n)]
    assert list(cut("site", words)) == [*"cdefghij", "2 others"]
    assert cut("site", pd.array(words, dtype="string"))["2 others"] == 3
    assert cut("flag", [True, False, True]) == {"False": 1, "True": 2}


def test_figures_are_those_of_the_groups_own_films(table: Table) -> None:
    frame = table(600)
    rng = np.random.default_rng(0)
    facts = pd.DataFrame({"image_id": frame.image_id, "sex": rng.choice(["F", "M"], len(frame))})
    shuffled = facts.sample(frac=1.0, random_state=2)
    found = judged(frame, shuffled)
    (fact,) = found["facts"]
    assert (fact["title"], fact["tells_label"]) == ("sex", False)
    test = frame[frame.split == "test"].merge(facts)
    for group in fact["groups"]:
        rows = test[test.sex == group["name"]]
        hits = int((rows.probability[rows.label == 1] >= 0.5).sum())
        assert (group["n"], group["positives"]) == (len(rows), rows.label.sum())
        assert group["sensitivity"] == to_plain(wilson(hits, int(rows.label.sum())))
        assert group["auroc"] == to_plain(delong(rows.label.to_numpy(), rows.logit.to_numpy()))
        expected = roc_auc_score(rows.label, rows.logit)
        assert abs(group["auroc"]["value"] - expected) < 1e-12


def test_a_fact_that_tells_the_label_has_one_figure_a_group(table: Table) -> None:
    frame = table(600)
    kinds = np.where(frame.label == 0, "none", np.where(frame.index % 2, "viral", "bacterial"))
    (fact,) = judged(frame, pd.DataFrame({"image_id": frame.image_id, "subtype": kinds}))["facts"]
    assert fact["tells_label"]
    shown = {
        g["name"]: [k for k in ("auroc", "sensitivity", "specificity") if g[k]]
        for g in fact["groups"]
    }
    assert shown == {
        "bacterial": ["sensitivity"],
        "none": ["specificity"],
        "viral": ["sensitivity"],
    }
    assert all(not group["too_few"] for group in fact["groups"])


def test_too_few_films_of_a_class_are_not_judged(table: Table) -> None:
    frame = table(600)
    test = frame[frame.split == "test"]
    rare = set(test[test.label == 0].image_id[:9]) | set(test[test.label == 1].image_id[:30])
    facts = pd.DataFrame(
        {"image_id": frame.image_id, "view": ["AP" if i in rare else "PA" for i in frame.image_id]}
    )
    (fact,) = judged(frame, facts)["facts"]
    group = fact["groups"][0]
    assert (group["name"], group["n"], group["too_few"]) == ("AP", 39, ["normal"])
    assert group["auroc"] is None and group["specificity"] is None and group["sensitivity"]


def test_facts_that_do_not_divide(table: Table) -> None:
    frame = table()
    same = pd.DataFrame({"image_id": frame.image_id, "mode": "L", "empty": None})
    found = judged(frame, same)
    assert (found["facts"], found["same"]) == ([], {"mode": "L"})
    assert judged(frame, None)["known"] is False
    part = pd.DataFrame({"image_id": frame.image_id[:200], "sex": "F"})
    names = [group["name"] for group in judged(frame, part)["facts"][0]["groups"]]
    assert names == ["F", "not stated"]


def test_clustered_groups_use_patients(table: Table) -> None:
    frame = table(600, films=6)
    facts = pd.DataFrame({"image_id": frame.image_id, "sex": np.where(frame.index % 2, "F", "M")})
    (fact,) = judged(frame, facts)["facts"]
    methods = {fact["groups"][0][key]["method"] for key in ("auroc", "sensitivity")}
    assert methods == {"patient-clustered bootstrap, logit scale"}
