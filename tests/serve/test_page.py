"""The page, in a real Chromium before answers of our own: what is seen, asked, said and kept."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from tests.helpers.browser import CHROMIUM, Page, browsing
from tests.helpers.dicom import save_dicom
from tests.helpers.images import film
from tests.helpers.serving import Running

from pneumoscope.serve.app import _page

HTML = Path(__file__).parents[2] / "src" / "pneumoscope" / "serve" / "page.html"
browser_only = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

POINTS = [
    {"name": "youden", "threshold": 0.4, "rule": "maximum youden", "chosen_on": "val"},
    {"name": "sensitive", "threshold": 0.1, "rule": "sensitivity 0.95", "chosen_on": "val"},
]
MODEL = {
    "title": "resnet18d", "kind": "export", "version": "0.2.0", "device": "cpu",
    "scale": "calibrated", "operating_points": POINTS, "abstains": True,
    "population": {"youngest": 1, "oldest": 5}, "heatmap": True,
    "input": {"stored": 64},
    "formats": "JPEG, PNG, TIFF, BMP, WebP or DICOM", "limits": {"megabytes": 1, "films": 16},
}  # fmt: skip


def _png(side: tuple[int, int], grey: int) -> str:
    out = io.BytesIO()
    Image.new("L", side, grey).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def reading(asked: dict[str, list[str]], **changed: Any) -> tuple[int, dict[str, Any]]:
    """An answer with 200 of a film whose probability is .25."""
    point = next(p for p in POINTS if p["name"] == asked.get("point", ["youden"])[0])
    outcome = "pneumonia" if float(str(point["threshold"])) <= 0.25 else "normal"
    found = {
        "number": 1, "outcome": outcome, "probability": 0.25, "logit": -1.0986,
        "decision": outcome, "operating_point": point, "abstained": False, "findings": [],
        "remarks": [], "error": None, "scale": "calibrated",
        "heatmap": _png((554, 448), 90) if "heatmap" in asked else None,
        "film": _png((448, 448), 60) if "film" in asked else None,
    }  # fmt: skip
    return 200, {"request": "1", "films": [{**found, **changed}], "use": "Research use only."}


def problem(status: int, what: str, **parts: Any) -> tuple[int, dict[str, Any]]:
    return status, {"type": "about:blank", "status": status, "what": what, **parts}


Answer = Callable[[dict[str, list[str]]], tuple[int, Any]]


class Fake:
    """A service that answers what a test says. ``asked`` are (path, query, headers, body)."""

    def __init__(self) -> None:
        self.answer: Answer = reading
        self.token = ""
        self.loads = 0  # how often it says yet that its model is not there
        self.asked: list[tuple[str, dict[str, list[str]], Any, bytes]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *words: object) -> None:
                pass

            def do_GET(self) -> None:
                fake.reply(self, b"")

            def do_POST(self) -> None:
                fake.reply(self, self.rfile.read(int(self.headers["Content-Length"])))

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def reply(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        where = urlsplit(handler.path)
        if where.path == "/":
            page, policy = _page()
            self._send(handler, 200, page, "text/html; charset=utf-8", policy)
            return
        asked = parse_qs(where.query)
        self.asked.append((where.path, asked, handler.headers, body))
        given = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        if given != self.token:
            status, found = problem(401, "the token is missing or another one")
        elif self.loads:
            self.loads -= 1
            status, found = problem(503, "the model is loaded", remedy="ask again")
        else:
            status, found = (200, MODEL) if where.path == "/v1/model" else self.answer(asked)
        text = found if isinstance(found, str) else json.dumps(found)
        self._send(handler, status, text.encode(), "application/json", "")

    @staticmethod
    def _send(
        handler: BaseHTTPRequestHandler, status: int, body: bytes, kind: str, policy: str
    ) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        if policy:
            handler.send_header("Content-Security-Policy", policy)
        if status == 503:
            handler.send_header("Retry-After", "1")
        handler.end_headers()
        handler.wfile.write(body)

    @property
    def reads(self) -> list[dict[str, list[str]]]:
        return [asked for path, asked, _, _ in self.asked if path == "/v1/read"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with browsing() as page:
        yield page


@pytest.fixture
def fake() -> Iterator[Fake]:
    fake = Fake()
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


@pytest.fixture
def page(browser: Page, fake: Fake) -> Iterator[Page]:
    """The page, opened; what it asked for and complained of is looked at in the end."""
    browser.asked.clear(), browser.said.clear()
    browser.open(fake.url)
    yield browser
    assert browser.said == []  # no fault, and nothing that its policy refuses
    other = [url for url in browser.asked if not url.startswith((fake.url, "data:", "blob:"))]
    assert other == []


@pytest.fixture
def chest(tmp_path: Path) -> Path:
    file = tmp_path / "Doe^Jane <img src=x onerror=alert(1)>.png"
    Image.fromarray(film(0)).save(file)
    return file


def test_it_is_one_file_that_makes_no_markup() -> None:
    text = HTML.read_text("utf-8")
    assert len(re.findall("<style", text)) == len(re.findall("<script", text)) == 1
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(|<[^>]*\s(style|on[a-z]+)=", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Storage", text)


@pytest.mark.slow
@browser_only
def test_a_film_is_read_and_its_name_is_not_sent(page: Page, fake: Fake, chest: Path) -> None:
    remark = {"code": "ADULT", "words": "of an adult <b>by</b> its header", "withholds": False}
    fake.answer = lambda asked: reading(asked, remarks=[remark], findings=["ADULT"])
    page.wait("document.getElementById('model').textContent.includes('resnet18d')")
    page.choose("#files", chest)
    page.wait("document.querySelector('.outcome')")
    seen = page.text()
    assert "Normal" in seen and "Probability of pneumonia 0.250" in seen
    assert "Decided at youden: pneumonia from 0.400 (maximum youden, chosen on val)" in seen
    # Whatever comes from outside is text.
    assert chest.name in seen and "Of an adult <b>by</b> its header." in seen
    assert page.js("document.querySelectorAll('main b').length") == 1
    assert "normal, probability of pneumonia 0.250. Of an adult" in page.js(
        "document.querySelector('[aria-live=polite]').textContent"
    )
    (sent,) = (asked for asked in fake.asked if asked[0] == "/v1/read")
    assert sent[3] == chest.read_bytes()
    assert "Doe" not in str(fake.asked[0]) + str(sent[:3]) + str(sent[2])
    assert page.js("localStorage.length + sessionStorage.length + document.cookie.length") == 0
    # The person's own picture is shown; what a browser cannot show is the film as it was taken.
    assert page.js("document.querySelector('.card img').src").startswith("blob:")
    page.choose("#files", chest.rename(chest.with_suffix(".dcm")))
    page.wait("document.querySelector('.card img')?.naturalWidth === 448")
    assert "As the model takes it, 64 px" in page.text()


@pytest.mark.slow
@browser_only
def test_it_shows_what_the_service_itself_answers(
    browser: Page, up: Running, chest: Path, tmp_path: Path
) -> None:
    dicom = tmp_path / "x.dcm"
    save_dicom(dicom, film(0))
    holiday = tmp_path / "holiday.png"
    Image.effect_noise((300, 200), 80).convert("RGB").save(holiday)
    chosen = [chest, dicom, holiday, HTML]
    browser.said.clear()
    browser.open(up.url)
    browser.wait("!document.getElementById('points').hidden")
    browser.choose("#files", *chosen)
    browser.wait("document.querySelectorAll('.outcome').length === 4")
    cards = browser.js("[...document.querySelectorAll('.card')].map((card) => card.innerText)")
    for file, seen in zip(chosen, cards, strict=True):
        answer = up.client.post("/v1/read", content=file.read_bytes()).json()
        first = answer["films"][0]
        assert first["outcome"].capitalize() in seen
        assert first["error"] is not None or f"{first['probability']:.3f}" in seen
        for words in (*(remark["words"] for remark in first["remarks"]), answer.get("what", "")):
            assert words[1:] in seen  # as a sentence
    # The picture of the DICOM film, which no browser shows, comes from the service.
    browser.wait("document.querySelectorAll('.card img')[1].naturalWidth === 448")
    assert browser.said == []


@pytest.mark.slow
@browser_only
def test_the_point_decides_and_the_heat_is_shown_and_hidden(
    page: Page, fake: Fake, chest: Path
) -> None:
    page.wait("!document.getElementById('heats').hidden")
    page.choose("#files", chest)
    page.wait("document.querySelector('.outcome.normal')")
    page.js("point.value = 'sensitive'; point.dispatchEvent(new Event('change'))")
    page.wait("document.querySelector('.outcome.pneumonia')")
    page.js("heat.click()")
    page.wait("document.querySelector('.card img').naturalWidth === 554")
    assert [(a["point"], a.get("heatmap")) for a in fake.reads] == [
        (["youden"], None),
        (["sensitive"], None),
        (["sensitive"], ["png"]),
    ]
    assert "Heat is what moved the answer; it marks no finding" in page.text()
    assert "colour bar" in page.js("document.querySelector('.card img').alt")
    page.js("heat.click()")
    page.wait("document.querySelector('.card img').src.startsWith('blob:')")
    page.js("heat.click()")
    page.wait("document.querySelector('.card img').naturalWidth === 554")
    assert len(fake.reads) == 3


@pytest.mark.slow
@browser_only
def test_a_token_is_asked_for_and_kept_in_memory(browser: Page, fake: Fake, chest: Path) -> None:
    fake.token = "tok-7f3"
    browser.open(fake.url)
    browser.wait("document.activeElement.id === 'token'")
    browser.choose("#files", chest)  # waits until there is a token
    for word in ("wrong", "tok-7f3"):
        browser.js("document.getElementById('token').focus()")
        browser.call("Input.insertText", text=word)
        browser.key("Enter", 13)
        if word == "wrong":
            browser.wait("document.body.innerText.includes('This token was not accepted.')")
    browser.wait("document.querySelector('.outcome')")
    assert not browser.js("document.getElementById('ask').checkVisibility()")
    assert "tok-7f3" not in browser.js("document.documentElement.outerHTML")
    assert browser.js("localStorage.length + sessionStorage.length + document.cookie.length") == 0
    # It is changed while the page is open: the film waits.
    fake.token = "another"
    browser.js("point.value = 'sensitive'; point.dispatchEvent(new Event('change'))")
    browser.wait("document.getElementById('ask').checkVisibility()")
    browser.call("Input.insertText", text="another")
    browser.key("Enter", 13)
    browser.wait("document.querySelector('.outcome.pneumonia')")


@pytest.mark.slow
@browser_only
def test_what_is_refused_is_said_in_words(page: Page, fake: Fake, chest: Path) -> None:
    page.wait("!document.getElementById('points').hidden")
    fake.answer = lambda asked: problem(
        422, "the film cannot be read: it ends too early", got="x", expected="a film",
        remedy="send the file as it lies on disk",
    )  # fmt: skip
    page.choose("#files", chest)
    page.wait("document.querySelector('.facts')")
    seen = page.text()
    assert "Not read" in seen and "The film cannot be read: it ends too early." in seen
    assert re.search(r"got\s+x\s+expected\s+a film\s+remedy\s+send the file as it lies", seen)
    assert "Try again" not in seen  # the same film would be refused again
    # What a proxy says of its own.
    fake.answer = lambda asked: (502, "<html>Bad Gateway</html>")
    page.choose("#files", chest)
    page.wait("document.body.innerText.includes('does not answer')")
    assert "Bad Gateway" not in page.text()
    fake.answer = reading
    page.js("document.querySelector('.card button').click()")
    page.wait("document.querySelector('.outcome.normal')")
    # Too large: said at once, since a browser sees a connection closed in the middle of a film.
    before = len(fake.reads)
    large = chest.with_name("large.dcm")
    large.write_bytes(bytes(1024 * 1024 + 1))
    page.choose("#files", large)
    page.wait("document.querySelector('.facts')")
    assert "too large" in page.text() and "1 MB at most" in page.text()
    assert len(fake.reads) == before


@pytest.mark.slow
@browser_only
def test_a_busy_service_is_asked_again(page: Page, fake: Fake, chest: Path) -> None:
    page.wait("!document.getElementById('points').hidden")
    fake.answer = lambda asked: (
        problem(503, "more waits than is held") if len(fake.reads) < 2 else reading(asked)
    )
    page.choose("#files", chest)
    page.wait("document.body.innerText.includes('asked again in 1 s')")
    page.wait("document.querySelector('.outcome.normal')")
    # Withheld: no decision is shown.
    remark = {"code": "LATERAL", "words": "a lateral view", "withholds": True}
    fake.answer = lambda asked: reading(
        asked, outcome="withheld", decision=None, abstained=True, remarks=[remark]
    )
    page.choose("#files", chest)
    page.wait("document.querySelector('.outcome.plain')")
    assert "Withheld" in page.text() and "Nothing is decided of such a film." in page.text()
    assert "Probability" not in page.text()


@pytest.mark.slow
@browser_only
def test_a_service_that_loads_is_waited_for(browser: Page, fake: Fake, chest: Path) -> None:
    fake.loads = 1
    browser.open(fake.url)
    browser.wait("document.body.innerText.includes('The model is loaded: ask again.')")
    browser.choose("#files", chest)
    browser.wait("document.querySelector('.outcome.normal')")
    assert "ask again" not in browser.text()


@pytest.mark.slow
@browser_only
def test_many_are_dropped_and_the_first_sixteen_read(page: Page, fake: Fake, chest: Path) -> None:
    page.wait("!document.getElementById('points').hidden")
    others = [chest.with_name(f"{i}.dcm") for i in range(17)]
    for other in others:
        other.write_bytes(b"DICM")
    page.drop(640, 900, *others)  # beside the zone: a browser would open it
    page.wait("document.querySelectorAll('.outcome').length === 16")
    assert "16 films at a time: 1 of 17 were left out." in page.text()
    names = page.js("[...document.querySelectorAll('.card h2')].map((name) => name.textContent)")
    assert names == [f"{i}.dcm" for i in range(16)] and len(fake.reads) == 16
    page.js("document.getElementById('clear').click()")
    assert page.js("document.querySelectorAll('.card').length") == 0


@pytest.mark.slow
@browser_only
def test_it_is_used_by_keyboard_and_told_to_screen_readers(page: Page, fake: Fake) -> None:
    page.wait("!document.getElementById('points').hidden")
    reached = []
    for _ in range(3):
        page.key("Tab", 9)
        reached.append(page.js("document.activeElement.id"))
    assert reached == ["files", "point", "heat"]
    page.js("document.getElementById('files').focus()")
    ring = page.js("getComputedStyle(document.getElementById('drop')).outlineStyle")
    assert ring == "solid"
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    named = {
        (node["role"]["value"], node["name"]["value"])
        for node in tree
        if not node["ignored"] and node.get("name", {}).get("value")
    }
    assert ("heading", "Read a chest film") in named
    assert any(role == "button" and name.startswith("Drop films here") for role, name in named)
    assert ("combobox", "Decide at") in named
    assert ("checkbox", "Where the model looks (heatmap)") in named
    roles = {node["role"]["value"] for node in tree}
    assert {"banner", "main", "contentinfo", "status"} <= roles


@pytest.mark.slow
@browser_only
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_in_one_direction(
    browser: Page, fake: Fake, chest: Path, scheme: str
) -> None:
    browser.open(fake.url, width=390, height=844, scheme=scheme)
    browser.wait("!document.getElementById('points').hidden")
    browser.choose("#files", chest)
    browser.wait("document.querySelector('.outcome')")
    assert browser.js("document.documentElement.scrollWidth") == 390
    paper = browser.js("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(20, 23, 26)" if scheme == "dark" else "rgb(255, 254, 251)")
    sides = browser.js(
        "['drop', 'point', 'clear'].map((id) => document.getElementById(id)"
        ".getBoundingClientRect()).every((box) => box.height >= 44)"
    )
    assert sides  # large enough for a finger
