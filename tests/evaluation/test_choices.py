"""Everything that decides is chosen on validation rows, and test rows cannot move it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pneumoscope.errors import ChosenOnTest, InputError
from pneumoscope.evaluation.choices import ALWAYS, LADDER, check_choices, choose_all
from pneumoscope.evaluation.evaluate import operating_point_from
from pneumoscope.evaluation.predictions import at_temperature
from pneumoscope.metrics.calibration import temperature
from pneumoscope.metrics.scale import moved_point
from pneumoscope.readings import Calibration, OperatingPoint

Table = Callable[..., pd.DataFrame]


def test_test_rows_are_not_looked_at(table: Table) -> None:
    frame = table()
    own = operating_point_from(frame, "sensitivity", 0.9)
    chosen = choose_all(frame, own)
    spoilt = frame.copy()
    spoilt.loc[spoilt.split == "test", ["label", "logit", "probability"]] = [7, 99.0, 5.0]
    assert choose_all(spoilt, own) == chosen
    assert choose_all(frame[frame.split == "val"], own) == chosen


def test_own_point_first_and_one_for_each_rule(table: Table) -> None:
    frame = table()
    own = operating_point_from(frame, "sensitivity", 0.9)
    chosen = choose_all(frame, own, targets={"cost": 2.0}, miss_rate=0.05)
    assert chosen.points[0] == moved_point(own, chosen.temperature) != own
    assert sorted(point.name for point in chosen.points) == sorted(ALWAYS)
    assert "counts as 2 false alarms" in chosen.points[-1].rule
    val = frame[frame.split == "val"]
    assert chosen.calibration == Calibration(
        temperature(val.label.to_numpy(), val.logit.to_numpy()), "val"
    )
    assert chosen.conformal is not None and chosen.conformal.miss_rate == 0.05
    assert tuple(rung.miss_rate for rung in chosen.ladder) == LADDER
    fixed = OperatingPoint("fixed", 0.3, "fixed at 0.3", "val")
    assert len(choose_all(frame, fixed).points) == len(ALWAYS) + 1
    assert choose_all(frame, fixed).points[0] == fixed  # meant as it is shown


def test_a_temperature_is_kept_only_where_films_that_did_not_fit_it_gain(table: Table) -> None:
    frame = table(900)
    own = operating_point_from(frame, "sensitivity", 0.9)
    sure = choose_all(frame, own)
    assert sure.calibration is not None and sure.calibration.temperature > 1.5
    kept = 0
    for seed in range(20):
        draw = np.random.default_rng(seed)
        logits = draw.normal(size=len(frame)) * 2
        given = 1 / (1 + np.exp(-logits))
        right = frame.assign(
            logit=logits, probability=given, label=(draw.random(len(frame)) < given).astype(int)
        )
        chosen = choose_all(right, own)
        kept += chosen.calibration is not None
        if chosen.calibration is None:
            assert "had no part in fitting one, it raises the log loss" in " ".join(chosen.notes)
    assert kept <= 8  # probabilities that are right already have nothing to gain


def test_what_is_asked_of_a_rule_is_held_on_validation_rows_beside_the_own_point(
    table: Table,
) -> None:
    frame = table()
    own = operating_point_from(frame, "sensitivity", 0.9)
    asked = choose_all(frame, own, targets={"sensitivity": 0.99, "specificity": 0.8})
    by_name = {point.name: point for point in asked.points}
    assert asked.points[0].rule == own.rule and "sensitivity" in by_name
    assert by_name["sensitivity_asked"].rule == "sensitivity >= 0.99"
    assert by_name["specificity"].rule == "specificity >= 0.8"
    val = at_temperature(frame[frame.split == "val"], asked.temperature)
    called = val.probability >= by_name["sensitivity_asked"].threshold
    assert called[val.label == 1].mean() >= 0.99
    called = val.probability >= by_name["specificity"].threshold
    assert (~called)[val.label == 0].mean() >= 0.8
    # Asked as it is, nothing is said twice.
    again = choose_all(frame, own, targets={"sensitivity": 0.9})
    assert [p.name for p in again.points] == [p.name for p in choose_all(frame, own).points]
    costly = operating_point_from(frame, "cost", 3.0)
    names = [p.rule for p in choose_all(frame, costly, targets={"cost": 8.0}).points]
    assert names[0].endswith("3 false alarms") and names[-1].endswith("8 false alarms")


@pytest.mark.parametrize("split", ["test", "external"])
def test_choosing_elsewhere_is_refused(table: Table, split: str) -> None:
    own = operating_point_from(table(), "f1")
    with pytest.raises(ChosenOnTest, match=split):
        choose_all(table(), own, split=split)
    chosen = choose_all(table(), own)
    assert chosen.calibration and chosen.conformal
    for bad in (
        replace(chosen, points=(*chosen.points, replace(own, chosen_on=split))),
        replace(chosen, calibration=replace(chosen.calibration, chosen_on=split)),
        replace(chosen, conformal=replace(chosen.conformal, chosen_on=split)),
        replace(chosen, ladder=(replace(chosen.conformal, chosen_on=split),)),
    ):
        with pytest.raises(ChosenOnTest, match=split):
            check_choices(bad)


def test_validation_rows_that_tell_nothing(table: Table) -> None:
    frame = table()
    own = OperatingPoint("fixed", 0.5, "fixed at 0.5", "val")
    for part in (frame[frame.split == "test"], frame[(frame.split == "test") | (frame.label == 1)]):
        chosen = choose_all(part, own)
        assert chosen.points == (own,)
        assert chosen.calibration is None and chosen.conformal is None and chosen.notes
    apart = frame.assign(logit=frame.label * 8.0 - 4, probability=0.982013790037908)
    apart["probability"] = 1 / (1 + 2.718281828459045**-apart.logit)
    chosen = choose_all(apart, own)
    assert chosen.calibration is None and "too well" in chosen.notes[0]
    with pytest.raises(InputError, match="error rate"):
        choose_all(frame, own, miss_rate=1.5)


def test_logits_that_are_not_the_probabilities_give_no_temperature(table: Table) -> None:
    frame = table().assign(logit=0.0)
    chosen = choose_all(frame, operating_point_from(frame, "f1"))
    assert chosen.calibration is None and "do not belong" in chosen.notes[0]
