"""Numbers as text: rounding, true minus signs, ranges that never meet a minus, plurals."""

from math import nan

import pytest

from pneumoscope.formatting import (
    brief,
    cell,
    duration,
    full,
    interval,
    listed,
    mean_sd,
    metric_name,
    number,
    one_call,
    p_value,
    percent,
    percent_cell,
    percent_interval,
    plural,
    shortened,
    signed,
    signed_interval,
)
from pneumoscope.readings import Estimate

UNDEFINED = Estimate(nan, nan, nan, 0.95, "one class only", 0)


def estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, low, high, 0.95, "DeLong", 20)


def test_a_number_has_a_true_minus_and_zero_has_none() -> None:
    assert [number(x) for x in (0.9619, -0.5, -0.0004, nan, None)] == [
        "0.962",
        "−0.500",
        "0.000",
        "undefined",
        "undefined",
    ]
    assert number(12.345, 1) == "12.3"


def test_a_difference_has_a_sign_where_it_is_not_zero() -> None:
    found = [signed(x) for x in (0.0211, -0.004, 0.0001, -0.0001, None)]
    assert found == ["+0.021", "−0.004", "0.000", "0.000", "undefined"]
    assert signed_interval(estimate(0.021, 0.006, 0.036)) == "+0.006 to +0.036"
    assert signed_interval(UNDEFINED) == "none"


def test_a_range_has_a_dash_but_beside_a_minus() -> None:
    assert interval(estimate(0.962, 0.948, 0.974)) == "0.948–0.974"
    assert interval(estimate(0.1, -0.2, 0.3)) == "−0.200 to 0.300"
    assert interval(estimate(0.1, -0.0001, 0.3)) == "0.000–0.300"
    assert interval(UNDEFINED) == "none"


def test_a_value_with_its_interval() -> None:
    found = estimate(0.962, 0.948, 0.974)
    assert brief(found) == "0.962 (0.948–0.974)"
    assert full(found) == "0.962 (95% interval 0.948–0.974)"
    assert cell(found) == ("0.962", "0.948–0.974")
    assert (brief(UNDEFINED), full(UNDEFINED)) == ("–", "one class only")
    assert (full(None), cell(UNDEFINED)) == ("not measured", ("–", "undefined"))


@pytest.mark.parametrize(
    ("share", "wanted"), [(0.124, "12%"), (-0.031, "−3%"), (-0.001, "0%"), (None, "not known")]
)
def test_a_share(share: float | None, wanted: str) -> None:
    assert percent(share) == wanted


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [(0.05, 0.3, "5–30%"), (-0.031, 0.12, "−3 to 12%"), (-0.2, -0.1, "−20 to −10%"), (nan, 1, "")],
)
def test_the_interval_of_a_share(low: float, high: float, wanted: str) -> None:
    assert percent_interval(estimate(0.1, low, high)) == wanted


def test_a_share_in_a_table() -> None:
    assert percent_cell(estimate(0.123, 0.1012, 0.149), 1) == ("12.3%", "10.1–14.9%")
    assert percent_cell(UNDEFINED) == ("–", "")


def test_mean_and_deviation() -> None:
    found = [mean_sd(*pair) for pair in ((0.951, 0.012), (0.951, None), (None, None))]
    assert found == ["0.951 ± 0.012", "0.951", "–"]


def test_p_values_keep_two_digits_that_count() -> None:
    assert [p_value(p) for p in (0.0009, 0.049, 0.61, nan)] == [
        "p < 0.001",
        "p = 0.049",
        "p = 0.61",
        "no p",
    ]
    assert p_value(0.61, adjusted=True) == "Holm-adjusted p = 0.61"


def test_counts_and_lists() -> None:
    assert [plural(n, "film") for n in (0, 1, 5856)] == ["0 films", "1 film", "5,856 films"]
    assert [listed(list(names)) for names in ("", "A", "AB", "ABC")] == [
        "",
        "A",
        "A and B",
        "A, B and C",
    ]
    assert [metric_name(key) for key in ("auroc", "balanced_accuracy")] == [
        "AUROC",
        "balanced accuracy",
    ]


def test_a_duration_has_the_unit_that_fits() -> None:
    assert [duration(s) for s in (600, 60, 90, 14.2, 0.617)] == [
        "10 minutes", "1 minute", "1.5 minutes", "14 s", "0.62 s",
    ]  # fmt: skip


def test_names_are_shortened_in_their_middle() -> None:
    assert shortened("abc", 3) == "abc"
    short = shortened("folder/of/many/films/film-000123.png", 20)
    assert len(short) == 20 and short.endswith("000123.png") and short.startswith("folder")
    assert shortened("a\nb", 20) == r"a\nb"


def test_a_model_of_one_answer_is_named() -> None:
    assert one_call(1.0, 0.0).startswith("Every film is called pneumonia")
    assert one_call(0.0, 1.0).startswith("Every film is called normal")
    assert not any(one_call(*pair) for pair in ((1.0, 0.01), (1.0, 1.0), (0.0, 0.0), (nan, 1.0)))
