"""Every kind of bad or odd input in one table, each with what exactly becomes of it.

Each is made here, laid beside good films, and goes through the real door: ``open_source`` and
``prepare``. A film is dropped for exactly this reason, or read with exactly these pixels; a set is
refused as a whole with exactly this error; what is no film is passed over and counted.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import struct
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.helpers.bad_films import (
    EARLY,
    FOREIGN,
    LARGE,
    LONG,
    RAMP,
    SEVERAL,
    SIDE,
    Cases,
    Seen,
    bad_dicom,
    bombs,
    cut_or_lying,
    flat,
    foreign,
    modes,
    names,
    odd_dicom,
    turned,
)
from tests.helpers.dicom import dicom
from tests.helpers.images import SIZED, encode

from pneumoscope.data.prepare import prepare
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.errors import BadLabels, InputError, PneumoscopeError, UnreadableData
from pneumoscope.listener import Silent
from pneumoscope.records import DataRequest, InputSpec, Source
from pneumoscope.sources.detect import open_source

HIDDEN, KIND = "hidden files", "files of another kind"
LINKS = "links out of the folder, broken, or to folders"


# ---- the folder of classes ------------------------------------------------------------------


def all_films() -> Cases:
    """Every file of the folder, by its path below it."""
    groups = {
        "foreign": foreign, "cut": cut_or_lying, "bombs": bombs, "modes": modes, "turned": turned,
        "names": names, "dicom": odd_dicom, "bad dicom": bad_dicom,
    }  # fmt: skip
    cases: dict[str, tuple[bytes, str | Seen]] = {}
    for label, (folder, make) in enumerate(groups.items()):
        place = f"{('NORMAL', 'PNEUMONIA')[label % 2]}/{folder}"
        suffix = ".dcm" if "dicom" in folder else ""
        for name, case in make().items():
            cases[f"{place}/{name}{suffix}"] = case
    return cases


def good(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (SIDE, SIDE), np.uint8)


def lay_good(folder: Path, count: int = 12) -> dict[str, np.ndarray]:
    """Good films of both classes, and the pixels that they have."""
    films = {}
    for number in range(count):
        name = f"{('NORMAL', 'PNEUMONIA')[number % 2]}/good {number}.png"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encode(good(number)))
        films[name] = good(number)
    return films


def lay_beside(folder: Path, secret: Path) -> tuple[dict[str, int], int]:
    """What is no film of this folder: how many are passed over by reason, and in all."""
    there = folder / "NORMAL"
    for name in (".hidden.png", "._good 0.png", "__MACOSX/good 0.png", "@eaDir/good 0.png"):
        (there / name).parent.mkdir(exist_ok=True)
        (there / name).write_bytes(encode(RAMP))
    for name in ("Thumbs.db", "notes.txt", "film.gif", "labels.csv", "README", "film.png.part"):
        (there / name).write_bytes(b"x")
    os.mkfifo(there / "pipe.png")
    listening = socket.socket(socket.AF_UNIX)
    place = Path.cwd()
    os.chdir(there)  # the path of a socket may be 108 bytes long
    listening.bind("socket.png")
    os.chdir(place)
    listening.close()
    for name, target in (
        ("out.png", secret), ("up.png", Path("../../secret.png")),
        ("device.png", Path("/dev/zero")), ("broken.png", there / "none.png"),
        ("itself.png", there / "itself.png"), ("folder.png", there),
    ):  # fmt: skip
        (there / name).symlink_to(target)
    counts = {HIDDEN: 4, KIND: 8, LINKS: 6}
    return counts, sum(counts.values())


def opened(path: Path, **said: object) -> Source:
    request = DataRequest(str(path), **said)  # type: ignore[arg-type]
    return open_source(request, path.parent / "downloads", Silent())


def prepared(source: Source, folder: Path) -> PreparedSet:
    return prepare(source, InputSpec(SIDE, SIDE), folder, keep_ids=True, most_bad=1.0)


def dropped(got: PreparedSet) -> dict[str, str]:
    """The reason for each film that was dropped, by its id."""
    rows = pd.read_csv(got.folder / "dropped.csv", keep_default_na=False, dtype=str)
    assert list(rows.columns) == ["image_id", "reason", "class"]
    assert set(rows["class"]) <= {"normal", "pneumonia", "unknown"}
    told = dict(zip(rows["image_id"], rows["reason"], strict=True))
    assert len(told) == len(rows)
    return told


def image_id(path: str) -> str:
    """As it stands in tables: bytes that are no text are written out, and told by a digest."""
    if "\udcff" not in path:
        return path
    raw = os.fsencode(path)
    digest = hashlib.blake2b(raw, digest_size=4).hexdigest()
    return f"{raw.decode('utf-8', 'backslashreplace')} [{digest}]"


def peak() -> int:
    """The most memory since the last call, in MiB; 0 where the system does not tell."""
    try:
        most = Path("/proc/self/status").read_text().partition("VmHWM:")[2]
        Path("/proc/self/clear_refs").write_text("5")
        return int(most.split()[0]) >> 10
    except OSError:
        return 0


@pytest.fixture(scope="module")
def films() -> Cases:
    return all_films()


def test_every_bad_film_has_its_reason_and_every_odd_one_its_pixels(
    films: Cases, tmp_path: Path
) -> None:
    root = tmp_path / "films"
    expected = lay_good(root)
    for name, (data, _) in films.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(data)
    (tmp_path / "secret.png").write_bytes(encode(RAMP))
    passed, beside = lay_beside(root, tmp_path / "secret.png")
    (root / "NORMAL" / "link inside.png").symlink_to(root / "NORMAL" / "good 0.png")
    expected["NORMAL/link inside.png"] = expected["NORMAL/good 0.png"]
    sparse = {"NORMAL/300 megabytes.jpg": (encode(RAMP, "JPEG"), 300 << 20)}
    sparse["NORMAL/2 gigabytes.png"] = (encode(RAMP), 2 << 30)
    for name, (data, size) in sparse.items():
        (root / name).write_bytes(data)
        os.truncate(root / name, size)

    peak()
    before, start = peak(), time.process_time()
    source = opened(root)
    got = prepared(source, tmp_path / "set")
    spent, taken = peak() - before, time.process_time() - start

    lost = source.lost["links that lead out of the folder"]  # counted there, and only there
    assert lost == {"normal": 2} and source.form == "folder"
    assert Counter(source.passed_over) + Counter({LINKS: 2}) == passed
    assert source.count == len(films) + len(expected) + len(sparse)
    reasons = {name: said for name, (_, said) in films.items() if isinstance(said, str)}
    assert dropped(got) == reasons | dict.fromkeys(sparse, LONG)
    told = Counter({**reasons, **dict.fromkeys(sparse, LONG)}.values())
    assert {d["reason"]: d["count"] for d in got.about["flow"]["dropped"]} == told

    rows = {name: place for place, name in enumerate(got.table["image_id"])}
    odd = {name: said for name, (_, said) in films.items() if isinstance(said, Seen)}
    assert len(rows) == len(odd) + len(expected) == len(got.images)
    for name, pixels in expected.items():
        assert np.array_equal(got.images[rows[name]], pixels), name
    for name, seen in odd.items():
        check_seen(got, rows, name, seen)
    assert len(films) + len(sparse) + beside >= 180, "distinct inputs"
    # One deflated bomb is unpacked to 256 MiB before it is refused, one film has 64 MiB.
    assert spent < 600, f"{spent} MiB"
    assert taken < 30, f"{taken:.1f} s"


def check_seen(got: PreparedSet, rows: Mapping[str, int], name: str, seen: Seen) -> None:
    place = rows[image_id(name)]
    row = got.table.iloc[place]
    assert (row["height"], row["width"]) == seen.size, name
    assert row["fact_mode"] == seen.mode, (name, row["fact_mode"])
    assert row["label"] == int(name.startswith("PNEUMONIA"))
    apart = np.abs(got.images[place].astype(int) - seen.pixels).max()
    assert apart <= seen.off, (name, apart, got.images[place].tolist())


def test_no_id_of_a_dicom_film_is_kept_unless_asked_for(tmp_path: Path) -> None:
    root = tmp_path / "films"
    lay_good(root)
    (root / "NORMAL" / "Doe^Jane.dcm").write_bytes(dicom(RAMP, PatientID="Doe-1950"))
    (root / "NORMAL" / "Doe^John").write_bytes(dicom(RAMP, PatientID="Doe-1950")[:-9])
    (root / "PNEUMONIA" / "renamed.jpg").write_bytes(dicom(RAMP, PatientID="Doe-1950"))
    got = prepare(opened(root), InputSpec(SIDE, SIDE), tmp_path / "set", most_bad=1.0)
    assert list(dropped(got).values()) == [EARLY]
    assert got.table["patient_id"].nunique() == 1 and got.table["patient_id"].count() == 2
    for file in got.folder.iterdir():
        assert b"Doe" not in file.read_bytes(), file.name


# ---- tables beside films --------------------------------------------------------------------


def outcome(got: PreparedSet) -> dict[str, str]:
    """The reason, or the label, of every film but those that are called good."""
    labels = dict(zip(got.table["image_id"], got.table["label"].map(str), strict=True))
    both = labels | dropped(got)
    return {name: said for name, said in both.items() if "good" not in name}


def lay_films(folder: Path, names: str, films: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names.split():
        (folder / name).write_bytes(encode(RAMP))
    for name, data in films.items():
        (folder / name).write_bytes(data)


OUT = "the path in the table leads out of its folder"
TWO = "contradictory labels"
NO_LABEL = "no label"

ROWS = {
    # id in the table: (rows behind its path, what becomes of it)
    "repeated.png": (["1,a,train"] * 3, "1"),
    "word.png": (["Pneumonia,a,train"], "1"),
    "number.png": (["1.0,a,TRAINING"], "1"),
    "two labels.png": (["0,a,train", "1,a,train"], TWO),
    "two words.png": (["normal,a,train", "1,a,train"], TWO),
    "one label, once missing.png": (["0,a,train", ",a,train"], "0"),
    "two patients.png": (["0,a,train", "0,b,train"], "contradictory patient ids"),
    "two splits.png": (["0,a,train", "0,a,test"], "contradictory splits"),
    "no label.png": ([",a,train"], NO_LABEL),
    "label NaN.png": (["NaN,a,train"], NO_LABEL),
    "no patient.png": (["1,,train"], "1"),
    "no split.png": (["1,a,"], "1"),
    "none.png": (["1,a,train"], "there is no such file"),
    "NONE.PNG/": (["1,a,train"], "there is no such file"),
    "../secret.png": (["1,a,train"], OUT),
    "films/../../secret.png": (["1,a,train"], OUT),
    "..\\secret.png": (["1,a,train"], OUT),
    "/etc/hostname": (["1,a,train"], OUT),
    "link.png": (["1,a,train"], OUT),
    "loop.png": (["1,a,train"], "the path in the table cannot be followed"),
    "films": (["1,a,train"], "there is no such file"),
    "n" * 5000 + ".png": (["1,a,train"], "there is no such file"),
    "empty.png": (["1,a,train"], "the file is empty"),
    "text.png": (["1,a,train"], FOREIGN),
    "pipe.png": (["1,a,train"], "there is no such file"),
}


def test_every_row_of_a_table_has_its_outcome(tmp_path: Path) -> None:
    root = tmp_path / "set"
    (root / "films").mkdir(parents=True)
    there = [name for name, (_, said) in ROWS.items() if said != "there is no such file"]
    lay_films(root, "good1.png good2.png", {})
    for name in there:
        if "/" not in name and "\\" not in name and name not in ("link.png", "loop.png"):
            (root / name).write_bytes(encode(RAMP))
    lay_films(root, "", {"empty.png": b"", "text.png": b"no film"})
    lay_films(tmp_path, "secret.png", {})
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "loop.png").symlink_to("loop.png")
    os.mkfifo(root / "pipe.png")
    lines = [f'"{name}",{row}' for name, (rows, _) in ROWS.items() for row in rows]
    lines += ["good1.png,0,g1,train", "good2.png,1,g2,test", ",1,a,train", "nan,1,a,train"]
    (root / "t.csv").write_text("path,label,patient,split\n" + "\n".join(lines) + "\n", "utf-8")
    with pytest.raises(BadLabels) as asked:
        opened(root / "t.csv")
    # Each number once, however it is written: twice would be refused.
    assert asked.value.answer == ("--classes", "0=normal", "--classes", "1=pneumonia")
    said = {"0": "normal", "1": "pneumonia"}
    got = prepared(opened(root / "t.csv", classes=said), tmp_path / "out")
    places = [n for n, line in enumerate(dict.fromkeys(lines)) if line.startswith((",1", "nan"))]
    blank = {f"row {n} without a path": "the table gives no path" for n in places}
    expected = {name.replace("\\", "/"): said for name, (_, said) in ROWS.items()}
    assert outcome(got) == expected | blank
    assert sorted(n for n in got.table["image_id"] if "good" in n) == ["good1.png", "good2.png"]


RSNA = {
    # patientId: (rows of x, y, width, height, Target, what becomes of it)
    "two-boxes": (["1,1,4,4,1", "9,9,4,4,1", "9,9,4,4,1"], "1"),
    "to-the-edge": (["0,0,16,16,1"], "1"),
    "two-targets": (["1,1,4,4,1", ",,,,0"], TWO),
    "no-target": ([",,,,"], NO_LABEL),
    "no-box": ([",,,,1"], "label 1 without a box"),
    "boxed-normal": (["1,1,4,4,0"], "label 0 with a box"),
    # A box that is none costs no film.
    "half-a-box": (["1,1,,4,1"], "1"),
    "negative": (["-1,1,4,4,1"], "1"),
    "flat": (["1,1,0,4,1"], "1"),
    "endless": (["1,1,inf,4,1"], "1"),
    "outside": (["9,9,9,9,1"], "1"),
    "cut": (["1,1,4,4,1"], EARLY),
    "frames": ([",,,,0"], SEVERAL),
    "empty": ([",,,,0"], "the file is empty"),
}


def test_every_film_of_an_rsna_folder_has_its_outcome(tmp_path: Path) -> None:
    root, films = tmp_path / "rsna", tmp_path / "rsna" / "stage_2_train_images"
    names = ("good-1", "good-2", "no-row", *RSNA)
    whole = {f"{name}.dcm": dicom(RAMP, PatientID=name) for name in names}
    bad = {"cut.dcm": whole["cut.dcm"][:-99], "empty.dcm": b""}
    bad["frames.dcm"] = dicom(RAMP, NumberOfFrames=2)
    lay_films(films, "", whole | bad)
    lines = ["good-1,,,,,0", "good-2,1,1,5,5,1", "row-without-film,,,,,0"]
    lines += [f"{name},{row}" for name, (rows, _) in RSNA.items() for row in rows]
    text = "patientId,x,y,width,height,Target\n" + "\n".join(lines) + "\n"
    (root / "stage_2_train_labels.csv").write_text(text)
    source = opened(root)
    got = prepared(source, tmp_path / "out")
    expected = {name: said for name, (_, said) in RSNA.items()}
    assert outcome(got) == expected | {"no-row": "no row in the label table"}
    assert "1 ids of the label table have no film in the folder." in source.notes
    boxes = dict(zip(got.table["image_id"], got.table["boxes"], strict=True))
    assert len(boxes["two-boxes"]) == 2
    assert "4 boxes of the table are no rectangles and were dropped." in source.notes
    assert got.about["flow"]["boxes_lost"] == 1
    none = ("half-a-box", "negative", "flat", "endless", "outside")
    assert all(boxes[name] is None or not len(boxes[name]) for name in none)


NO_IMAGE = "the row holds no image"


def test_every_row_of_a_parquet_file_has_its_outcome(tmp_path: Path) -> None:
    root = tmp_path / "set"
    lay_films(tmp_path, "secret.png", {})
    lay_films(root, "beside.png", {})
    png, names = encode(RAMP), ["NORMAL", "PNEUMONIA"]
    cells: list[tuple[object, int | None, str]] = [
        ({"bytes": png, "path": None}, 0, "0"),
        ({"bytes": png, "path": "../secret.png"}, 1, "1"),
        ({"bytes": None, "path": "beside.png"}, 1, "1"),
        ({"bytes": encode(flat(9), "JPEG"), "path": "film.png"}, 0, "0"),
        (None, 1, NO_IMAGE),
        ({"bytes": None, "path": None}, 1, NO_IMAGE),
        ({"bytes": b"", "path": "beside.png"}, 1, NO_IMAGE),
        ({"bytes": png[:-20], "path": None}, 1, EARLY),
        ({"bytes": b"no film", "path": None}, 1, FOREIGN),
        ({"bytes": None, "path": "../secret.png"}, 1, OUT),
        ({"bytes": None, "path": "none.png"}, 1, "there is no such file"),
        ({"bytes": SIZED["PNG"](16_384, 16_384), "path": None}, 0, LARGE),
        ({"bytes": dicom(RAMP, NumberOfFrames=2), "path": None}, 0, SEVERAL),
        ({"bytes": png, "path": None}, -1, NO_LABEL),
        ({"bytes": png, "path": None}, None, NO_LABEL),
    ]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {
        "image": pa.array([cell for cell, _, _ in cells], kind),
        "label": pa.array([label for _, label, _ in cells], pa.int64()),
    }
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}}
    told = json.dumps({"info": {"features": features}})
    table = pa.table(columns).replace_schema_metadata({"huggingface": told})
    pq.write_table(table, root / "data.parquet", row_group_size=4)
    got = prepared(opened(root / "data.parquet"), tmp_path / "out")
    assert outcome(got) == {f"all-{n:06d}": said for n, (_, _, said) in enumerate(cells)}


# ---- sets that are refused as a whole ---------------------------------------------------------


def npz(**changed: object) -> bytes:
    arrays: dict[str, object] = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = np.zeros((4, 8, 8), np.uint8)
        arrays[f"{split}_labels"] = np.arange(4) % 2
    out = io.BytesIO()
    kept = {key: value for key, value in (arrays | changed).items() if value is not None}
    np.savez_compressed(out, **kept)
    return out.getvalue()


def npy(shape: str, data: int) -> bytes:
    """A zip whose first array says ``shape`` and holds ``data`` zeros."""
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    packed, out = zipfile.ZipFile(io.BytesIO(npz())), io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in packed.namelist():
            member = packed.read(name)
            if name == "train_images.npy":
                member = b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode()
                member += bytes(data)
            archive.writestr(name, member)
    return out.getvalue()


def parquet(**columns: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def encrypted() -> bytes:
    data = bytearray(npz())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(mark)
        data[at + flags] |= 1
    return bytes(data)


ARRAY, WHOLE = "the array 'train_images' ", "the file is not a whole .npz archive"
UTF_8 = "the table is no text in UTF-8"
REFUSED: dict[str, tuple[Callable[[], bytes], type[PneumoscopeError], str]] = {
    "empty.npz": (lambda: b"", UnreadableData, WHOLE),
    "text.npz": (lambda: b"404: not found", UnreadableData, WHOLE),
    "cut.npz": (lambda: npz()[:-30], UnreadableData, WHOLE),
    "pickle.npz": (
        lambda: npz(train_images=np.array([print] * 4, object)),
        UnreadableData,
        ARRAY + "holds pickled objects, which are never loaded",
    ),
    "missing.npz": (
        lambda: npz(val_labels=None),
        UnreadableData,
        "the archive has no array 'val_labels'",
    ),
    "float.npz": (
        lambda: npz(train_images=np.zeros((4, 8, 8))),
        UnreadableData,
        ARRAY + "has the wrong type or shape",
    ),
    "two sizes.npz": (
        lambda: npz(val_images=np.zeros((4, 9, 9), np.uint8)),
        UnreadableData,
        "the splits hold images of different shapes",
    ),
    "labels of 3.npz": (
        lambda: npz(val_labels=np.arange(4)),
        BadLabels,
        "the array 'val_labels' holds labels that are neither 0 nor 1",
    ),
    "too few labels.npz": (
        lambda: npz(val_labels=np.arange(3) % 2),
        BadLabels,
        "the array 'val_labels' does not fit its images",
    ),
    "one class.npz": (
        lambda: npz(test_labels=np.ones(4, int)),
        BadLabels,
        "the test split holds one class only",
    ),
    "claims exabytes.npz": (
        lambda: npy(f"({1 << 39}, {1 << 20}, 8)", 64),
        UnreadableData,
        ARRAY + "is not as long as its header says",
    ),
    "zip bomb.npz": (
        lambda: npy("(4, 8, 8)", 64 << 20),
        UnreadableData,
        ARRAY + "is not as long as its header says",
    ),
    "code in the header.npz": (
        lambda: npy("(__import__('os').abort(),)", 64),
        UnreadableData,
        ARRAY + "has no readable .npy header",
    ),
    "encrypted.npz": (
        encrypted,
        UnreadableData,
        ARRAY + "is packed in a way that is not read",
    ),
    "empty.csv": (lambda: b"", UnreadableData, "the table is empty"),
    "header only.csv": (
        lambda: b"path,label\n",
        UnreadableData,
        "the table has a header but no rows",
    ),
    "ragged.csv": (
        lambda: b"path,label\na.png,0\nb.png,1,2\n",
        UnreadableData,
        "the rows of the table are of different lengths",
    ),
    "binary.csv": (
        lambda: b"path,label\na.png,\0\n",
        UnreadableData,
        "the table is binary, not text",
    ),
    "no encoding.csv": (lambda: b"path,label\n\x81.png,normal\n", UnreadableData, UTF_8),
    "workbook.csv": (lambda: b"PK\x03\x04" + bytes(99), UnreadableData, UTF_8),
    "twice.csv": (
        lambda: b"path,label,label\na.png,0,1\n",
        UnreadableData,
        "a column name stands twice in the table",
    ),
    "wide.csv": (
        lambda: ",".join(f"c{n}" for n in range(1001)).encode() + b"\n",
        UnreadableData,
        "the table is too wide",
    ),
    "long cell.csv": (
        lambda: b"path,label\n" + b"a" * 40_000 + b",0\n",
        UnreadableData,
        "a cell of the column 'path' is too long",
    ),
    "open quote.csv": (
        lambda: b'path,label\n"a.png,0\n' + b"b.png,1\n" * 200_000,
        UnreadableData,
        "the rows of the table are of different lengths",
    ),
    "no labels.csv": (
        lambda: b"path,age\na.png,50\n",
        BadLabels,
        "no column of the table holds labels",
    ),
    "labels that differ.csv": (
        lambda: b"path,label,target\na.png,0,1\nb.png,1,0\n",
        BadLabels,
        "2 things have to be said of this data",
    ),
    "unknown class.csv": (
        lambda: b"path,label\na.png,gallstones\n",
        BadLabels,
        "class names are neither normal nor pneumonia",
    ),
    "kin of pneumonia.csv": (
        lambda: b"path,label\na.png,covid\n",
        BadLabels,
        "class names are near to pneumonia or normal, but not certain",
    ),
    "numbers without a name.csv": (
        lambda: b"path,label\na.png,0\nb.png,1\n",
        BadLabels,
        "numbers of a label do not say what they stand for",
    ),
    "positive for what.csv": (
        lambda: b"path,label\na.png,positive\nb.png,negative\n",
        BadLabels,
        "words of a label do not say what for",
    ),
    "unknown split.csv": (
        lambda: b"path,label,split\na.png,normal,train\nb.png,pneumonia,holdout\n",
        BadLabels,
        "the column 'split' holds what is no split",
    ),
    "all unlabelled.csv": (
        lambda: b"path,label\na.png,\nb.png,\n",
        BadLabels,
        "no row of the table has a path and a label",
    ),
    "no films.csv": (
        lambda: b"age,label\n50,0\n60,1\n",
        InputError,
        "no column of the table names the films",
    ),
    "cut.parquet": (
        lambda: parquet(path=["a.png"], label=[1])[:-9],
        UnreadableData,
        "the table cannot be read",
    ),
    "only its mark.parquet": (lambda: b"PAR1", UnreadableData, "the table cannot be read"),
    "text.parquet": (
        lambda: b"version https://git-lfs.github.com/spec/v1\n",
        UnreadableData,
        "the table has a header but no rows",
    ),
    "no rows.parquet": (
        lambda: parquet(path=pa.array([], pa.string()), label=pa.array([], pa.int64())),
        UnreadableData,
        "the table has a header but no rows",
    ),
    "lists.parquet": (
        lambda: parquet(path=[["a.png"]], label=[[1]]),
        UnreadableData,
        "the table has no column of text or numbers",
    ),
    "films.zip": (lambda: npz(), UnreadableData, "archives are not read"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_set_that_cannot_be_read_is_refused_as_a_whole(name: str, tmp_path: Path) -> None:
    make, kind, what = REFUSED[name]
    (tmp_path / name).write_bytes(make())
    peak()
    before, start = peak(), time.process_time()
    with pytest.raises(PneumoscopeError) as caught:
        opened(tmp_path / name)
    assert (type(caught.value), caught.value.what) == (kind, what)
    assert peak() - before < 100 and time.process_time() - start < 5


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8-sig"])
def test_tables_in_the_encodings_of_windows_are_read(encoding: str, tmp_path: Path) -> None:
    lay_films(tmp_path, "ä.png é.png", {})
    text = "path,label\nä.png,normal\né.png,pneumonia\n"
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    got = prepared(opened(tmp_path / "t.csv"), tmp_path / "out")
    labels = dict(zip(got.table["image_id"], got.table["label"], strict=True))
    assert labels == {"ä.png": 0, "é.png": 1}


def class_folders(*names: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(encode(RAMP))

    return make


FOLDERS: dict[str, tuple[Callable[[Path], None], dict[str, object], type, str]] = {
    "nothing": (lambda root: root.mkdir(), {}, UnreadableData, "there is no film in this folder"),
    "an unknown class": (
        class_folders("NORMAL/a.png", "PNEUMONIA/b.png", "GALLSTONES/c.png"),
        {},
        BadLabels,
        "class names are neither normal nor pneumonia",
    ),
    "only hidden films": (
        class_folders("NORMAL/.a.png", "PNEUMONIA/._b.png"),
        {"form": "folder"},
        UnreadableData,
        "there is no film in this folder",
    ),
    "no class folder": (
        class_folders("one/a.png", "two/b.png"),
        {"form": "folder"},
        UnreadableData,
        "no film lies in a folder of normal or pneumonia films",
    ),
    "no RSNA table": (
        class_folders("stage_2_train_images/a.dcm"),
        {"form": "rsna"},
        UnreadableData,
        "the folder has no label table of the RSNA challenge",
    ),
    "an unknown form": (
        class_folders("NORMAL/a.png"), {"form": "nifti"}, InputError, "there is no such form"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_cannot_be_read_is_refused_as_a_whole(name: str, tmp_path: Path) -> None:
    make, said, kind, what = FOLDERS[name]
    make(tmp_path / "set")
    with pytest.raises(PneumoscopeError) as caught:
        opened(tmp_path / "set", **said)
    assert (type(caught.value), caught.value.what) == (kind, what)


def test_a_set_of_which_too_many_films_are_bad_is_refused_after_all_were_read(
    tmp_path: Path,
) -> None:
    root = tmp_path / "films"
    lay_good(root, 10)
    (root / "NORMAL" / "empty.png").touch()
    source = opened(root)
    with pytest.raises(UnreadableData) as caught:
        prepare(source, InputSpec(SIDE, SIDE), tmp_path / "set")
    assert caught.value.what == "1 of 11 films of films cannot be used"
    assert caught.value.got == "1 × the file is empty (1 normal)"


def test_there_are_many_kinds_of_bad_input(films: Cases) -> None:
    distinct = {data for data, _ in films.values()} | set(REFUSED) | {*FOLDERS}
    assert len(distinct) + len(ROWS) + len(RSNA) >= 240
    refused = [said for _, said in films.values() if isinstance(said, str)]
    assert len(refused) >= 85 and len(set(refused)) >= 25
