"""Tables as text within bounds; every broken one has its own message."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.errors import DataNotFound, PneumoscopeError, UnreadableData
from pneumoscope.sources.tables import bounds as tablefile
from pneumoscope.sources.tables.read import read_table

PLAIN = b"path,label\na.png,0\nb.png,1\n"
EXPECTED = {"path": ["a.png", "b.png"], "label": ["0", "1"]}


def table(folder: Path, content: bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def cells(path: Path) -> dict[str, list[str]]:
    return {str(k): list(v) for k, v in read_table(path).frame.to_dict("list").items()}


def refusal(path: Path) -> UnreadableData:
    with pytest.raises(UnreadableData) as caught:
        read_table(path)
    return caught.value


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace(b",", b";"),
        PLAIN.replace(b",", b"\t"),
        PLAIN.replace(b"\n", b"\r\n"),
        PLAIN.replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + PLAIN,
        b"\xef\xbb\xbf" + PLAIN.replace(b",", b";").replace(b"\n", b"\r\n"),
        PLAIN[:-1],
        b"\n\n" + PLAIN.replace(b"\n", b"\n\n"),
        b' path , "label"\n" a.png ",0\n"b.png", 1 \n'.replace(b', "label"', b',"label" '),
    ],
    ids=[
        "comma",
        "semicolon",
        "tab",
        "crlf",
        "cr",
        "bom",
        "excel",
        "no-last-line-end",
        "blank-lines",
        "quotes",
    ],
)
def test_the_same_table_in_every_spelling(tmp_path: Path, content: bytes) -> None:
    assert cells(table(tmp_path, content)) == EXPECTED


def test_decimal_commas_do_not_hide_the_semicolon(tmp_path: Path) -> None:
    path = table(tmp_path, b"id;x\na;1,5\nb;2,5\n")
    assert cells(path) == {"id": ["a", "b"], "x": ["1,5", "2,5"]}


def test_quoted_cells_may_hold_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    path = table(tmp_path, b'path,label\n"a,b.png","x ""y"""\n"two\nlines",1\n')
    assert cells(path) == {"path": ["a,b.png", "two\nlines"], "label": ['x "y"', "1"]}


def test_ids_stay_text(tmp_path: Path) -> None:
    ids = ["007", "1e5", "0x10", "12345678901234567890", "1.0", "True", "2020-01-01", "NA", "id 7"]
    path = table(tmp_path, b"id\n" + "\n".join(ids).encode())
    assert cells(path) == {"id": ids}


def test_a_nameless_index_column_gets_a_name(tmp_path: Path) -> None:
    assert list(cells(table(tmp_path, b",path,\n0,a,x\n"))) == ["column 1", "path", "column 3"]


def test_letters_of_other_alphabets_come_through(tmp_path: Path) -> None:
    path = table(tmp_path, "Pfad,Größe\n肺/ä.png,1\n".encode())
    assert cells(path) == {"Pfad": ["肺/ä.png"], "Größe": ["1"]}


def test_the_digest_follows_the_bytes(tmp_path: Path) -> None:
    first = read_table(table(tmp_path, PLAIN)).digest
    assert read_table(table(tmp_path, PLAIN, "u.csv")).digest == first
    assert read_table(table(tmp_path, PLAIN.replace(b"b.png,1", b"b.png,0"))).digest != first


@pytest.mark.parametrize(
    ("content", "what", "more"),
    [
        (b"", "the table is empty", ""),
        (b"\n\r\n\n", "the table is empty", ""),
        (b"\xef\xbb\xbf", "the table is empty", ""),
        (b",,\n1,2,3\n", "the table is empty", ""),
        (b"path,label\n", "the table has a header but no rows", ""),
        (b"path,label", "the table has a header but no rows", ""),
        (b"path,label\na\n", "the rows of the table are of different lengths", "1 cells in line 2"),
        (
            b"path,label\na,0\nb,1,secret\n",
            "the rows of the table are of different lengths",
            "3 cells in line 3",
        ),
        (b'path,label\na,0\n"b,1\n', "the rows of the table are of different lengths", "line 3"),
        (b"path,label\na\0b,1\n", "the table is binary, not text", ""),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "the table is binary, not text", ""),
        (PLAIN.decode().encode("utf-16-le"), "the table is binary, not text", ""),
        (b"path,label\n\x81\x8d,1\n", "the table is no text in UTF-8", "row 2"),
        (b"PK\x03\x04" + b"x" * 99, "the table is no text in UTF-8", "workbook"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 99, "the table is no text in UTF-8", "workbook"),
        (b"\x1f\x8b\x08" + b"x" * 99, "the packed table cannot be read", ""),
        (b"a,b,a\n1,2,3\n", "a column name stands twice in the table", "'a'"),
        (b"a,b, a\n1,2,3\n", "a column name stands twice in the table", "'a'"),
        (b"n" * 300 + b",b\n1,2\n", "a column name is too long", ""),
        (b"path,note\na," + b"x" * 40_000 + b"\n", "a cell of the column 'note' is too long", ""),
        (b"path\n" + b"x" * (2 << 20) + b"\n", "the table is too wide", "a longer row"),
        (b'path\n"' + b"x\n" * (1 << 20), "the table is too wide", "a longer row"),
        (b"h" * 200_000 + b",b\n", "the table is too wide", ""),
        (b",".join(b"c%d" % i for i in range(1001)) + b"\n", "the table is too wide", "1001"),
        (b"PAR1", "the table cannot be read", ""),
        (b"PAR1" + b"\0" * 100 + b"PAR1", "the table cannot be read", ""),
    ],
)
def test_a_bad_table_is_refused_with_its_reason(
    tmp_path: Path, content: bytes, what: str, more: str
) -> None:
    error = refusal(table(tmp_path, content))
    assert error.what == what
    assert more in str(error)
    assert "secret" not in str(error)


def test_what_is_no_file_is_not_found(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(DataNotFound):
            read_table(path)


@pytest.mark.parametrize(
    ("bound", "most", "what"),
    [
        ("MOST_BYTES", 10, "the table is too large"),
        ("MOST_ROWS", 1, "the table is too long"),
        ("MOST_CELLS", 3, "the table is too large"),
        ("MOST_COLUMNS", 1, "the table is too wide"),
    ],
)
def test_bounds_hold_for_csv_and_parquet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, most: int, what: str
) -> None:
    parquet = tmp_path / "t.parquet"
    pd.DataFrame(EXPECTED).to_parquet(parquet)
    monkeypatch.setattr(tablefile, bound, most)
    assert refusal(table(tmp_path, PLAIN)).what == what
    assert refusal(parquet).what == what


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tablefile, "MOST_BYTES", 2 << 20)
    path = table(tmp_path, b"\0")
    with path.open("r+b") as file:
        file.truncate(3 << 20)
    assert "3 MiB" in str(refusal(path))


def test_parquet_that_claims_to_unpack_to_too_much_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.parquet"
    zeros = pa.table({"path": ["0" * 30_000] * 200})
    pq.write_table(zeros, path, use_dictionary=False, compression="zstd")
    monkeypatch.setattr(tablefile, "MOST_BYTES", 2 << 20)
    assert path.stat().st_size < 100_000
    assert "5 MiB unpacked" in str(refusal(path))


def parquet(folder: Path, **columns: object) -> Path:
    path = folder / "t.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_becomes_text_and_nulls_become_empty(tmp_path: Path) -> None:
    path = parquet(
        tmp_path,
        path=pa.array(["007 ", None, "c"]),
        kind=pa.array(["x", "y", "x"]).dictionary_encode(),
        label=pa.array([1, 0, None], pa.int8()),
        score=pa.array([0.5, float("nan"), None]),
        flag=pa.array([True, False, None]),
        nothing=pa.nulls(3),
    )
    assert cells(path) == {
        "path": ["007", "", "c"],
        "kind": ["x", "y", "x"],
        "label": ["1", "0", ""],
        "score": ["0.5", "nan", ""],
        "flag": ["true", "false", ""],
        "nothing": ["", "", ""],
    }


def test_parquet_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    path = parquet(tmp_path, path=["a"], label=[1]).rename(tmp_path / "t.csv")
    assert cells(path) == {"path": ["a"], "label": ["1"]}


def test_nested_binary_and_time_columns_are_never_read(tmp_path: Path) -> None:
    path = parquet(
        tmp_path,
        path=["a"],
        image=[{"bytes": b"\x80\x04K\x01.", "path": "a"}],
        raw=[b"\x80\x04K\x01."],
        many=[["a", "b"]],
        born=pa.array([0], pa.timestamp("s")),
    )
    found = read_table(path)
    assert list(found.frame.columns) == ["path"]
    assert found.unread == ("image", "raw", "many", "born")


def test_a_table_of_bytes_only_is_refused(tmp_path: Path) -> None:
    error = refusal(parquet(tmp_path, raw=[b"x"]))
    assert error.what == "the table has no column of text or numbers"


def test_parquet_without_rows_or_with_a_name_twice_is_refused(tmp_path: Path) -> None:
    empty = parquet(tmp_path, path=pa.array([], pa.string()))
    assert refusal(empty).what == "the table has a header but no rows"
    twice = pa.table([pa.array(["a"]), pa.array(["b"])], names=["path", "path"])
    pq.write_table(twice, empty)
    assert refusal(empty).what == "a column name stands twice in the table"


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_parquet_cut_short_is_refused(tmp_path: Path, part: float) -> None:
    path = parquet(tmp_path, path=[f"{i}.png" for i in range(500)], label=[0, 1] * 250)
    content = path.read_bytes()
    assert refusal(table(tmp_path, content[: int(len(content) * part)])).what == (
        "the table cannot be read"
    )


def test_one_long_value_shared_by_many_rows_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 200,000 rows of 30,000 bytes are 6 GB of text in a file of some kilobytes.
    long = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(200_000, np.int32)), pa.array(["x" * 30_000])
    )
    path = parquet(tmp_path, path=long)
    assert path.stat().st_size < 200_000
    monkeypatch.setattr(tablefile, "MOST_BYTES", 16 << 20)
    before = pa.default_memory_pool().max_memory()
    assert refusal(path).what == "the table is too large"
    assert pa.default_memory_pool().max_memory() <= max(before, 128 << 20)


def test_a_cell_of_parquet_may_not_be_too_long(tmp_path: Path) -> None:
    error = refusal(parquet(tmp_path, path=["x" * 40_000]))
    assert error.what == "a cell of the column 'path' is too long"


def test_no_byte_of_a_damaged_footer_ends_the_process(tmp_path: Path) -> None:
    # pyarrow's view of a column's metadata calls abort() on some of these.
    path = parquet(tmp_path, path=[f"{i}.png" for i in range(50)], label=[0, 1] * 25)
    content = path.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    for place in range(len(content) - footer, len(content)):
        try:
            read_table(table(tmp_path, content[:place] + b"\0" + content[place + 1 :]))
        except PneumoscopeError as error:
            assert isinstance(error, UnreadableData)


@given(where=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_damaged_parquet_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, where: int, value: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = parquet(folder, path=[f"{i}.png" for i in range(50)], label=[0, 1] * 25)
    content = bytearray(path.read_bytes())
    content[where % len(content)] = value
    try:
        read_table(table(folder, bytes(content)))
    except PneumoscopeError as error:
        assert isinstance(error, UnreadableData)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = table(tmp_path_factory.mktemp("any"), content)
    try:
        read_table(path)
    except PneumoscopeError as error:
        assert isinstance(error, UnreadableData)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_other_programs_write_is_read_and_said(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    rows = [("Bild", "Größe"), ("übung.png", "1"), ("b.png", "2")]
    text = "\n".join(delimiter.join(row) for row in rows)
    found = read_table(table(tmp_path, text.encode(encoding)))
    assert found.frame.to_dict("list") == {"Bild": ["übung.png", "b.png"], "Größe": ["1", "2"]}
    assert bool(found.notes) == (not encoding.startswith("utf-8"))


def test_a_first_line_that_names_a_film_is_no_header(tmp_path: Path) -> None:
    found = read_table(table(tmp_path, b"films/a.png,NORMAL\nfilms/b.png,PNEUMONIA\n"))
    assert found.headless and found.frame["column 1"].tolist() == ["films/a.png", "films/b.png"]
    assert not read_table(table(tmp_path, b"v1.0,label\na.png,1\n")).headless


def test_cells_apart_by_blanks_may_be_names_with_blanks(tmp_path: Path) -> None:
    text = b"7 a.png positive x\n12 case 4 (c).jpg negative y\n9 b c.png negative x\n"
    frame = read_table(table(tmp_path, text)).frame
    assert frame["column 2"].tolist() == ["a.png", "case 4 (c).jpg", "b c.png"]
    assert frame["column 3"].tolist() == ["positive", "negative", "negative"]
    with pytest.raises(UnreadableData):
        read_table(table(tmp_path, b"some words\nthat are no table at all\n,,,"))


def test_json_lines_are_a_table_and_lists_stay_lists(tmp_path: Path) -> None:
    file = tmp_path / "metadata.jsonl"
    file.write_text('{"file_name": "a.png", "l": ["x", "y"], "n": 1}\n\n{"file_name": "b.png"}\n')
    found = read_table(file)
    assert found.frame.to_dict("list") == {
        **{"file_name": ["a.png", "b.png"], "l": ['["x", "y"]', ""], "n": ["1", ""]}
    }
    for bad in ("[1, 2]", "{", '{"a": 1}\n3', "", "[" * 100_000):
        file.write_text(bad)
        with pytest.raises(UnreadableData):
            read_table(file)
    array = tmp_path / "t.json"
    array.write_text('[{"file_name": "a.png", "at": {"x": 1}}]')
    assert read_table(array).unread == ("at",)


def test_a_workbook_needs_openpyxl_or_is_read(tmp_path: Path) -> None:
    file = tmp_path / "t.xlsx"
    file.write_bytes(b"PK\x03\x04" + b"x" * 99)
    with pytest.raises(UnreadableData):
        read_table(file)
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    book = openpyxl.Workbook()
    for row in (("image", "label"), ("a.png", 1), (None, None), ("b.png", "x")):
        book.active.append(row)
    book.save(file)
    assert read_table(file).frame.to_dict("list") == {
        **{"image": ["a.png", "b.png"], "label": ["1", "x"]}
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.jsonl", b'{"path": "a.png", "label": 0}\n\n{"path": "b.png", "label": 1}\n'),
        ("t.ndjson", b'\xef\xbb\xbf{"path": "a.png", "label": 0}\r\n{"path":"b.png","label":"1"}'),
        ("t.json", b'[{"path": "a.png", "label": 0}, {"path": " b.png ", "label": 1}]'),
    ],
)
def test_objects_of_json_are_rows(name: str, content: bytes, tmp_path: Path) -> None:
    assert cells(table(tmp_path, content, name)) == EXPECTED


def test_json_kept_by_name_is_a_table_of_names(tmp_path: Path) -> None:
    plain = table(tmp_path, b'{"a.png": "normal", "b.png": "pneumonia"}', "t.json")
    assert cells(plain) == {"name": ["a.png", "b.png"], "label": ["normal", "pneumonia"]}
    more = table(tmp_path, b'{"a.png": {"label": 0, "age": null}, "b.png": {"label": 1}}', "u.json")
    assert cells(more) == {"name": ["a.png", "b.png"], "label": ["0", "1"], "age": ["", ""]}


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"[1]", b'{"images": [], "annotations": []}', b"[" * 99_999]
)
def test_json_of_another_form_is_no_table(content: bytes, tmp_path: Path) -> None:
    assert "JSON" in refusal(table(tmp_path, content, "t.json")).what


@given(content=st.binary(max_size=60), name=st.sampled_from(["t.json", "t.jsonl"]))
def test_any_json_is_a_table_or_a_refusal(
    content: bytes, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = table(tmp_path_factory.mktemp("json"), content, name)
    try:
        read_table(path)
    except PneumoscopeError as error:
        assert error.what
