import pytest

from pneumoscope.audit.counts import count, count_findings
from pneumoscope.sources.together.names import KAGGLE_NOTE

NOTE = "Whether personN of train and of test is the same child is documented nowhere."


def findings(prepared):
    return {f.code: f for f in count_findings(prepared)}


def test_films_are_counted_by_class_and_split(make_set, drawn) -> None:
    labels = [0, 0, 1, None, 1, 1]
    split = ["train", "train", "train", "test", None, "test"]
    counts = count(make_set(drawn[:6], label=labels, split=split))
    assert counts.by_class == {"normal": 2, "pneumonia": 3, "unknown": 1}
    assert counts.by_split == {"train": 3, "test": 2, "no split": 1}
    assert counts.by_split_and_class == {
        "train": {"normal": 2, "pneumonia": 1},
        "test": {"pneumonia": 1, "unknown": 1},
        "no split": {"pneumonia": 1},
    }


def test_sizes_and_facts_are_described(make_set, drawn) -> None:
    prepared = make_set(
        drawn[:25],
        height=range(100, 125),
        width=200,
        fact_bytes=range(25),
        fact_view=["AP"] * 20 + ["PA"] * 4 + [None],
    )
    counts = count(prepared)
    assert counts.native["height"]["0.5"] == 112
    assert (counts.native["width"]["0"], counts.native["width"]["1"]) == (200, 200)
    assert counts.facts["bytes"].kind == "number"
    assert counts.facts["bytes"].quantiles["0.25"] == 6
    view = counts.facts["view"]
    assert (view.known, view.distinct, view.values) == (24, 2, {"AP": 20, "PA": 4})


def test_a_patient_in_two_official_splits_is_severe_and_told_with_the_sources_note(
    make_set, drawn
) -> None:
    prepared = make_set(
        drawn[:6],
        patient_id=["a", "a", "b", "b", "c", "c"],
        split=["train", "test", "train", "train", "test", None],
        notes=(NOTE, "An unrelated remark."),
    )
    finding = findings(prepared)["PATIENT-ACROSS-SPLITS"]
    assert (finding.severity, finding.count) == ("severe", 1)
    assert finding.examples == ("film-0", "film-1")
    assert "1 in test and train" in finding.title
    assert finding.remedy.endswith(NOTE)
    assert "PATIENTS-UNKNOWN" not in findings(prepared)


def test_numbers_that_may_start_anew_in_each_split_prove_nothing(make_set, drawn) -> None:
    prepared = make_set(
        drawn[:4],
        patient_id=["person1", "person1", "person2", "person3"],
        split=["train", "test", "train", "test"],
        notes=(KAGGLE_NOTE,),
    )
    finding = findings(prepared)["PATIENT-ACROSS-SPLITS"]
    assert (finding.severity, finding.status, finding.count) == ("warning", "not provable", 1)
    assert "documented nowhere" in finding.title


def test_unknown_patients_are_not_provable_never_clean(make_set, drawn) -> None:
    finding = findings(make_set(drawn[:4], patient_id=["a", None, None, "b"]))["PATIENTS-UNKNOWN"]
    assert (finding.status, finding.count) == ("not provable", 2)


@pytest.mark.parametrize(("films", "found"), [(16, True), (99, True), (100, False), (0, False)])
def test_a_validation_split_of_fewer_than_100_films_is_small(make_set, drawn, films, found) -> None:
    prepared = make_set(drawn[:120], split=["val"] * films + ["train"] * (120 - films))
    assert ("FEW-VALIDATION" in findings(prepared)) == found


def test_unreadable_files_are_counted_with_their_reasons(make_set, drawn) -> None:
    dropped = [{"reason": "truncated", "count": 3}, {"reason": "no image", "count": 1}]
    finding = findings(make_set(drawn[:2], dropped=dropped))["UNREADABLE"]
    assert finding.count == 4
    assert "3 × truncated; 1 × no image" in finding.title


def test_a_split_of_one_class_and_films_without_label_are_told(make_set, drawn) -> None:
    prepared = make_set(
        drawn[:6], label=[0, 1, 1, 1, None, None], split=["train"] * 2 + ["test"] * 4
    )
    found = findings(prepared)
    assert "The test split" in found["ONE-CLASS"].title
    assert found["LABELS-UNKNOWN"].count == 2
    unlabelled = findings(make_set(drawn[:3], label=[None] * 3))
    assert unlabelled["LABELS-UNKNOWN"].count == 3
    assert "ONE-CLASS" not in unlabelled
