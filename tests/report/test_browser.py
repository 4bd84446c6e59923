"""The report in a real browser: no error in the console, nothing wider than a phone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --enable-logging=stderr --v=0 "
    "--virtual-time-budget=3000 --dump-dom"
)

# The report is shown in a frame of the width to test: a headless window has a least width of
# its own. srcdoc shares the origin, so the frame can be measured from outside.
PROBE = """<!doctype html><iframe id="page" style="width:WIDTHpx;height:900px;border:0"></iframe>
<pre id="found">nothing</pre>
<script id="text" type="application/json">TEXT</script>
<script>
const text = JSON.parse(document.getElementById("text").textContent);
const frame = document.getElementById("page");
frame.addEventListener("load", () => {
  const inner = frame.contentDocument, root = inner.documentElement;
  for (const part of inner.querySelectorAll("details")) part.open = true;
  const clipped = (node) => node.closest(".scroll, pre, .skip");
  const wide = [...inner.body.querySelectorAll("*")]
    .filter((node) => !clipped(node) && node.getBoundingClientRect().right > WIDTH + 0.5)
    .map((node) => node.tagName + "." + (node.className.baseVal ?? node.className));
  const table = inner.querySelector("#films table.sortable");
  const head = [...table.tHead.rows[0].cells].at(-1);
  const column = () => [...table.tBodies[0].rows].map((row) => Number(row.cells[3].textContent));
  head.querySelector("button").click();
  const rising = column();
  head.querySelector("button").click();
  const points = inner.querySelector("#operating table.sortable");
  points.tHead.rows[0].cells[2].querySelector("button").click();
  const sensitivity = [...points.tBodies[0].rows].map((row) => Number(row.cells[2].dataset.value));
  document.getElementById("found").textContent = JSON.stringify({
    scroll: root.scrollWidth, inner: frame.contentWindow.innerWidth, wide: wide.slice(0, 5),
    sensitivity, rising, falling: column(), sort: head.getAttribute("aria-sort"),
  });
});
frame.srcdoc = text;
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium binary on this machine")
@pytest.mark.parametrize("width", [390, 1280])
def test_browser_finds_no_fault(reported: Path, tmp_path: Path, width: int) -> None:
    text = json.dumps((reported / "report.html").read_text(encoding="utf-8")).replace(
        "<", "\\u003c"
    )
    probe = tmp_path / "probe.html"
    probe.write_text(PROBE.replace("WIDTH", str(width)).replace("TEXT", text, 1), encoding="utf-8")
    log, dom = browse(probe, tmp_path)
    assert not [line for line in log.splitlines() if "CONSOLE" in line], log
    measured = re.search(r'<pre id="found">(.*?)</pre>', dom, flags=re.DOTALL)
    assert measured, dom[:500]
    found = json.loads(unescape(measured[1]))
    assert found["inner"] == width
    assert found["scroll"] <= width, found["wide"]
    assert found["wide"] == []
    assert found["rising"] == sorted(found["rising"])
    assert found["falling"] == found["rising"][::-1]
    assert found["sort"] == "descending"
    assert found["sensitivity"] == sorted(found["sensitivity"])
    assert len(set(found["sensitivity"])) > 1


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
