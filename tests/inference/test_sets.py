"""Films that came together against the training films: alike, unlike, or too few to tell."""

from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.known.reference import Reference, make_reference, with_films
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.inference.sets import SetCheck, words
from pneumoscope.records import Grey, InputSpec


@pytest.fixture(scope="module")
def films() -> Grey:
    """120 phantoms, uint8 (120, 40, 40)."""
    drawn = (draw_phantom(17, at, label=at % 2, size=48).image for at in range(120))
    return np.stack([fit_square(film, InputSpec(40, 40)) for film in drawn])


@pytest.fixture(scope="module")
def reference(films: Grey) -> Reference:
    return make_reference(films[:60], ["train"] * 60)


def said(reference: Reference | None, *batches: Grey) -> str:
    check = SetCheck(reference)
    for batch in batches:
        check.add(batch)
    assert check.count == sum(len(batch) for batch in batches)
    return words(check.verdict)


def test_films_of_the_same_place_show_no_difference(films: Grey, reference: Reference) -> None:
    assert said(reference, films[60:90], films[90:]).startswith("No difference")


def test_films_that_are_framed_otherwise_are_unlike_as_a_set(
    films: Grey, reference: Reference
) -> None:
    low = np.roll(films[60:], 6, axis=1)
    check = SetCheck(reference)
    check.add(low)
    found = check.verdict
    assert found is not None and found.unlike and found.p == 0.001
    assert "unlike the training films" in words(found)


def test_few_films_are_too_few_and_no_reference_says_nothing(
    films: Grey, reference: Reference
) -> None:
    assert "too few to tell (20 against 60" in said(reference, films[60:80])
    assert "is not known" in said(None, films[60:])
    tested = make_reference(films[:60], ["test"] * 60)
    assert "is not known" in said(tested, films[60:])


def test_films_join_a_reference_as_of_their_split(films: Grey, reference: Reference) -> None:
    joined = with_films(reference, films[60:], "val")
    assert len(joined) == 120 and (joined.splits[60:] == 1).all()
    np.testing.assert_allclose(
        joined.waves(slice(0, 60)), reference.waves(slice(0, 60)), atol=1.5 * joined.steps.max()
    )
    assert (joined.mean == reference.mean).all()
