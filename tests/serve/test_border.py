"""Who and what the service refuses, before it takes a byte more than it must."""

import asyncio
import json
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.types import ASGIApp
from tests.helpers.serving import Running, running, service

from pneumoscope.errors import InputError
from pneumoscope.serve.app import application
from pneumoscope.serve.border.guard import Access
from pneumoscope.serve.border.hosts import Hosts
from pneumoscope.serve.limits import MIB, Limits
from pneumoscope.serve.service import DRAINING, LOADING, READY
from pneumoscope.workflows.serve import ServeRequest, _token, serve

TOKEN = b"a word that nobody guesses"


def head(path: str = "/v1/read", method: str = "POST", **headers: str) -> dict:
    given = {"host": "127.0.0.1", "transfer-encoding": "chunked", **headers}
    pairs = [(name.replace("_", "-").encode(), v.encode("latin-1")) for name, v in given.items()]
    return {
        "type": "http", "method": method, "path": path, "query_string": b"", "headers": pairs
    }  # fmt: skip


class Answered:
    """What the application said to a request, and how many bytes of its body it took."""

    def __init__(
        self, app: ASGIApp, scope: dict, chunks: Sequence[bytes] = (), *, stalls: bool = False
    ) -> None:
        self.taken, self.status, self.headers, self.body = 0, 0, {}, b""
        self._chunks, self._stalls = iter(chunks), stalls
        asyncio.run(app(scope, self._receive, self._send))

    async def _receive(self) -> dict:
        chunk = next(self._chunks, None)
        if chunk is None and self._stalls:
            await asyncio.sleep(60)
        self.taken += len(chunk or b"")
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    async def _send(self, message: dict) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.body += message["body"]

    @property
    def problem(self) -> dict:
        assert self.headers[b"content-type"] == b"application/problem+json"
        return json.loads(self.body)


def app_of(state: str = READY, token: bytes | None = None, **limits: float) -> ASGIApp:
    there = service(Limits(**limits))
    there.state = state
    return application(there, Access(Hosts("127.0.0.1", ["films.example"]), token))


def test_a_token_is_asked_for_before_the_body_is_read() -> None:
    app = app_of(LOADING, TOKEN)
    for given in ("", "Bearer", "Bearer another", f"Basic {TOKEN.decode()}", "Bearer \xff"):
        found = Answered(app, head(authorization=given), [b"x" * 100])
        assert (found.status, found.taken, found.problem["status"]) == (401, 0, 401)
        assert found.headers[b"www-authenticate"] == b"Bearer"
        assert found.headers[b"connection"] == b"close"
    right = f"bearer {TOKEN.decode()}"
    assert Answered(app, head("/v1/model", "GET", authorization=right)).status == 503
    assert Answered(app, head("/metrics", "GET", authorization=right)).status == 200
    for closed in ("/v1/model", "/metrics", "/v1/other"):
        assert Answered(app, head(closed, "GET")).status == 401
    for free in ("/", "/healthz", "/openapi.json"):
        assert Answered(app, head(free, "GET")).status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:81", 200), ("localhost", 200), ("[::1]:8000", 200), ("films.example", 200),
     ("FILMS.example.:443", 200), ("evil.example", 421), ("", 421), ("127.0.0.1.evil.example", 421),
     ("10.0.0.7", 421), ("localhost@evil.example", 421), ("[127.0.0.1", 200)],
)  # fmt: skip
def test_a_host_is_known_or_refused(host: str, status: int) -> None:
    assert Answered(app_of(), head("/healthz", "GET", host=host)).status == status


def test_a_service_on_every_address_answers_for_addresses_and_not_for_names() -> None:
    hosts = Hosts("0.0.0.0")
    assert hosts.known("10.0.0.7:80") and hosts.known("[fe80::1]") and hosts.known("localhost")
    assert not hosts.known("evil.example") and not hosts.known("")


def test_a_page_of_another_origin_is_refused() -> None:
    for origin in ("https://evil.example", "null"):
        assert Answered(app_of(), head(origin=origin)).problem["status"] == 403
    mine = head("/v1/model", "GET", origin="http://127.0.0.1:8000")
    assert Answered(app_of(LOADING), mine).status == 503


def test_a_body_is_counted_and_not_believed() -> None:
    app = app_of(megabytes=1)
    chunks = [bytes(1 << 16)] * 64
    for kind in ("image/png", "multipart/form-data; boundary=b"):
        found = Answered(app, head(content_type=kind), [b"--b\r\n\r\n", *chunks])
        assert found.problem["status"] == 413 and "1 MiB" in found.problem["expected"]
        assert MIB < found.taken <= MIB + (1 << 16)
    said = head(content_length=str(200 * MIB))
    found = Answered(app, said, chunks)
    assert (found.status, found.taken) == (413, 0)


def test_a_slow_body_is_not_waited_for() -> None:
    found = Answered(app_of(body_wait=0.05), head(), [b"slow"], stalls=True)
    assert found.problem["status"] == 408 and "4 bytes" in found.problem["got"]


def test_more_than_is_held_is_asked_to_come_again() -> None:
    full = (app_of(requests=0), app_of(held=0), app_of(waiting=0))
    for app in (*full, app_of(LOADING), app_of(DRAINING)):
        found = Answered(app, head(), [b"film"])
        assert found.problem["status"] == 503 and int(found.headers[b"retry-after"]) > 0
    assert Answered(full[1], head(content_length="9"), [b"a film..."]).taken == 0
    for state, status in ((LOADING, 503), (READY, 200), (DRAINING, 503)):
        found = Answered(app_of(state), head("/readyz", "GET"))
        assert (found.status, json.loads(found.body)) == (status, {"status": state})


@pytest.mark.parametrize(
    ("asked", "status"),
    [({"path": "/v1/nothing"}, 404), ({"path": "/v1/read/"}, 404), ({"path": "/docs"}, 404),
     ({"path": "/redoc"}, 404),
     ({"method": "GET"}, 405), ({"path": "/v1/model"}, 405), ({"method": "OPTIONS"}, 405)],
)  # fmt: skip
def test_what_the_framework_refuses_is_a_problem_too(asked: dict[str, str], status: int) -> None:
    found = Answered(app_of(), head(**asked)).problem
    assert found["status"] == status and found["what"] and found["expected"]


@pytest.mark.parametrize(
    "headers",
    [{"content_type": "application/json"}, {"content_type": "application/x-www-form-urlencoded"},
     {"content_type": "multipart/form-data"}, {"content_type": "multipart/mixed; boundary=b"},
     {"content_type": "rubbish"}, {"content_encoding": "gzip"}],
)  # fmt: skip
def test_a_type_that_is_no_film_is_refused_before_the_body(
    up: Running, headers: dict[str, str]
) -> None:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = up.client.post("/v1/read", content=b"film", headers=given)
    assert answer.status_code == 415 and answer.json()["remedy"]


def test_a_form_is_whole_and_holds_at_most_16_films(
    up: Running, caplog: pytest.LogCaptureFixture
) -> None:
    many = [("film", (f"{n}.png", b"x")) for n in range(17)]
    answer = up.client.post("/v1/read", files=many)
    assert answer.status_code == 413 and "at most 16" in answer.json()["expected"]
    assert up.client.post("/v1/read", files=many[:16]).json()["what"].startswith("no film can")
    kind = {"content-type": "multipart/form-data; boundary=b"}
    for body in (b"", b"--b\r\n\r\nfilm", b"--c\r\n\r\nfilm\r\n--c--", b"--b--", b"\r\n" * 99):
        answer = up.client.post("/v1/read", content=body, headers=kind)
        assert answer.status_code == 422 and "parts" in answer.json()["what"]
    assert "python_multipart" not in {each.name.partition(".")[0] for each in caplog.records}
    point = up.client.post("/v1/read", content=b"x", params={"point": "nowhere"})
    assert point.status_code == 422 and "youden" in point.json()["expected"]


def raw(up: Running, *pieces: bytes) -> bytes:
    """What the service says to these bytes, until it closes the connection."""
    with socket.create_connection(_place(up), 5) as line:
        for piece in pieces:
            line.sendall(piece)
        said = b""
        while part := line.recv(1 << 16):
            said += part
        return said


def _place(up: Running) -> tuple[str, int]:
    return "127.0.0.1", int(up.url.rpartition(":")[2])


def test_what_is_no_http_is_a_problem_too(up: Running) -> None:
    assert raw(up, b"\x16\x03\x01 no http\r\n\r\n").startswith(b"HTTP/1.1 400")
    long = b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * (20 << 10)
    said = raw(up, long)
    assert said.startswith(b"HTTP/1.1 400") and b"application/problem+json" in said
    old = raw(up, b"GET /healthz HTTP/1.0\r\n\r\n")
    assert b" 421 " in old and b"application/problem+json" in old


def test_who_connects_and_does_not_ask_is_not_waited_for() -> None:
    fresh = {"connection": "close"}  # one that is kept open would be closed between two questions
    with running(Limits(head_wait=0.5), loads=False) as up:
        assert up.client.get("/healthz", headers=fresh).status_code == 200
        assert up.client.get("/readyz", headers=fresh).json() == {"status": "loading"}
        assert raw(up) == b""
        assert raw(up, b"GET /healthz HTTP/1.1\r\nhost:").startswith(b"HTTP/1.1 408")


def test_connections_are_counted(up: Running) -> None:
    with ExitStack() as lines:
        last = [
            lines.enter_context(socket.create_connection(_place(up), 10))
            for _ in range(up.service.limits.connections + 1)
        ][-1]
        assert last.recv(1) == b""
    assert up.client.get("/healthz").status_code == 200


def test_a_token_that_others_can_read_is_said(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(TOKEN.replace(b" ", b"-") + b"\n")
    notes: list[str] = []
    listener = SimpleNamespace(note=notes.append)
    for mode, said in ((0o600, 0), (0o644, 1)):
        file.chmod(mode)
        found = _token(ServeRequest(tmp_path, token_file=file), listener)
        assert found == TOKEN.replace(b" ", b"-") and len(notes) == said


def test_nobody_else_is_answered_without_a_token(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="asks nobody for a token"):
        serve(ServeRequest(tmp_path, host="0.0.0.0"))
    file = tmp_path / "token"
    for text, why in (
        ("", "0 characters"),
        ("short", "5 characters"),
        ("two words " * 9, "nobody"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=why):
            serve(ServeRequest(tmp_path, token_file=file))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        asked = ServeRequest(tmp_path, port=taken.getsockname()[1])
        with pytest.raises(InputError, match="cannot listen there"):
            serve(asked)
    with pytest.raises(InputError, match="no such run"):
        serve(ServeRequest(tmp_path / "none"))
