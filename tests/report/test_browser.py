"""The report in a real browser: no error in the console, nothing wider than a phone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.pages import CHROMIUM, framed

from pneumoscope.report.kit.heat import Heatmaps
from pneumoscope.report.run import render
from pneumoscope.report.run.render import write_report

OPENED = 'for (const part of inner.querySelectorAll("details")) part.open = true;'
SORTED = """
  const table = inner.querySelector("#films table.sortable");
  const head = [...table.tHead.rows[0].cells].at(-1);
  const column = () => [...table.tBodies[0].rows].map((row) => Number(row.cells[3].textContent));
  head.querySelector("button").click();
  const rising = column();
  head.querySelector("button").click();
  const points = inner.querySelector("#operating table.sortable");
  points.tHead.rows[0].cells[2].querySelector("button").click();
  const sensitivity = [...points.tBodies[0].rows].map((row) => Number(row.cells[2].dataset.value));
"""
"""The films by a column, up and then down, and the operating points by another."""


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium binary on this machine")
def test_browser_finds_no_fault(reported: Path, tmp_path: Path) -> None:
    page = (reported / "report.html").read_text(encoding="utf-8")
    seen = 'sensitivity, rising, falling: column(), sort: head.getAttribute("aria-sort")'
    for found in framed(page, tmp_path, first=OPENED + SORTED, more=seen):
        assert found["rising"] == sorted(found["rising"])
        assert found["falling"] == found["rising"][::-1]
        assert found["sort"] == "descending"
        assert found["sensitivity"] == sorted(found["sensitivity"])
        assert len(set(found["sensitivity"])) > 1


NAMED = """
  const images = [...inner.images];
  const named = (node) => node.getAttribute("role") === "region" && node.ariaLabel;
"""
LOOK = """
    images: images.length, nameless: images.filter((image) => !image.alt).length,
    broken: images.filter((image) => !image.naturalWidth).length,
    heats: inner.querySelectorAll("img.heat").length,
    tables: inner.querySelectorAll("table").length,
    reached: [...inner.querySelectorAll(".scroll[tabindex='0']")].filter(named).length,
    keys: [...inner.querySelectorAll("table.sortable th[scope=col]")].map(
      (head) => head.querySelector("button")?.tabIndex ?? -1),
"""


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium binary on this machine")
def test_films_heat_and_shortcuts_on_a_phone(
    make_run: Callable[..., Path],
    film: Callable[[str], np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(render, "draw_all", lambda judged: {})
    monkeypatch.setattr(render, "_pictures", lambda context: {})
    folder, heat = make_run(), np.eye(28, dtype=np.float32)
    metrics = json.loads((folder / "metrics.json").read_text())
    auroc = {"value": 0.9, "low": 0.85, "high": 0.94, "level": 0.95, "method": "DeLong", "n": 60}
    lost = {**auroc, "p": 0.5}
    part = {"auroc": auroc, "difference": lost, "share": auroc, "finding": "It predicts."}
    names = ("full", "border", "centre", "thumbnail")
    metrics["shortcuts"] = [{"variant": name, **part} for name in names]
    (folder / "metrics.json").write_text(json.dumps(metrics))
    report = write_report(
        folder,
        film,
        heat=lambda image_ids: lambda: Heatmaps(dict.fromkeys(image_ids, heat), "one way"),
        hidden=lambda image_id: dict.fromkeys(names, film(image_id)),
    )
    # The frame's load event waits for eager images alone, and the browser waits for nothing else.
    page = report.read_text(encoding="utf-8").replace('loading="lazy"', 'loading="eager"')
    (found,) = framed(page, tmp_path, (390,), first=OPENED + NAMED, more=LOOK)
    assert found["images"] > 40 and found["heats"] > 8 and found["nameless"] == 0
    assert found["broken"] == 0
    assert found["reached"] == found["tables"]
    assert len(found["keys"]) > 10 and set(found["keys"]) == {0}


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_words_stand_out_in_light_dark_and_print() -> None:
    style = (Path(render.__file__).parents[1] / "templates" / "report.css").read_text(
        encoding="utf-8"
    )
    palettes = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6}|#[0-9a-f]{3})\b", block))
        for block in re.findall(r":root \{([^}]*)\}", style)
    ]
    assert len(palettes) == 3
    for palette in palettes:
        full = {
            k: c if len(c) == 7 else "#" + "".join(2 * x for x in c[1:]) for k, c in palette.items()
        }
        pairs = [(role, "paper") for role in ("ink", "muted", "normal", "pneumonia", "accent")]
        for ink, paper in [*pairs, ("ink", "wash"), ("muted", "wash"), ("warn-ink", "warn-wash")]:
            light, dark = sorted((luminance(full[ink]), luminance(full[paper])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper, palette)
