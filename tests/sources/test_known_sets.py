"""Known sets: recognised by what films and names say, never by the name of a folder."""

from __future__ import annotations

from typing import Any

import pytest

from pneumoscope.plain import from_plain, to_plain
from pneumoscope.sources.known_sets import (
    KEREMBERKE,
    KERMANY,
    NIH,
    PHANTOM,
    PNEUMONIAMNIST,
    RSNA,
    KnownSet,
    numbers_start_anew,
    recognise,
)
from pneumoscope.sources.together.names import KAGGLE_NOTE, MENDELEY_NOTE

NIH_NOTE = "Patients are read from the names of 525 of 525 films: NIH ChestX-ray14 (525)."


def source(form: str, *notes: str, name: str = "films") -> Any:
    return {"name": name, "form": form, "notes": list(notes)}


def counts(train: int, val: int, test: int) -> Any:
    films = {"train": train, "val": val, "test": test}
    return {name: {"n": n, "positives": n // 2, "patients": None} for name, n in films.items()}


@pytest.mark.parametrize(
    ("found", "splits", "expected"),
    [
        (source("folder", KAGGLE_NOTE), counts(5216, 16, 624), KERMANY),
        (source("folder", MENDELEY_NOTE), counts(0, 0, 0), KERMANY),
        (source("huggingface", KAGGLE_NOTE), counts(4077, 1165, 582), KEREMBERKE),
        (source("medmnist"), counts(4708, 524, 624), PNEUMONIAMNIST),
        (source("medmnist"), counts(3882, 524, 624), PNEUMONIAMNIST),
        (source("rsna"), counts(0, 0, 0), RSNA),
        (source("folder", NIH_NOTE), counts(0, 0, 0), NIH),
        (source("phantom"), counts(7, 1, 2), PHANTOM),
        (source("medmnist", name="pneumoniamnist"), counts(90, 5, 5), None),
        (source("folder", name="kermany"), counts(5216, 16, 624), None),
    ],
)
def test_a_set_is_recognised_by_what_it_holds(
    found: Any, splits: Any, expected: KnownSet | None
) -> None:
    assert recognise(found, splits) == expected


@pytest.mark.parametrize("known", [KERMANY, PNEUMONIAMNIST, KEREMBERKE, RSNA, NIH, PHANTOM])
def test_a_record_survives_the_run_folder(known: KnownSet) -> None:
    assert from_plain(KnownSet, to_plain(known)) == known


def test_published_results_are_of_the_official_test_split_alone() -> None:
    assert KERMANY.test == (624, 390)
    assert not KEREMBERKE.published and KEREMBERKE.test is None
    assert all(each.source and 0.5 < each.auroc < 1 for each in KERMANY.published)


def test_only_kaggles_numbers_start_anew() -> None:
    assert numbers_start_anew([KAGGLE_NOTE]) and not numbers_start_anew([MENDELEY_NOTE])
