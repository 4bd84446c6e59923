"""HTML pages: their tags and text, a real browser to open them, and words that may break them."""

from __future__ import annotations

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

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
        timeout=60,
        check=False,
    )
    return done.stderr, done.stdout


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
