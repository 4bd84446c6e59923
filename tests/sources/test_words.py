"""Class words: the common spellings are known, the doubtful ones are never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.errors import BadLabels
from pneumoscope.sources.meaning.asking import Question
from pneumoscope.sources.meaning.cells import read_cells
from pneumoscope.sources.meaning.words import (
    LABEL_OF,
    doubtful,
    fold,
    is_finding,
    kindred,
    known,
    misspelt,
    subtype_of,
    vague,
)


@pytest.mark.parametrize(
    "word",
    [
        *("NORMAL", "normal", "Norm", "0_normal", "00. Normal", "Healthy", "No Finding"),
        *("no_findings", "NoFinding", "no_pneumonia", "NON-PNEUMONIA", "control"),
        *(
            "clear",
            "Normal images",
            "Normal Chest X-rays",
            "normal_cases",
            "gesund",
            "sağlıklı",
            "SAĞLIKLI",
            "正常",
        ),
        *("saudável", "ＮＯＲＭＡＬ", "  normal  ", "normal.", "норма", "Pneumonia negative"),
    ],
)
def test_spellings_of_normal(word: str) -> None:
    assert known(word) == "normal"
    assert subtype_of(word) is None


@pytest.mark.parametrize(
    ("word", "subtype"),
    [
        *((w, None) for w in ("PNEUMONIA", "1-Pneumonia", "pneumonic", "Pneu", "Lung_Opacity")),
        *((w, None) for w in ("Pneumonie", "neumonía", "NEUMONI\u0301A", "neumonia", "polmonite")),
        *((w, None) for w in ("Lungenentzündung", "Zatürre", "肺炎", "폐렴", "zatürre")),
        *((w, "bacterial") for w in ("BACTERIA", "bacterial_pneumonia", "Pneumonia-Bacterial")),
        *((w, "viral") for w in ("Viral Pneumonia", "virus", "02_VIRAL", "Viral Pneumonia images")),
        ("Pneumonia CXR images", None),
    ],
)
def test_spellings_of_pneumonia(word: str, subtype: str | None) -> None:
    assert known(word) == "pneumonia"
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
    assert known(word) is None


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        *(
            (w, "pneumonia")
            for w in ("positive", "POS", "Sick", "abnormal", "yes", "1", "1.0", "+")
        ),
        *((w, "normal") for w in ("negative", "Neg", "no", "FALSE", "0", " 00 ", "absent")),
        *((w, None) for w in ("2", "-1", "0.5", "1e5", "0|1", "10", "COVID", "", "pneumonia")),
    ],
)
def test_words_that_do_not_say_what_for_are_vague_and_never_known(
    word: str, meaning: str | None
) -> None:
    assert vague(word) == meaning
    if meaning is not None:
        assert known(word) is None


@pytest.mark.parametrize(
    ("word", "offer"),
    [
        *((w, "pneumonia") for w in ("Pnemonia", "pnuemonia", "Pneumonia?", "pneumonia (old)")),
        *((w, "normal") for w in ("Nomral", "normall", "signs of pneumonia absent")),
        *((w, None) for w in ("pneumothorax", "pneumonitis", "pneumoconiosis", "mass", "", "1")),
    ],
)
def test_near_misses_are_offered_and_never_known(word: str, offer: str | None) -> None:
    assert misspelt(word) == offer
    if offer is not None:
        assert known(word) is None


def test_kinds_of_pneumonia_by_another_name_are_offered_as_such() -> None:
    assert {kindred(w) for w in ("COVID", "covid-19", "SARS-CoV-2", "Consolidation")} == {
        "pneumonia"
    }
    assert kindred("non-covid") == "normal"
    assert kindred("tuberculosis") is None


@pytest.mark.parametrize(
    ("word", "pneumonia"),
    [
        *(
            (w, True)
            for w in ("atypical pneumonia", "COVID-19 pneumonia", "Severe Viral Pneumonia")
        ),
        *((w, False) for w in ("no viral pneumonia", "pneumonia ruled out", "post pneumonia")),
        *((w, False) for w in ("pneumonia 2", "pneumonia and mass")),
    ],
)
def test_a_qualified_pneumonia_is_one_and_a_denied_one_is_not(word: str, pneumonia: bool) -> None:
    assert (known(word) == "pneumonia") == pneumonia


def test_doubt_and_findings_are_told_by_their_words() -> None:
    assert all(map(doubtful, ("uncertain Pneumonia", "possible", "?", "Suspected pneumonia")))
    assert not any(map(doubtful, ("pneumonia", "normal", "unlike", "COVID")))
    assert is_finding("Nodule/Mass") and is_finding("pleural_effusion")
    assert not is_finding("smoker") and not is_finding("pneumonia")


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
    assert known(before + written) == known(word) is not None


@given(st.text())
def test_any_text_has_one_kind_at_most(word: str) -> None:
    found = known(word)
    assert not (found and vague(word))
    for offer in (misspelt(word), kindred(word)):
        assert offer in (None, "normal", "pneumonia")


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        *((f"{q} Pneumonia", "uncertain=ignore") for q in ("V.a.", "Verdacht auf", "susp.", "r/o")),
        *((f"{q} pneumonia", "uncertain=ignore") for q in ("?", "DD", "query", "rule out", "v.a")),
        *((w, "uncertain=ignore") for w in ("pneumonia probable", "Pneumonia not excluded")),
        *((f"{q} Pneumonia", "") for q in ("Z.n.", "Zustand nach", "status post", "s/p", "old")),
        *((f"{q} pneumonia", "") for q in ("history of", "h/o", "previous", "resolved", "treated")),
        *((w, "") for w in ("pneumonia much better", "Pneumonia, resolved")),
        ("Pneumonie, fraglich", "uncertain=ignore"),
    ],
)
def test_a_suspected_or_earlier_pneumonia_is_offered_to_be_left_out(word: str, answer: str) -> None:
    assert known(word) is None
    with pytest.raises(BadLabels) as error:
        read_cells({"Normal": 3, "Pneumonia": 4, word: 2}, Question("here"), {})
    assert error.value.answer == ("--classes", answer or f"{word}=ignore")


@pytest.mark.parametrize("word", ["Pneumonie li. UL", "pneumonia right base", "RLL pneumonia"])
def test_a_pneumonia_with_a_place_is_offered_as_one(word: str) -> None:
    with pytest.raises(BadLabels) as error:
        read_cells({"Normal": 3, "Pneumonia": 4, word: 2}, Question("here"), {})
    assert error.value.answer == ("--classes", f"{word}=pneumonia")


@pytest.mark.parametrize("word", ["o.B.", "NAD", "WNL", "RAS"])
def test_what_is_short_for_healthy_is_offered_as_normal_and_not_swallowed(word: str) -> None:
    for said in ({}, {"other": "ignore"}):
        with pytest.raises(BadLabels) as error:
            read_cells({"Pneumonia": 4, word: 9}, Question("here"), said)
        assert error.value.answer == ("--classes", f"{word}=normal")


@pytest.mark.parametrize("word", ["ohne Befund", "unauffaellig", "unremarkable"])
def test_usual_words_for_healthy_are_known(word: str) -> None:
    assert known(word) == "normal"


def test_what_the_answer_for_the_rest_drops_is_named_and_never_leaves_one_class() -> None:
    cells = {"Normal": 3, "Pneumonia": 4, "Mass": 7, "Effusion": 90}
    with pytest.raises(BadLabels, match="would leave out 'Effusion' × 90, 'Mass' × 7"):
        read_cells(cells, Question("here"), {})
    del cells["Normal"]
    with pytest.raises(BadLabels, match="seems to mean normal") as error:
        read_cells(cells, Question("here"), {})
    assert error.value.answer == ("--classes", "words.csv")


@pytest.mark.parametrize(
    ("word", "offer"),
    [
        *[(word, "normal") for word in ("healthy control", "Normal (adults)", "helthy lungs")],
        *[(word, "normal") for word in ("no disease", "not sick", "Disease-free", "normal_2")],
        *[(word, "pneumonia") for word in ("virial", "bacteria infection", "Pnuemonia left")],
    ],
)
def test_what_is_near_to_a_class_is_offered_as_it_and_never_left_out(word: str, offer: str) -> None:
    cells = {word: 3, "Mass": 2, "Nodule": 1, "Pneumonia": 4, "Normal": 5}
    with pytest.raises(BadLabels) as error:
        read_cells(cells, Question("here"), {})
    assert ("--classes", f"{word}={offer}") == error.value.answer[:2]
    # An answer for all others does not answer for it.
    with pytest.raises(BadLabels) as error:
        read_cells(cells, Question("here"), {"other": "ignore"})
    assert error.value.answer == ("--classes", f"{word}={offer}")


@pytest.mark.parametrize(
    "word", ["Pneumothorax", "Abnormal heart", "nodular", "other diseases", "non-axial changes"]
)
def test_what_only_sounds_like_a_class_is_offered_as_none(word: str) -> None:
    assert misspelt(word) is None


def test_what_may_show_a_pneumonia_never_goes_before_what_names_one() -> None:
    words = ["No consolidation/infiltrate", "Primary endpoint pneumonia", "Other infiltrate"]
    with pytest.raises(BadLabels) as caught:
        read_cells(dict.fromkeys(words, 9), Question("here"), {})
    offered = {word: offer for word, _, offer in caught.value.words}
    assert offered == dict(zip(words, ("normal", "ignore", "ignore"), strict=True))
    assert caught.value.answer == ("--classes", "words.csv")  # none would be pneumonia
