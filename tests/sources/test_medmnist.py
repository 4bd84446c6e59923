"""The MedMNIST source: every honest form of the file, and hostile ones that are refused."""

from __future__ import annotations

import io
import pickle
import shutil
import struct
import tracemalloc
import zipfile
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy
from PIL import Image

from pneumoscope.errors import (
    BadLabels,
    DataNotFound,
    DiskFull,
    PneumoscopeError,
    UnreadableData,
)
from pneumoscope.records import DataRequest, Source
from pneumoscope.sources.forms.arrays import arrays_source
from pneumoscope.sources.rows import npz

COUNTS = {"train": 6, "val": 4, "test": 5}
BITS = {"0": "normal", "1": "pneumonia"}
Arrays = dict[str, np.ndarray]
Usage = namedtuple("Usage", "total used free")


def medmnist_source(path: Path) -> Source:
    return arrays_source(DataRequest(str(path), classes=BITS))


def arrays(side: int = 8, rgb: bool = False, seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    made: Arrays = {}
    for split, count in COUNTS.items():
        shape = (count, side, side, 3) if rgb else (count, side, side)
        made[f"{split}_images"] = rng.integers(0, 256, shape, dtype=np.uint8)
        made[f"{split}_labels"] = (np.arange(count) % 2).astype(np.uint8)
    return made


def member(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    out = io.BytesIO()
    npy.write_array(out, array, version=version)
    return out.getvalue()


def header(text: str, version: tuple[int, int] = (1, 0)) -> bytes:
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text.encode("latin1")


def write(path: Path, members: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for key, data in members.items():
            archive.writestr(f"{key}.npy", data)
    return path


def save(path: Path, made: Arrays, packing: int = zipfile.ZIP_STORED) -> Path:
    return write(path, {key: member(value) for key, value in made.items()}, packing)


def read_all(path: Path) -> list[tuple[str, str | None, int | None, np.ndarray]]:
    return [(r.image_id, r.split, r.label, r.read(0).pixels) for r in medmnist_source(path).records]


def assert_same(path: Path, made: Arrays) -> None:
    expected = [
        (f"{split}-{row:06d}", split, int(made[f"{split}_labels"].reshape(-1)[row]))
        for split, count in COUNTS.items()
        for row in range(count)
    ]
    found = read_all(path)
    assert [row[:3] for row in found] == expected
    for image_id, split, _, image in found:
        original = made[f"{split}_images"][int(image_id[-6:])]
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, original)


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_pixels_labels_and_order_are_exact(
    tmp_path: Path, packing: int, version: tuple[int, int]
) -> None:
    made = arrays()
    members = {key: member(value, version) for key, value in made.items()}
    path = write(tmp_path / "set.npz", members, packing)
    assert_same(path, made)
    source = medmnist_source(path)
    assert (source.name, source.form, source.count, source.native_size) == (
        "set",
        "medmnist",
        15,
        8,
    )
    # The records may be walked through again, and two walks may be under way at once.
    pairs = zip(source.records, source.records, strict=True)
    assert all(np.array_equal(a.read(0).pixels, b.read(0).pixels) for a, b in pairs)


@pytest.mark.parametrize(
    "change",
    [
        lambda labels: labels.reshape(-1, 1),
        lambda labels: labels.astype(bool),
        lambda labels: labels.astype(np.float16),
        lambda labels: labels.astype(">f8"),
        lambda labels: labels.astype(">i4").reshape(-1, 1),
        lambda labels: labels.astype(np.longdouble),
    ],
)
def test_labels_of_any_number_type(tmp_path: Path, change: Any) -> None:
    made = arrays()
    for split in COUNTS:
        made[f"{split}_labels"] = change(made[f"{split}_labels"])
    assert_same(save(tmp_path / "set.npz", made), made)


def test_fortran_order(tmp_path: Path) -> None:
    made = {key: np.asfortranarray(value) for key, value in arrays().items()}
    assert_same(save(tmp_path / "set.npz", made), made)


def test_oblong_films(tmp_path: Path) -> None:
    made = {k: v[:, :5] if v.ndim == 3 else v for k, v in arrays().items()}
    assert_same(save(tmp_path / "set.npz", made), made)
    assert medmnist_source(tmp_path / "set.npz").native_size == 8


@pytest.mark.parametrize("order", ["C", "F"])
def test_rgb_becomes_luma(tmp_path: Path, order: Any) -> None:
    made = {k: np.asarray(v, order=order) for k, v in arrays(side=32, rgb=True).items()}
    made["train_images"][0] = made["train_images"][0, :, :, :1]  # grey, stored as RGB
    found = read_all(save(tmp_path / "set.npz", made))
    np.testing.assert_array_equal(found[0][3], made["train_images"][0, :, :, 0])
    originals = np.concatenate([made[f"{split}_images"] for split in COUNTS])
    for (*_, image), rgb in zip(found, originals, strict=True):
        pillow = np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).convert("L"), dtype=int)
        assert image.shape == (32, 32)
        assert np.abs(image - pillow).max() <= 1


def test_fingerprint_follows_the_content(tmp_path: Path) -> None:
    made = arrays()
    first = medmnist_source(save(tmp_path / "a.npz", made)).fingerprint
    shutil.copy(tmp_path / "a.npz", tmp_path / "b.npz")
    assert medmnist_source(tmp_path / "b.npz").fingerprint == first
    made["val_images"][1, 2, 3] ^= 1
    assert medmnist_source(save(tmp_path / "c.npz", made)).fingerprint != first


def test_memory_holds_labels_only(tmp_path: Path) -> None:
    made = arrays(side=1024)  # 15 MiB of pixels
    path = save(tmp_path / "set.npz", made, zipfile.ZIP_DEFLATED)
    del made
    medmnist_source(path)
    tracemalloc.start()
    try:
        for record in medmnist_source(path).records:
            assert record.read(0).pixels.ndim == 2
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 14 << 20, "a copy buffer of 4 MiB and one film, not the set"


def test_no_temporary_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    path = save(tmp_path / "set.npz", arrays())
    for _ in medmnist_source(path).records:
        break
    read_all(path)
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize(
    ("key", "value", "kind", "words"),
    [
        ("train_images", np.zeros((6, 8, 8), np.uint16), UnreadableData, "uint16"),
        ("train_images", np.zeros((6, 8), np.uint8), UnreadableData, "(6, 8)"),
        ("train_images", np.zeros((6, 8, 8, 4), np.uint8), UnreadableData, "(6, 8, 8, 4)"),
        ("train_images", np.uint8(3), UnreadableData, "()"),
        ("val_images", np.zeros((4, 9, 9), np.uint8), UnreadableData, "(9, 9)"),
        ("val_images", np.zeros((0, 8, 8), np.uint8), UnreadableData, "val split is empty"),
        ("test_labels", np.array([0, 1, 2, 1, 0]), BadLabels, "first 2"),
        ("test_labels", np.array([0, 1, np.nan, 1, 0]), BadLabels, "first nan"),
        ("test_labels", np.array([0, 1, -1, 1, 0]), BadLabels, "first -1"),
        ("test_labels", np.array([0, 1, 0.5, 1, 0]), BadLabels, "first 0.5"),
        ("test_labels", np.ones(5, int), BadLabels, "5 × 1 "),
        ("test_labels", np.zeros(4, int), BadLabels, "shape (4,) for 5 images"),
        ("test_labels", np.zeros((5, 2), int), BadLabels, "shape (5, 2)"),
        ("test_labels", np.array(list("01010")), BadLabels, "no numbers"),
        ("test_labels", np.zeros(5, complex), BadLabels, "no numbers"),
        ("test_labels", np.zeros(5, [("a", "i4")]), BadLabels, "no numbers"),
        ("test_labels", np.zeros(5, "datetime64[s]"), BadLabels, "no numbers"),
    ],
)
def test_wrong_arrays_are_named(
    tmp_path: Path, key: str, value: np.ndarray, kind: type[Exception], words: str
) -> None:
    path = save(tmp_path / "set.npz", arrays() | {key: np.asarray(value)})
    with pytest.raises(kind) as caught:
        medmnist_source(path)
    message = str(caught.value)
    assert words in message
    assert key.split("_")[0] in message
    assert str(path) in message


def test_splits_of_size_nought(tmp_path: Path) -> None:
    made = {k: v[:, :0] if v.ndim == 3 else v for k, v in arrays().items()}
    with pytest.raises(UnreadableData, match="impossible size"):
        medmnist_source(save(tmp_path / "set.npz", made))


def test_missing_arrays_are_named(tmp_path: Path) -> None:
    made = arrays()
    del made["val_labels"], made["test_images"]
    with pytest.raises(UnreadableData, match="'val_labels', and 1 more are missing") as caught:
        medmnist_source(save(tmp_path / "set.npz", made))
    assert "with: train_images" in str(caught.value)
    with pytest.raises(UnreadableData, match="with: nothing"):
        medmnist_source(write(tmp_path / "empty.npz", {}))


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataNotFound, match="no such file"):
        medmnist_source(tmp_path / "none.npz")
    with pytest.raises(DataNotFound, match="not a regular file"):
        medmnist_source(Path("/dev/zero"))
    for content in (b"", b"PK\x03\x04", b"<html>404</html>"):
        (tmp_path / "other.npz").write_bytes(content)
        with pytest.raises(UnreadableData, match="not a whole .npz"):
            medmnist_source(tmp_path / "other.npz")


class Marker:
    """Unpickling this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("key", ["train_images", "test_labels"])
def test_pickles_are_never_opened(tmp_path: Path, key: str) -> None:
    mark = tmp_path / "mark"
    held = np.empty(5, dtype=object)
    held[:] = [Marker(mark)] * 5
    path = save(tmp_path / "set.npz", arrays() | {key: held})
    with pytest.raises(UnreadableData, match="pickled objects, which are never loaded"):
        medmnist_source(path)
    assert not mark.exists()
    # A bare pickle under the array's name is what np.load would have opened.
    members = {k: member(v) for k, v in arrays().items()} | {key: pickle.dumps(Marker(mark))}
    with pytest.raises(UnreadableData, match="no readable .npy header"):
        medmnist_source(write(tmp_path / "bare.npz", members))
    assert not mark.exists()


GOOD = "{'descr': '|u1', 'fortran_order': False, 'shape': (6, 8, 8), }"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x03\x00" + b"\x00" * 20,
        header("(" * 5000),
        header("-" * 9000 + "1"),
        header("{[]: 1}"),
        header("{1: 2, 'a': 3}"),
        header("__import__('os').system('true')"),
        header("'''"),
        header("{'descr': 'L', 'fortran_order': False, 'shape': (6L"),
        header(GOOD.replace("|u1", "nonsense")),
        header(GOOD.replace("'|u1'", "[('a',)]")),
        header(GOOD.replace("'|u1'", "('|u1', (2, -3))")),
        header(GOOD.replace("(6, 8, 8)", "(-6, -8, 8)")) + bytes(384),
        header(GOOD.replace("(6, 8, 8)", "(True, 8, 8)")) + bytes(384),
        header(GOOD.replace("(6, 8, 8)", "(10**9, 8, 8)")) + bytes(384),
        header(GOOD.replace("(6, 8, 8)", f"({2**62}, 4, 4)")),
        header(GOOD.replace("(6, 8, 8)", f"({'9' * 4000}, 8, 8)")),
        header(GOOD, (2, 0))[:8] + struct.pack("<I", 0xFFFFFFFF) + GOOD.encode(),
        header(" " * (1 << 20) + GOOD, (2, 0)) + bytes(384),
        header(GOOD) + bytes(383),
        header(GOOD) + bytes(385),
    ],
)
def test_hostile_headers_are_refused(tmp_path: Path, data: bytes) -> None:
    members = {k: member(v) for k, v in arrays().items()} | {"train_images": data}
    with pytest.raises(UnreadableData) as caught:
        medmnist_source(write(tmp_path / "set.npz", members))
    assert len(str(caught.value)) < 1000


def test_a_header_of_python_2_is_read_in_silence(tmp_path: Path) -> None:
    made = arrays()
    old = header(GOOD.replace("(6, 8, 8)", "(6L, 8L, 8L)")) + made["train_images"].tobytes()
    members = {key: member(value) for key, value in made.items()} | {"train_images": old}
    assert_same(write(tmp_path / "set.npz", members), made)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packing_without_a_limit_is_refused(tmp_path: Path, packing: int) -> None:
    with pytest.raises(UnreadableData, match="stored or deflated"):
        medmnist_source(save(tmp_path / "set.npz", arrays(), packing))


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "set.npz", arrays())
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(UnreadableData, match="encrypted"):
        medmnist_source(path)


def test_members_of_other_names_are_never_unpacked(tmp_path: Path) -> None:
    """Absolute names, names that lead out, and links beside the arrays change nothing."""
    made = arrays()
    (tmp_path / "in").mkdir()
    path = save(tmp_path / "in" / "set.npz", made)
    link = zipfile.ZipInfo("link.npy")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("../out.npy", "/tmp/out.npy", "a/../../out.npy", link):
            archive.writestr(name, b"/etc/passwd")
    assert_same(path, made)
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["set.npz"]


def test_a_member_that_stands_twice_is_refused(tmp_path: Path) -> None:
    made = arrays()
    path = save(tmp_path / "set.npz", made)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("train_labels.npy", member(1 - made["train_labels"]))
    with pytest.raises(UnreadableData, match="stands twice"):
        medmnist_source(path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "set.npz", arrays(), zipfile.ZIP_DEFLATED)
    source = medmnist_source(path)
    monkeypatch.setattr(npz.shutil, "disk_usage", lambda folder: Usage(1000, 700, 300))
    monkeypatch.setattr(npz.shutil, "copyfileobj", lambda *a: pytest.fail("it was unpacked"))
    with pytest.raises(DiskFull, match="TMPDIR"):
        next(iter(source.records))


def test_labels_too_many_for_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "set.npz", arrays())
    monkeypatch.setattr(npz, "_LONGEST_IN_MEMORY", 100)
    with pytest.raises(UnreadableData, match="'train_labels' is too long"):
        medmnist_source(path)


def test_a_directory_that_lies_about_length(tmp_path: Path) -> None:
    """The central directory promises more bytes than the deflated stream gives."""
    made = arrays()
    members = {key: member(value) for key, value in made.items()}
    for key in ("train_images", "train_labels"):
        short = members | {key: members[key][:-3]}
        path = write(tmp_path / "set.npz", short, zipfile.ZIP_DEFLATED)
        data = bytearray(path.read_bytes())
        entry = data.index(f"{key}.npy".encode(), data.index(b"PK\x01\x02")) - 46
        data[entry + 24 : entry + 28] = struct.pack("<I", len(members[key]))
        path.write_bytes(data)
        with pytest.raises(UnreadableData):
            read_all(path)


def test_a_changed_file_is_noticed_by_its_sum(tmp_path: Path) -> None:
    made = arrays()
    path = save(tmp_path / "set.npz", made)
    source = medmnist_source(path)
    data = bytearray(path.read_bytes())
    where = data.index(made["train_images"].tobytes())
    data[where + 10] ^= 1
    path.write_bytes(data)
    with pytest.raises(UnreadableData, match="CRC"):
        list(source.records)


def outcome(path: Path) -> None:
    """Success or an error that was meant; anything else fails the test."""
    try:
        read_all(path)
    except PneumoscopeError as error:
        assert str(error)


# No change of the file may make the reader work for long.
BOUNDED = settings(deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module", params=[zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return save(tmp_path_factory.mktemp("npz") / "set.npz", arrays(), request.param).read_bytes()


@BOUNDED
@given(data=st.data())
def test_cut_at_any_byte(tmp_path: Path, whole: bytes, data: st.DataObject) -> None:
    path = tmp_path / "cut.npz"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(UnreadableData):
        read_all(path)


@BOUNDED
@given(data=st.data())
def test_any_bytes_changed(tmp_path: Path, whole: bytes, data: st.DataObject) -> None:
    damaged = bytearray(whole)
    spots = st.one_of(  # the directory at the end is the most delicate part
        st.integers(0, len(whole) - 1), st.integers(whole.index(b"PK\x01\x02"), len(whole) - 1)
    )
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(spots)] = data.draw(st.integers(0, 255))
    (tmp_path / "changed.npz").write_bytes(damaged)
    outcome(tmp_path / "changed.npz")


LITERALS = st.recursive(
    st.one_of(st.integers(), st.text(max_size=5), st.booleans(), st.none(), st.floats()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.tuples(inner), st.tuples(inner, inner)),
    max_leaves=6,
)
DESCRIPTIONS = st.one_of(
    st.sampled_from(["|u1", "<i8", "|O", ">f4", "|V0", "<U3", "|S0"]), LITERALS
)
SHAPES = st.one_of(st.lists(st.integers(-9, 9), max_size=5).map(tuple), LITERALS)


@BOUNDED
@given(
    key=st.sampled_from(["train_images", "val_labels"]),
    described=st.tuples(DESCRIPTIONS, st.one_of(st.booleans(), LITERALS), SHAPES),
    version=st.sampled_from([(1, 0), (2, 0)]),
    tail=st.binary(max_size=64),
)
def test_wild_headers(tmp_path: Path, key: str, described: Any, version: Any, tail: bytes) -> None:
    descr, fortran, shape = described
    text = repr({"descr": descr, "fortran_order": fortran, "shape": shape})
    data = header(text.encode("utf-8", "replace").decode("latin1"), version) + tail
    members = {k: member(v) for k, v in arrays().items()} | {key: data}
    outcome(write(tmp_path / "wild.npz", members))


@BOUNDED
@given(text=st.text(max_size=200), version=st.sampled_from([(1, 0), (2, 0)]))
def test_header_of_any_text(tmp_path: Path, text: str, version: Any) -> None:
    data = header(text.encode("utf-8", "replace").decode("latin1"), version)
    members = {k: member(v) for k, v in arrays().items()} | {"train_images": data}
    outcome(write(tmp_path / "wild.npz", members))


def test_one_hot_labels_are_numbers_that_are_asked_about(tmp_path: Path) -> None:
    made = arrays()
    labels = np.concatenate([made[f"{split}_labels"] for split in COUNTS])
    films = np.concatenate([made[f"{split}_images"] for split in COUNTS])
    path = tmp_path / "films.npz"
    np.savez(path, x=films, y=np.eye(2)[labels])
    with pytest.raises(BadLabels) as asked:
        arrays_source(DataRequest(str(path)))
    assert asked.value.answer == ("--classes", "0=normal", "--classes", "1=pneumonia")
    said = {"0": "normal", "1": "pneumonia"}
    records = arrays_source(DataRequest(str(path), classes=said)).records
    assert [record.label for record in records] == labels.tolist()
