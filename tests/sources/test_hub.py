"""``hf:owner/name``: the choice of files with a fake hub, the real client against 127.0.0.1."""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from pneumoscope.errors import DataNotFound, DiskFull, UnreadableData
from pneumoscope.listener import Silent
from pneumoscope.records import DataRequest
from pneumoscope.sources.fetch.client import HuggingFaceHub, Listing
from pneumoscope.sources.fetch.hub import CONVERTED, MARK, fetch_set, parse
from pneumoscope.sources.forms.huggingface import huggingface_source

COMMIT = "c0ffee" * 6 + "c0ff"
DATA = "hf:keremberke/chest-xray-classification"


class Told(Silent):
    """Keeps what the listener heard."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.choices: dict[str, str] = {}
        self.last: tuple[int, int] = (0, 0)

    def stage(self, title: str) -> None:
        self.stages.append(title)

    def choice(self, what: str, choice: str, why: str) -> None:
        self.choices[what] = f"{choice}: {why}"

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        self.last = (done, total)


@dataclass
class Fake:
    """A hub in memory: files by revision."""

    revisions: Mapping[str, Mapping[str, bytes]]
    breaks_at: str = ""
    fetched: list[str] = field(default_factory=list)

    def listing(self, name: str, revision: str) -> Listing | None:
        files = self.revisions.get(revision)
        return None if files is None else Listing(COMMIT, {p: len(d) for p, d in files.items()})

    def fetch(self, name: str, commit: str, paths: Sequence[str], folder: Path) -> None:
        for path in paths:
            if path == self.breaks_at:
                raise DataNotFound("the network went away")
            self.fetched.append(path)
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(next(f for f in self.revisions.values() if path in f)[path])


KEREMBERKE = {
    CONVERTED: {
        f"{config}/{split}/0000.parquet": bytes(size)
        for config, size in (("full", 900), ("mini", 30))
        for split in ("train", "validation", "test")
    },
    "main": {"chest.py": b"import os", "data/train.zip": b"PK", "README.md": b""},
}


def names(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*.parquet")}


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        ("hf:a/b", ("a/b", None, None)),
        ("hf:keremberke/chest-xray:full", ("keremberke/chest-xray", "full", None)),
        ("hf:a/b.c_d@refs/convert/parquet", ("a/b.c_d", None, "refs/convert/parquet")),
        ("hf:a/b:x y@v1.0", ("a/b", "x y", "v1.0")),
    ],
)
def test_a_name_is_taken_apart(data: str, parts: tuple[str, str | None, str | None]) -> None:
    wanted = parse(data)
    assert (wanted.name, wanted.config, wanted.revision) == parts


@pytest.mark.parametrize(
    "data",
    [
        *("hf:", "hf:a", "hf:/b", "hf:a/", "hf:a/b/c", "hf:a/../b", "hf:../b", "hf:a/b@../x"),
        *("hf:a/b:", "hf:a/b@", "hf:a/b@x/../../y", "hf:a/b:../c", "hf:a--b/c", "hf:a/b\n"),
        *(
            "hf:a/b c",
            "hf:ä/b",
            "hf:a/b?x=1",
            "hf:a/b#c",
            "hf:a/" + "b" * 200,
            "hf:a/b@" + "c" * 200,
        ),
    ],
)
def test_a_name_of_another_form_is_refused(data: str) -> None:
    with pytest.raises(DataNotFound, match="hf:owner/name"):
        parse(data)


def test_the_converted_full_configuration_is_fetched_and_nothing_else(tmp_path: Path) -> None:
    fake, told = Fake(KEREMBERKE), Told()
    folder = fetch_set(DATA, tmp_path, told, fake)
    wanted = {f"full/{split}/0000.parquet" for split in ("train", "validation", "test")}
    assert set(fake.fetched) == names(folder) == wanted
    assert folder.is_relative_to(tmp_path)
    assert told.stages == ["Fetch keremberke/chest-xray-classification: 3 parquet files, 0.0 MB"]
    assert told.choices["revision"].startswith(f"{CONVERTED} ({COMMIT[:12]})")
    assert told.choices["configuration"] == "full: named full; there are full, mini"
    assert told.last == (2700, 2700)


def test_another_configuration_lies_in_another_folder(tmp_path: Path) -> None:
    full = fetch_set(DATA, tmp_path, Silent(), Fake(KEREMBERKE))
    mini = fetch_set(DATA + ":mini", tmp_path, Silent(), Fake(KEREMBERKE))
    assert full != mini
    assert all(name.startswith("mini/") for name in names(mini))
    with pytest.raises(DataNotFound, match="one of: full, mini|nearest"):
        fetch_set(DATA + ":other", tmp_path, Silent(), Fake(KEREMBERKE))


def test_without_a_conversion_the_parquet_files_of_main_are_fetched(tmp_path: Path) -> None:
    main = {
        "data/train-00000-of-00001.parquet": b"abc",
        "data/test-00000-of-00001.parquet": b"de",
        "data/../../../evil.parquet": b"x",
        "/etc/evil.parquet": b"x",
        ".hidden/evil.parquet": b"x",
        "data/evil.pkl": b"x",
        "evil.py": b"x",
    }
    folder = fetch_set("hf:a/b", tmp_path, Silent(), Fake({"main": main}))
    assert names(folder) == {name for name in main if "-of-" in name}


def test_a_partial_conversion_gives_way_to_the_whole_of_main(tmp_path: Path) -> None:
    partial = {"default/partial-train/0000.parquet": b"a"}
    main = {"data/train-00000-of-00001.parquet": b"abc"}
    both = fetch_set("hf:a/b", tmp_path / "1", Silent(), Fake({CONVERTED: partial, "main": main}))
    assert names(both) == set(main)
    alone = fetch_set("hf:a/b", tmp_path / "2", Silent(), Fake({CONVERTED: partial, "main": {}}))
    assert names(alone) == set(partial)


def test_a_set_without_parquet_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnreadableData, match="no parquet files on the hub") as caught:
        fetch_set("hf:a/b", tmp_path, Silent(), Fake({"main": {"a.zip": b"PK"}}))
    assert "give its folder" in str(caught.value)


def test_an_asked_revision_is_the_only_one_tried(tmp_path: Path) -> None:
    files = {"data/train-00000-of-00001.parquet": b"v1"}
    fake = Fake({"v1.0": files, CONVERTED: KEREMBERKE[CONVERTED]})
    assert names(fetch_set("hf:a/b@v1.0", tmp_path, Silent(), fake)) == set(files)
    with pytest.raises(UnreadableData, match="revision v2"):
        fetch_set("hf:a/b@v2", tmp_path, Silent(), fake)


def test_what_is_complete_on_disk_needs_no_hub(tmp_path: Path) -> None:
    first = fetch_set(DATA, tmp_path, Silent(), Fake(KEREMBERKE))
    assert fetch_set(DATA, tmp_path, Silent(), Fake({})) == first
    (first / "full" / "test" / "0000.parquet").write_bytes(b"short")
    again = Fake(KEREMBERKE)
    assert fetch_set(DATA, tmp_path, Silent(), again) == first
    assert len(again.fetched) == 3


@pytest.mark.parametrize("mark", ["", "[]", "{}", '{"data": 1, "files": []}', '{"files": {}}'])
def test_a_damaged_mark_is_no_proof_of_a_complete_set(mark: str, tmp_path: Path) -> None:
    folder = fetch_set(DATA, tmp_path, Silent(), Fake(KEREMBERKE))
    (folder / MARK).write_text(mark)
    again = Fake(KEREMBERKE)
    fetch_set(DATA, tmp_path, Silent(), again)
    assert len(again.fetched) == 3


def test_a_broken_fetch_leaves_nothing_that_looks_complete(tmp_path: Path) -> None:
    with pytest.raises(DataNotFound, match="went away"):
        fetch_set(DATA, tmp_path, Silent(), Fake(KEREMBERKE, "full/train/0000.parquet"))
    assert not list(tmp_path.rglob(MARK))
    assert threading.active_count() < 10


def test_files_of_an_older_commit_are_removed(tmp_path: Path) -> None:
    folder = fetch_set(DATA, tmp_path, Silent(), Fake(KEREMBERKE))
    (folder / MARK).unlink()
    old = folder / "full" / "train" / "0001.parquet"
    old.write_bytes(b"of another commit")
    fetch_set(DATA, tmp_path, Silent(), Fake(KEREMBERKE))
    assert not old.exists()


def test_a_file_of_another_size_than_listed_is_refused(tmp_path: Path) -> None:
    class Liar(Fake):
        def fetch(self, name: str, commit: str, paths: Sequence[str], folder: Path) -> None:
            super().fetch(name, commit, paths, folder)
            (folder / paths[0]).write_bytes(b"short")

    with pytest.raises(UnreadableData, match="not the published file"):
        fetch_set(DATA, tmp_path, Silent(), Liar(KEREMBERKE))


def test_a_full_disk_is_told_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    fake = Fake(KEREMBERKE)
    with pytest.raises(DiskFull, match="the set does not fit"):
        fetch_set(DATA, tmp_path, Silent(), fake)
    assert fake.fetched == []


# The real client, against a server of our own.


Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Server:
    """What the hub answers: a status for the list of files, one for the files, and their bytes."""

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    list_status: int = 200
    file_status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    revisions: tuple[str, ...] = (CONVERTED,)
    asked: list[str] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)
    """Files whose answers end in their middle, with the connection closed."""

    @property
    def hub(self) -> HuggingFaceHub:
        return HuggingFaceHub(f"http://127.0.0.1:{self.port}")

    def answer(self, path: str) -> Answer:
        if found := re.fullmatch(r"/api/datasets/a/b/revision/(.+)", path):
            return self.list_files(found[1])
        if path == f"/api/datasets/a/b/tree/{COMMIT}":
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": COMMIT}
                for name, data in self.files.items()
            ]
            return self.list_status, self.headers, json.dumps(tree).encode()
        if found := re.fullmatch(rf"/datasets/a/b/resolve/{COMMIT}/(.+)", path):
            data = self.files[found[1]]
            headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
            return self.file_status, headers | self.headers, data
        return 404, {"X-Error-Code": "RepoNotFound"}, b""

    def list_files(self, revision: str) -> Answer:
        if self.list_status == 200 and revision not in self.revisions:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        files = [{"rfilename": name, "size": len(data)} for name, data in self.files.items()]
        about = {"id": "a/b", "sha": COMMIT, "siblings": files}
        return self.list_status, self.headers, json.dumps(about).encode()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    constants = importlib.import_module("huggingface_hub.constants")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setattr(constants, name, name.endswith("TELEMETRY"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    answers = Server()
    web = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answers))
    answers.port = web.server_address[1]
    waits = {"poll_interval": 0.01}
    thread = threading.Thread(target=web.serve_forever, kwargs=waits, daemon=True)
    thread.start()
    yield answers
    _close_session()
    web.shutdown()
    web.server_close()
    thread.join(60)
    assert not thread.is_alive()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each wait, none of which is waited."""
    asked: list[float] = []
    monkeypatch.setattr(time, "sleep", asked.append)
    return asked


def _close_session() -> None:
    """The client keeps its connection open; left to the interpreter, closing it would warn."""
    http = importlib.import_module("huggingface_hub.utils._http")
    getattr(http, "close_session", getattr(http, "reset_sessions", None))()


def _handler(answers: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            path = unquote(self.path.partition("?")[0])
            answers.asked.append(f"{self.command} {path}")
            status, headers, data = answers.answer(path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body and path.partition(COMMIT)[2].removeprefix("/") in answers.cut:
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
            elif body:
                self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    return Handler


def test_the_real_client_fetches_what_is_then_read(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    image = pa.array([{"bytes": b"\xff\xd8\xff", "path": None}] * 4)
    pq.write_table(pa.table({"image": image, "pneumonia": [0, 1, 0, 1]}), tmp_path / "a.parquet")
    content = (tmp_path / "a.parquet").read_bytes()
    server.files = {f"default/{split}/0000.parquet": content for split in ("train", "test")}
    server.files["default/chest.py"] = b"raise SystemExit"
    told = Told()
    folder = fetch_set("hf:a/b", tmp_path / "downloads", told, server.hub)
    assert names(folder) == {name for name in server.files if name.endswith(".parquet")}
    assert not any(".py" in request for request in server.asked)
    assert told.last == (2 * len(content), 2 * len(content))
    source = huggingface_source(DataRequest(str(folder)))
    assert (source.name, source.count) == ("a/b:default", 8)
    asked = len(server.asked)
    fetch_set("hf:a/b", tmp_path / "downloads", told, server.hub)
    assert len(server.asked) == asked
    assert capfd.readouterr() == ("", "")


def test_a_transfer_that_is_cut_off_is_refused_and_the_same_command_ends_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client waits before it retries
    content = {f"default/{split}/0000.parquet": split.encode() * 500 for split in ("train", "test")}
    server.files = content
    server.cut = {"default/test/0000.parquet"}
    with pytest.raises((DataNotFound, UnreadableData)) as error:
        fetch_set("hf:a/b", tmp_path, Told(), server.hub)
    assert "run the same command again" in str(error.value)
    assert not list(tmp_path.rglob(MARK))
    whole = [file for file in tmp_path.rglob("*.parquet") if file.parent.name == "test"]
    assert not whole, "half a file bears the name of a whole one"
    server.cut = set()
    folder = fetch_set("hf:a/b", tmp_path, Told(), server.hub)
    assert {name: (folder / name).read_bytes() for name in content} == content


def test_the_real_client_falls_back_to_main(server: Server, tmp_path: Path) -> None:
    server.revisions = ("main",)
    server.files = {"data/train-00000-of-00001.parquet": b"PAR1"}
    assert names(fetch_set("hf:a/b", tmp_path, Silent(), server.hub)) == set(server.files)


def _no_such_set(server: Server) -> None:
    server.list_status, server.headers = 404, {"X-Error-Code": "RepoNotFound"}


def _private(server: Server) -> None:
    server.list_status = 401


def _gated(server: Server) -> None:
    server.file_status, server.headers = 403, {"X-Error-Code": "GatedRepo"}


def _forbidden(server: Server) -> None:
    server.list_status = 403


def _limited(server: Server) -> None:
    server.list_status, server.headers = 429, {"Retry-After": "300"}


def _limited_later(server: Server) -> None:
    server.file_status, server.headers = 429, {"Retry-After": "300"}


def _in_trouble(server: Server) -> None:
    server.list_status = 503


@pytest.mark.parametrize(
    ("goes_wrong", "what", "remedy"),
    [
        (_no_such_set, "no such set, or it is private", "hf auth login"),
        (_private, "no such set, or it is private", "hf auth login"),
        (_gated, "accepted its conditions", "accept them on its page"),
        (_forbidden, "refuses access", "its page"),
        (_limited, "limits how often", "wait some minutes"),
        (_limited_later, "limits how often", "wait some minutes"),
        (_in_trouble, "in trouble", "again later"),
    ],
)
def test_each_refusal_of_the_hub_has_its_own_words_at_once(
    goes_wrong: Callable[[Server], None],
    what: str,
    remedy: str,
    server: Server,
    tmp_path: Path,
    slept: list[float],
    capfd: pytest.CaptureFixture[str],
) -> None:
    server.files = {"default/train/0000.parquet": b"PAR1"}
    goes_wrong(server)
    with pytest.raises(DataNotFound, match=what) as caught:
        fetch_set("hf:a/b", tmp_path, Silent(), server.hub)
    assert sum(slept) < 3
    assert remedy in str(caught.value)
    assert "give its folder" in str(caught.value)
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("huggingface_hub").level != logging.CRITICAL


def test_no_network_is_told_at_once(server: Server, tmp_path: Path, slept: list[float]) -> None:
    with pytest.raises(DataNotFound, match="could not be downloaded") as caught:
        fetch_set("hf:a/b", tmp_path, Silent(), HuggingFaceHub("http://127.0.0.1:9"))
    assert sum(slept) < 3
    assert "check the network" in str(caught.value)


def test_offline_mode_is_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = importlib.import_module("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataNotFound, match="HF_HUB_OFFLINE is set"):
        fetch_set("hf:a/b", tmp_path, Silent(), server.hub)
