"""Class words: the common spellings are known, the doubtful ones are never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.errors import BadLabels, InputError
from pneumoscope.sources.classes import (
    LABEL_OF,
    class_of,
    classes_of,
    fold,
    parse_classes,
    subtype_of,
    unknown_classes,
)


@pytest.mark.parametrize(
    "word",
    [
        *("NORMAL", "normal", "Norm", "0_normal", "00. Normal", "Healthy", "No Finding"),
        *("no_findings", "NoFinding", "no_pneumonia", "NON-PNEUMONIA", "Negative", "control"),
        *("clear", "Normal images", "normal_cases", "gesund", "sağlıklı", "SAĞLIKLI", "正常"),
        *("saudável", "ＮＯＲＭＡＬ", "  normal  ", "normal.", "норма", "Pneumonia negative"),
    ],
)
def test_spellings_of_normal(word: str) -> None:
    assert class_of(word) == "normal"
    assert subtype_of(word) is None


@pytest.mark.parametrize(
    ("word", "subtype"),
    [
        *((w, None) for w in ("PNEUMONIA", "1-Pneumonia", "pneumonic", "Pneu", "Lung_Opacity")),
        *((w, None) for w in ("Pneumonie", "neumonía", "NEUMONI\u0301A", "neumonia", "polmonite")),
        *(
            (w, None)
            for w in ("positive", "Lungenentzündung", "Zatürre", "肺炎", "폐렴", "zatürre")
        ),
        *((w, "bacterial") for w in ("BACTERIA", "bacterial_pneumonia", "Pneumonia-Bacterial")),
        *((w, "viral") for w in ("Viral Pneumonia", "virus", "02_VIRAL", "Viral Pneumonia images")),
    ],
)
def test_spellings_of_pneumonia(word: str, subtype: str | None) -> None:
    assert class_of(word) == "pneumonia"
    assert subtype_of(word) == subtype


@pytest.mark.parametrize(
    "word",
    [
        *("COVID", "covid-19", "Tuberculosis", "No Lung Opacity / Not Normal", "other", "abnormal"),
        *("unknown", "train", "chest-xray-pneumonia", "pneumonia_vs_normal", "not normal", "sick"),
        *("", " ", "_", "images", "pneumothorax", "pneumoconiosis", "\udcff", "abnormal images"),
    ],
)
def test_what_is_doubtful_is_not_guessed(word: str) -> None:
    assert class_of(word) is None
    assert class_of(word, numbers=True) is None


def test_numbers_count_only_where_they_are_asked_for() -> None:
    words = {
        "0": "normal",
        "1": "pneumonia",
        "1.0": "pneumonia",
        "0.": "normal",
        " 01 ": "pneumonia",
    }
    words |= {"True": "pneumonia", "FALSE": "normal", "yes": "pneumonia", "No": "normal"}
    for word, verdict in words.items():
        assert class_of(word) is None
        assert class_of(word, numbers=True) == verdict
    for word in ("2", "-1", "0.5", "1e5", "0|1", "1/0", "nan", "10", "-1.0", "0 1"):
        assert class_of(word, numbers=True) is None, word


def test_a_minus_is_not_lost_when_one_is_mapped() -> None:
    said = parse_classes(["1=pneumonia", "0=normal", "-1=ignore"])
    assert [class_of(w, said) for w in ("1", "1.0", "-1", "-1.0", "0", "2")] == [
        *("pneumonia", "pneumonia", "ignore", "ignore", "normal", None)
    ]


def test_what_the_user_says_wins_over_what_is_known() -> None:
    said = parse_classes(["COVID 19 = ignore", "positive=IGNORE", "Tb=pneumonia"])
    assert said == {"covid19": "ignore", "positive": "ignore", "tb": "pneumonia"}
    assert class_of("2_Covid-19", said) == "ignore"
    assert class_of("POSITIVE", said) == "ignore"
    assert class_of("tb", said) == "pneumonia"
    assert class_of("normal", said) == "normal"


def test_labels_follow_the_order_of_classes() -> None:
    assert (LABEL_OF["normal"], LABEL_OF["pneumonia"], LABEL_OF["ignore"]) == (0, 1, None)


@given(st.text() | st.text(alphabet="01-+.e |ıİßſnormal_ÀK"))
def test_folding_twice_changes_nothing(word: str) -> None:
    assert fold(fold(word)) == fold(word)


@given(
    st.sampled_from(["normal", "nofinding", "pneumonia", "viralpneumonia", "neumonia"]),
    st.lists(st.booleans(), min_size=14, max_size=14),
    st.sampled_from(["", "0_", "1-", "03 ", " ", "12."]),
    st.sampled_from(["", "_", " ", ".", "-"]),
)
def test_case_numbers_and_separators_do_not_count(
    word: str, upper: list[bool], before: str, between: str
) -> None:
    written = between.join(c.upper() if up else c for c, up in zip(word, upper, strict=False))
    assert class_of(before + written) == class_of(word) is not None


@given(st.text(min_size=1), st.sampled_from(["normal", "pneumonia", "ignore"]))
def test_any_word_can_be_mapped_and_is_found_again(word: str, verdict: str) -> None:
    if "=" in word or not fold(word.strip()):
        return
    said = parse_classes([f"{word}={verdict}"])
    assert class_of(word.strip(), said, numbers=True) == verdict


@pytest.mark.parametrize(
    "said", ["COVID", "", "=normal", "COVID=", "  =ignore", "A=normal,B=ignore", "a=b=normal"]
)
def test_another_form_is_refused(said: str) -> None:
    with pytest.raises(InputError) as error:
        parse_classes([said])
    assert error.value.expected is not None
    assert "normal" in error.value.expected


def test_an_unknown_meaning_gets_the_nearest_word() -> None:
    with pytest.raises(InputError, match="unknown meaning") as error:
        parse_classes(["COVID=pnuemonia"])
    assert error.value.expected == "nearest: 'pneumonia'"


def test_a_word_is_said_once() -> None:
    with pytest.raises(InputError, match="as ignore and as normal"):
        parse_classes(["COVID=ignore", "covid=normal"])
    with pytest.raises(InputError, match="names 'Co-vid' twice"):
        parse_classes(["COVID=ignore", "Co-vid=ignore"])


def test_all_unknown_words_are_named_with_the_remedy() -> None:
    with pytest.raises(BadLabels) as error:
        classes_of(["normal", "COVID 19", "TB", "COVID 19"], where="the folder x")
    assert error.value.got == "'COVID 19', 'TB' in the folder x"
    assert "--classes 'COVID 19=ignore' --classes TB=ignore" in str(error.value.remedy)
    assert classes_of(["0", "Normal", "yes"], numbers=True) == {
        **{"0": "normal", "Normal": "normal", "yes": "pneumonia"}
    }


def test_many_unknown_words_and_hostile_ones_fit_a_message() -> None:
    error = unknown_classes([f"c{i:03d}" for i in range(500)])
    assert "and 492 more" in str(error.got) and len(str(error)) < 600
    assert "\x1b" not in str(unknown_classes(["a\x1b[31m\n'b"]))
