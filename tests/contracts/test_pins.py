"""What commands give and print is what they gave before: see ``tests/golden/README.md``.

And what they show is what their files hold: every number carries its key. What is exempt stands in
``tests/helpers/figures_shown.py``.
"""

import json
from pathlib import Path

import pytest
from tests.helpers.figures_shown import faults
from tests.helpers.golden import PINS, check_pin, lay_out, lay_out_audit
from tests.helpers.keyed_files import keyed_files, told_by
from tests.helpers.pins import all_pins

WALKED = {
    *("judge", "evaluate", "evaluate-asked", "evaluate-val", "evaluate-other"),
    *("evaluate-seeds", "evaluate-folds"),
    *("seeds", "folds", "compare", "compare-three", "audit"),
}
"""Commands of whose texts every number is asked for its key."""
BY_VALUE = {"explain": "explain.json"} | {
    f"predict-{subject}": f"{subject}.json" for subject in ("run", "seeds", "folds", "model")
}
"""Commands that show figures while they are made, and the file that must hold them."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The golden folder; each command writes into a folder of its own."""
    place = tmp_path_factory.mktemp("golden").resolve()
    lay_out(place)
    lay_out_audit(place)
    return place


@pytest.mark.parametrize("group", all_pins())
def test_pins_hold(group: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, tolerance = all_pins()[group]
    with keyed_files(monkeypatch) as heard:
        found = results(place, monkeypatch)
        if group in BY_VALUE:
            held = json.loads(found[BY_VALUE[group]])
            heard = {at: told_by(text, held, BY_VALUE[group]) for at, text in heard.items()}
        wrong = list(dict.fromkeys(faults(heard)))
    assert set(found) == {file.name for file in (PINS / group).iterdir()}
    for file, text in found.items():
        check_pin(f"{group}/{file}", text, tolerance)
    wrong = wrong if group in {*WALKED, *BY_VALUE} else []
    assert not wrong, "\n".join([f"{group}: mend it, or see EXEMPT of figures_shown.py", *wrong])


def test_every_pin_is_looked_at() -> None:
    assert {folder.name for folder in PINS.iterdir()} == set(all_pins())
