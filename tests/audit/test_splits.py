"""Whether a split comes from where train comes from: told from the films, and only where it is."""

import numpy as np
import pytest

from pneumoscope.audit.splits import measure_shifts, shift_findings
from pneumoscope.imaging.thumbnails import thumbnails

ALTERNATE = [("train", "test")[i // 2 % 2] for i in range(300)]
LABELS = [i % 2 for i in range(300)]


def shifts(prepared):
    found = measure_shifts(prepared, thumbnails(prepared.images))
    return {(s.split, s.label): s for s in found}


def test_films_divided_by_chance_are_alike(make_set, drawn) -> None:
    found = shifts(make_set(drawn, split=ALTERNATE, label=LABELS))
    assert list(found) == [("test", "normal"), ("test", "pneumonia")]
    for shift in found.values():
        assert (shift.films, shift.train) == (75, 75)
        assert shift.auroc.value < 0.6  # below .5, too: what is held out tilts the rest
    assert shift_findings(tuple(found.values())) == []


def test_a_split_from_elsewhere_is_told_class_by_class(make_set, drawn) -> None:
    """The normal test films are brighter at the top, as from another machine."""
    films = drawn.copy()
    strange = [s == "test" and not label for s, label in zip(ALTERNATE, LABELS, strict=True)]
    films[strange, :20] = np.minimum(films[strange, :20].astype(int) + 60, 255)
    found = shifts(make_set(films, split=ALTERNATE, label=LABELS))
    assert found["test", "normal"].auroc.low > 0.9
    assert found["test", "pneumonia"].auroc.low < 0.5
    (finding,) = shift_findings(tuple(found.values()))
    assert (finding.code, finding.severity) == ("SPLITS-DIFFER", "warning")
    assert finding.count == found["test", "normal"].films
    assert "normal films of test from normal films of train" in finding.title


def test_the_answer_about_test_is_the_same_however_the_others_are_divided(make_set, drawn) -> None:
    """A run that cuts validation films anew says of test what the audit of its data says."""
    films = drawn.copy()
    films[[s == "test" for s in ALTERNATE], :20] //= 2
    divided = [s if s == "test" or i % 5 else "val" for i, s in enumerate(ALTERNATE)]
    whole = shifts(make_set(films, split=ALTERNATE, label=LABELS))["test", "normal"]
    cut = shifts(make_set(films, split=divided, label=LABELS))["test", "normal"]
    assert whole.against == ("train",) and cut.against == ("train", "val")
    assert (cut.auroc, cut.train) == (whole.auroc, whole.train)
    assert "of test from normal films of train and validation with AUROC" in cut.finding


def test_another_share_of_classes_is_no_shift(make_set, drawn) -> None:
    """Sick films are darker here, and test has three times as many of them."""
    films = drawn.copy()
    films[1::2] //= 2
    split = ["train" if i % 2 == 0 and i % 8 else ALTERNATE[i] for i in range(300)]
    found = shifts(make_set(films, split=split, label=LABELS))
    assert {s.label: round(s.films / s.train, 1) for s in found.values()}["pneumonia"] == 1.0
    assert shift_findings(tuple(found.values())) == []


@pytest.mark.parametrize(
    ("patients", "tests", "told"),
    [
        ([f"p{i % 8}" for i in range(300)], 150, "fewer than 5 patients"),
        ([f"p{i}" for i in range(300)], 40, "fewer than 25 films"),
    ],
)
def test_what_too_few_cannot_tell_is_said(make_set, drawn, patients, tests, told) -> None:
    split = ["test" if i < tests else "train" for i in range(300)]
    if tests == 150:  # two patients of a class there, two here
        split = ["test" if i % 8 < 4 else "train" for i in range(300)]
    found = shifts(make_set(drawn, split=split, label=LABELS, patient_id=patients))
    assert len(found) == 2
    for shift in found.values():
        assert shift.auroc is None and told in shift.why_not
        assert shift.to_json()["auroc"] is None
    assert shift_findings(tuple(found.values())) == []


@pytest.mark.parametrize("split", [None, "train", "test"])
def test_one_split_is_compared_with_nothing(make_set, drawn, split) -> None:
    assert shifts(make_set(drawn, split=split)) == {}


def test_films_without_a_label_are_left_out(make_set, drawn) -> None:
    assert shifts(make_set(drawn, split=ALTERNATE, label=None)) == {}


def test_a_patient_in_both_splits_is_not_recognised(make_set) -> None:
    """Films of a patient are alike, so whoever had seen half of them would know the other half."""
    rng = np.random.default_rng(0)
    marks = rng.integers(0, 256, (60, 8, 8))
    films = np.kron(np.repeat(marks, 5, axis=0), np.ones((8, 8))).astype(np.uint8)
    patients = [f"p{i // 5}" for i in range(300)]
    split = ["test" if i // 5 % 2 else "train" for i in range(300)]
    labels = [i // 5 // 2 % 2 for i in range(300)]
    found = shifts(make_set(films, split=split, label=labels, patient_id=patients))
    for shift in found.values():
        assert shift.auroc.value < 0.75
