"""What commands give and print is what they gave before: see ``tests/golden/README.md``."""

from pathlib import Path

import pytest
from tests.helpers.golden import PINS, check_pin, lay_out, lay_out_audit
from tests.helpers.pins import all_pins


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
    found = results(place, monkeypatch)
    assert set(found) == {file.name for file in (PINS / group).iterdir()}
    for file, text in found.items():
        check_pin(f"{group}/{file}", text, tolerance)


def test_every_pin_is_looked_at() -> None:
    assert {folder.name for folder in PINS.iterdir()} == set(all_pins())
