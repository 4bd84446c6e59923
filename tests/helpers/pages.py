"""HTML pages: their tags and text, a real browser to open them, and words that may break them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --enable-logging=stderr --v=0 "
    "--virtual-time-budget=3000 --dump-dom"
)


def browse(page: Path, tmp_path: Path) -> tuple[str, str]:
    """Open ``page`` headless: the browser's log, and the document after its scripts ran."""
    assert CHROMIUM
    done = subprocess.run(
        [CHROMIUM, *FLAGS.split(), f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,  # two seconds where nothing works beside
        check=False,
    )
    return done.stderr, done.stdout


WIDTHS = (390, 1280)
"""Of a phone's window and of a laptop's, in CSS pixels."""

# The page is shown in a frame of the width to test: a headless window has a least width of its own.
# srcdoc shares the origin, so the frame can be measured from outside.
_FRAMES = """<!doctype html><body><pre id="found">nothing</pre>
<script id="text" type="application/json">TEXT</script>
<script>
const found = {};
const measured = (frame, width) => {
  const inner = frame.contentDocument;
  FIRST
  const wide = [...inner.body.querySelectorAll("*")]
    .filter((node) => !node.closest(".scroll, pre, .skip"))
    .filter((node) => node.getBoundingClientRect().right > width + 0.5)
    .map((node) => node.tagName + "." + (node.className.baseVal ?? node.className));
  return {
    inner: frame.contentWindow.innerWidth, scroll: inner.documentElement.scrollWidth,
    wide: wide.slice(0, 5),
    asked: frame.contentWindow.performance.getEntriesByType("resource")
      .map((entry) => entry.name).filter((name) => !name.startsWith("data:")),
    MORE
  };
};
for (const width of WIDTHS) {
  const frame = document.createElement("iframe");
  frame.style = `width:${width}px;height:900px;border:0`;
  frame.srcdoc = JSON.parse(document.getElementById("text").textContent);
  frame.addEventListener("load", () => {
    found[width] = measured(frame, width);
    document.getElementById("found").textContent = JSON.stringify(found);
  });
  document.body.append(frame);
}
</script>"""


def framed(
    page: str, tmp_path: Path, widths: Sequence[int] = WIDTHS, *, first: str = "", more: str = ""
) -> list[dict[str, Any]]:
    """What a browser finds of a page at each width, after the statements ``first``: the fields
    ``more``, of JavaScript. Fails where its console says anything, where the page asks for a file,
    or where something is wider than the window that cannot be scrolled."""
    filled = _FRAMES.replace("WIDTHS", str(list(widths))).replace("FIRST", first)
    text = json.dumps(page).replace("<", "\\u003c")
    probe = tmp_path / "probe.html"
    probe.write_text(filled.replace("MORE", more).replace("TEXT", text, 1), encoding="utf-8")
    log, dom = browse(probe, tmp_path)
    assert not [line for line in log.splitlines() if "CONSOLE" in line], log
    measured = re.search(r'<pre id="found">(.*?)</pre>', dom, flags=re.DOTALL)
    assert measured, dom[:500]
    by_width = json.loads(unescape(measured[1]))
    for width, found in zip(widths, by_width.values(), strict=True):
        assert found["inner"] == width
        assert found["scroll"] <= width, found["wide"]
        assert found["wide"] == found["asked"] == []
    return list(by_width.values())


HOSTILE = "<script>alert('x')</script>\"&$\\frac{|`"


class Page(HTMLParser):
    """What the browser would see: tags with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(report: Path) -> str:
    return report.read_text(encoding="utf-8")
