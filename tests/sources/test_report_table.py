"""Reports of tables: titles above the header and totals below are set aside, rows never."""

import csv
import io
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pneumoscope.errors import UnreadableData
from pneumoscope.sources.tables.read import read_table

NAMES = ["MRN", "Accession", "Image File", "Conclusion"]
ROWS = [
    [f"27{i:03}", f"CR{i}", f"IMG-{i:04}.png", "Pneumonia" if i % 3 else "Normal, chest;\nclear"]
    for i in range(9)
]
TITLES = [["Radiology Worklist, all"], ["Generated: 12/03/2023", "User: radadmin"], ["CR; DX"], []]
FOOT = [[], ["Total records: 9"]]
ABOVE, BELOW = "3 lines above the header of t.csv", "1 line below"


def written(tmp_path: Path, rows: list[list[str]], delimiter: str = ",", quoting: int = 1) -> Path:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL if quoting else 0).writerows(rows)
    path = tmp_path / "t.csv"
    path.write_bytes(text.getvalue().encode("utf-8-sig"))
    return path


def check(path: Path, rows: list[list[str]], *notes: str) -> None:
    table = read_table(path)
    assert list(table.frame.columns) == NAMES
    assert table.frame.to_numpy().tolist() == rows
    assert len(table.notes) == 1
    assert all(note in table.notes[0] for note in notes), table.notes


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("quoting", [0, 1])
def test_titles_and_total_are_no_rows(tmp_path: Path, delimiter: str, quoting: int) -> None:
    path = written(tmp_path, [*TITLES, NAMES, *ROWS, *FOOT], delimiter, quoting)
    check(path, ROWS, f"{ABOVE} and 1 line below its rows are no rows.")
    check(written(tmp_path, [*TITLES, NAMES, *ROWS], delimiter, quoting), ROWS, ABOVE)
    check(written(tmp_path, [["Worklist"], NAMES, *ROWS], delimiter, quoting), ROWS, "is no row")
    check(written(tmp_path, [NAMES, *ROWS, *FOOT], delimiter, quoting), ROWS, BELOW)


@pytest.mark.parametrize(
    "foot", ["(9 rows)", "Total records: 9", "Total", "-- end --", "Printed 12.03.2023 08:14"]
)
def test_many_forms_of_footers(tmp_path: Path, foot: str) -> None:
    check(written(tmp_path, [NAMES, *ROWS, [], [foot]]), ROWS, BELOW)
    check(written(tmp_path, [NAMES, *ROWS, [foot, "9"], ["", ""]]), ROWS, BELOW)


def test_spreadsheets_fill_titles_up(tmp_path: Path) -> None:
    padded = [(row + [""] * 4)[:4] for row in (*TITLES, NAMES, *ROWS, *FOOT)]
    check(written(tmp_path, padded, ";", 0), ROWS, f"{ABOVE} and {BELOW}")


@pytest.mark.parametrize("titles", [[], TITLES])
@pytest.mark.parametrize(
    ("at", "row", "cells"),
    [(4, ["2799", "CR"], 2), (0, ["2799"], 1), (9, ["2799", "CR"], 2), (9, ["27"], 1),
     (9, ["", "", "IMG-0001.png"], 3), (5, ["a"] * 5, 5), (9, ["a"] * 5, 5), (6, ["Total: 6"], 1)],
)  # fmt: skip
def test_a_row_of_another_length_is_refused_by_its_line(
    tmp_path: Path, titles: list[list[str]], at: int, row: list[str], cells: int
) -> None:
    plain = [[cell.replace("\n", " ") for cell in each] for each in ROWS]
    path = written(tmp_path, [*titles, NAMES, *plain[:at], row, *plain[at:]])
    with pytest.raises(UnreadableData) as caught:
        read_table(path)
    line = len(titles) + at + 2
    assert caught.value.got == f"{cells} cells in line {line} of {path}"
    assert "quote" not in (caught.value.remedy or "")
    assert f"mend line {line}" in (caught.value.remedy or "")


def test_what_is_not_clear_is_refused(tmp_path: Path) -> None:
    headless = [[row[2], row[3]] for row in ROWS]
    for rows in (
        [["Worklist"], *headless],
        [["id"], *([f"p{i}", f"text {i}"] for i in range(9))],
        [NAMES, *ROWS, *([f"note {i}:"] for i in range(6))],
        [*([f"title {i}"] for i in range(21)), NAMES, *ROWS],
    ):
        with pytest.raises(UnreadableData, match="of different lengths"):
            read_table(written(tmp_path, rows))
    path = tmp_path / "t.csv"
    path.write_text("MRN,File\n1,a.png\n2,b.png\n3\n4,c.png\n")
    with pytest.raises(UnreadableData, match="quote the cells"):
        read_table(path)


def test_what_has_no_titles_stays_as_it_was(tmp_path: Path) -> None:
    for rows in (
        [["", "a", "b", "c"], *ROWS],
        [["a", "b", "", ""], *([f"x{i}", "y", "z", "w"] for i in range(5))],
        [NAMES, *([row[0], "", "", ""] for row in ROWS)],
    ):
        table = read_table(written(tmp_path, rows))
        assert (len(table.frame), table.notes) == (len(rows) - 1, ())
    table = read_table(written(tmp_path, [row[2:] for row in ROWS]))
    assert table.headless and len(table.frame) == 9


def test_a_workbook_is_read_by_the_same_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty: list[str | None] = [None] * 4
    cells = [(*row, *empty)[:4] for row in (*TITLES, NAMES, *ROWS, *FOOT)]
    sheet = SimpleNamespace(iter_rows=lambda **_: iter(cells))
    book = SimpleNamespace(worksheets=[sheet], close=lambda: None)
    stub = SimpleNamespace(load_workbook=lambda *_, **__: book)
    monkeypatch.setitem(sys.modules, "openpyxl", stub)
    path = tmp_path / "t.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "")
    check(path, ROWS, "3 lines above the header of t.xlsx and 1 line below its rows")


CELL = st.text('ab ,;\n"\t0', max_size=6).map(str.strip)


@settings(max_examples=50)
@example(  # cells that hold another delimiter, as often as there are columns
    [("", "")] * 3 + [("", ",b,"), ("", ",b"), ("", ","), (",", ",")], 1, 0, "\t", False
)
@given(
    st.lists(st.tuples(CELL, CELL), min_size=7, max_size=12),
    st.integers(0, 20), st.integers(0, 5), st.sampled_from(",;\t"), st.booleans(),
)  # fmt: skip
def test_no_row_is_ever_lost(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]], above: int, below: int, delimiter: str, empty: bool,
) -> None:  # fmt: skip
    body = [[f"{i}", a, "normal", b] for i, (a, b) in enumerate(rows)] + [["99", "", "normal", ""]]
    gap: list[list[str]] = [[]] if empty else []
    lines = [*([f"Title {i}"] for i in range(above)), *gap, NAMES, *body, *gap]
    lines += [[f"Total {i}:"] for i in range(below)]
    table = read_table(written(tmp_path_factory.getbasetemp(), lines, delimiter))
    assert table.frame.to_numpy().tolist() == body
    assert len(table.notes) == (above + below > 0)
