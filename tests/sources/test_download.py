"""Downloads against a server of our own on 127.0.0.1, with every way a transfer goes wrong."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from pneumoscope.errors import DataNotFound, OutputNotWritable, UnreadableData
from pneumoscope.sources.fetch import download
from pneumoscope.sources.fetch.download import PNEUMONIAMNIST, Published, fetch

CONTENT = np.random.default_rng(0).integers(0, 256, 600_000, dtype=np.uint8).tobytes()
NAME = "films.npz"


@dataclass
class Host:
    """A web server: what it gives, and what it was asked for."""

    port: int = 0
    content: bytes = CONTENT
    breaks_after: int | None = None
    knows_ranges: bool = True
    status: int = 200
    asked: list[str | None] = field(default_factory=list)

    def published(self, of: bytes = CONTENT) -> Published:
        md5 = hashlib.md5(of).hexdigest()
        return Published(f"http://127.0.0.1:{self.port}/{NAME}?download=1", len(of), md5)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    host = Host()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            host.asked.append(asked)
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
            ranged = bool(asked) and host.knows_ranges
            body = host.content[start:] if ranged else host.content
            status = host.status
            if ranged:
                status = 206 if body else 416
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: host.breaks_after])

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing when the client hangs up early."""

    server = Server(("127.0.0.1", 0), Handler)
    host.port = server.server_address[1]
    waits = {"poll_interval": 0.01}
    thread = threading.Thread(target=server.serve_forever, kwargs=waits, daemon=True)
    thread.start()
    yield host
    server.shutdown()
    server.server_close()
    thread.join(60)
    assert not thread.is_alive()


def test_the_whole_file(host: Host, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = fetch(host.published(), tmp_path / "new" / "folder", lambda *now: seen.append(now))
    assert path == tmp_path / "new" / "folder" / NAME
    assert path.read_bytes() == CONTENT
    assert host.asked == [None]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert sorted(seen) == seen
    assert not list(path.parent.glob("*.part"))


def test_a_broken_transfer_goes_on_where_it_stopped(host: Host, tmp_path: Path) -> None:
    host.breaks_after = 270_000
    with pytest.raises(DataNotFound, match="goes on where it stopped"):
        fetch(host.published(), tmp_path)
    have = (tmp_path / f"{NAME}.part").stat().st_size
    assert 0 < have <= 270_000
    assert not (tmp_path / NAME).exists()
    host.breaks_after = None
    assert fetch(host.published(), tmp_path).read_bytes() == CONTENT
    assert host.asked == [None, f"bytes={have}-"]


def test_a_server_that_knows_no_ranges(host: Host, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:1000])
    host.knows_ranges = False
    assert fetch(host.published(), tmp_path).read_bytes() == CONTENT
    assert host.asked == ["bytes=1000-"]


def test_a_whole_part_needs_no_network(host: Host, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT)
    assert fetch(host.published(), tmp_path).read_bytes() == CONTENT
    assert host.asked == []


@pytest.mark.parametrize("damage", [b"x" + CONTENT[1:], CONTENT + b"x", b""])
def test_a_file_that_is_not_the_published_one(host: Host, tmp_path: Path, damage: bytes) -> None:
    host.content = damage
    with pytest.raises(UnreadableData, match="is not the published films.npz") as caught:
        fetch(host.published(), tmp_path)
    assert hashlib.md5(CONTENT).hexdigest() in str(caught.value)
    assert not (tmp_path / NAME).exists()
    part = tmp_path / f"{NAME}.part"
    assert not part.exists() or len(damage) < len(CONTENT)
    host.content = CONTENT
    assert fetch(host.published(), tmp_path).read_bytes() == CONTENT


def test_a_part_of_another_file_is_given_up(host: Host, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(b"other" * 100)
    with pytest.raises(UnreadableData, match="what came was removed"):
        fetch(host.published(), tmp_path)
    assert fetch(host.published(), tmp_path).read_bytes() == CONTENT


def test_a_short_file_says_so(host: Host, tmp_path: Path) -> None:
    host.content = CONTENT[:5000]
    with pytest.raises(UnreadableData, match="5000 bytes"):
        fetch(host.published(), tmp_path)
    with pytest.raises(DataNotFound, match="416"):  # nothing lies behind what it has
        fetch(host.published(), tmp_path)


def test_offline(host: Host, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = Host(free.getsockname()[1])
    with pytest.raises(DataNotFound) as caught:
        fetch(closed.published(), tmp_path)
    message = str(caught.value)
    assert "films.npz could not be downloaded" in message
    assert "ConnectionError" in message
    assert "a network, or the file on disk" in message
    assert "pneumoscope train PATH/films.npz" in message


def test_the_server_says_no(host: Host, tmp_path: Path) -> None:
    host.status = 503
    with pytest.raises(DataNotFound, match="HTTPError 503"):
        fetch(host.published(), tmp_path)
    assert list(tmp_path.glob(f"{NAME}*")) in ([], [tmp_path / f"{NAME}.lock"])


def test_what_is_there_is_not_fetched_again(host: Host, tmp_path: Path) -> None:
    path = fetch(host.published(), tmp_path)
    before = path.stat().st_mtime_ns
    assert fetch(host.published(), tmp_path) == path
    assert path.stat().st_mtime_ns == before
    assert len(host.asked) == 1


def test_a_file_damaged_on_disk_is_fetched_again(host: Host, tmp_path: Path) -> None:
    """Same size, other bytes: it must never be trained on."""
    path = fetch(host.published(), tmp_path)
    path.write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    assert fetch(host.published(), tmp_path).read_bytes() == CONTENT
    assert host.asked == [None, None]


def test_a_folder_that_cannot_be_written(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for closed in (tmp_path / "file" / "cache", Path("/proc/pneumoscope")):
        with pytest.raises(OutputNotWritable, match="PNEUMOSCOPE_CACHE"):
            fetch(host.published(), closed)
    assert host.asked == []


def test_a_full_disk(host: Host, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").symlink_to("/dev/full")
    with pytest.raises(OutputNotWritable, match="the disk is full"):
        fetch(host.published(), tmp_path)


def test_two_processes_fetch_once(host: Host, tmp_path: Path) -> None:
    found: list[Path] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(fetch(host.published(), tmp_path)), daemon=True
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [tmp_path / NAME] * 4
    assert found[0].read_bytes() == CONTENT
    assert host.asked == [None]


def test_the_published_files_are_well_formed() -> None:
    assert sorted(PNEUMONIAMNIST) == [28, 64, 128, 224]
    for side, file in PNEUMONIAMNIST.items():
        suffix = "" if side == 28 else f"_{side}"
        assert file.file_name == f"pneumoniamnist{suffix}.npz"
        assert re.fullmatch("[0-9a-f]{32}", file.md5)
        assert file.url.startswith("https://")
    assert download._TIMEOUT[0] <= 30
