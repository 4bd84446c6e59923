"""The shortcut check on the page: rows with intervals, the example film, the finding in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pneumoscope.evaluation.shortcuts import evaluate_shortcuts
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.plain import to_plain
from pneumoscope.report.evaluated import read_evaluated
from pneumoscope.report.kit.gallery import choose_films
from pneumoscope.report.run.render import write_report

pytestmark = pytest.mark.usefixtures("undrawn")

VARIANTS = ("full", "border", "centre", "thumbnail")


def checked(folder: Path, border: float) -> Path:
    """The run with a shortcut check whose border holds this part of the model's logit."""
    table = pd.read_csv(folder / "predictions.csv", dtype={"patient_id": "string"})
    draw = np.random.default_rng(0)
    noise = {name: draw.normal(size=len(table)) * 2 for name in ("border", "thumbnail")}
    hidden = table[["image_id"]].assign(
        border=border * table["logit"] + (1 - border) * noise["border"],
        centre=table["logit"],
        thumbnail=noise["thumbnail"],
    )
    metrics = json.loads((folder / "metrics.json").read_text())
    quick = IntervalSettings(resamples=200)
    found = evaluate_shortcuts(table, hidden, split="test", settings=quick)
    metrics["shortcuts"] = [to_plain(each) for each in found]
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def section(page: str) -> str:
    return page[page.index('<section id="shortcuts"') :].split("</section>")[0]


def cells(text: str) -> list[tuple[str, str]]:
    return re.findall(r'<td class="num(?: value)?">([^<]+)<small>([^<]*)</small>', text)


def test_each_part_with_interval_and_picture(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    folder, asked = checked(make_run(), 0.9), []

    def hidden(image_id: str) -> dict[str, np.ndarray]:
        asked.append(image_id)
        return {name: np.full((28, 28), 40 * at, np.uint8) for at, name in enumerate(VARIANTS)}

    page = write_report(folder, film, hidden=hidden).read_text(encoding="utf-8")
    text = section(page)
    judged = read_evaluated(folder)
    found = judged.results.shortcuts
    gallery = choose_films(judged.predictions, judged.threshold)
    assert asked == [gallery.true_positives[len(gallery.true_positives) // 2].image_id]
    pictures = re.findall(r'<img src="(data:[^"]+)" alt="([^"]+)"', text)
    assert len({uri for uri, _ in pictures}) == len(pictures) == 4
    assert all("as the network saw it" in alt for _, alt in pictures)
    printed = cells(text)
    assert len(printed) == 12
    for each, (auroc, kept, lost) in zip(
        found, zip(*[iter(printed)] * 3, strict=True), strict=True
    ):
        span = f"{each.auroc.low:.3f}–{each.auroc.high:.3f}"
        assert auroc == (f"{each.auroc.value:.3f}", span)
        if each.variant == "full":
            assert kept == lost == ("–", "")
        else:
            share = f"{100 * each.share.value:.0f}%"
            assert kept[0].replace("−", "-") == share and "%" in kept[1]
            assert lost[0].replace("−", "-") == f"{each.difference.value:.3f}"
            assert " to " in lost[1] or "–" in lost[1]


def test_a_finding_stands_in_the_section_the_summary_and_the_card(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    folder = checked(make_run(), 0.9)
    page = write_report(folder, film).read_text(encoding="utf-8")
    assert "<strong>Finding.</strong> From the outer tenth alone" in section(page)
    summary = page[page.index('id="summary"') :].split("</section>")[0]
    assert "their outer tenth alone, with little lung, gives it AUROC" in summary
    assert "<strong>Shortcuts.</strong> From the outer tenth alone" in page
    assert "- From the outer tenth alone" in (folder / "model_card.md").read_text(encoding="utf-8")
    assert "<img" not in section(page)


def test_no_finding_is_said_and_is_not_taken_for_a_proof(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    page = write_report(checked(make_run(), 0.0), film).read_text(encoding="utf-8")
    assert "Finding." not in section(page)
    assert "No finding on the border: by its interval it may tell nothing." in section(page)
    assert "no finding is no proof" in section(page)
    assert "<strong>Shortcuts.</strong>" not in page


def test_a_trace_is_told_from_nothing(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    folder = checked(make_run(), 0.0)

    def raise_border(metrics: dict[str, Any]) -> None:
        metrics["shortcuts"][1]["auroc"].update(value=0.58, low=0.53, high=0.63)

    metrics = json.loads((folder / "metrics.json").read_text())
    raise_border(metrics)
    (folder / "metrics.json").write_text(json.dumps(metrics))
    page = write_report(folder, film).read_text(encoding="utf-8")
    assert "it tells more than chance, as arms" in section(page)


def test_a_run_that_was_checked_before_shares_existed(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    folder = checked(make_run(), 0.9)
    metrics = json.loads((folder / "metrics.json").read_text())
    for each in metrics["shortcuts"]:
        del each["share"]
    (folder / "metrics.json").write_text(json.dumps(metrics))
    text = section(write_report(folder, film).read_text(encoding="utf-8"))
    assert "skill kept by" not in text and "Border only" in text


def test_a_run_that_was_not_checked(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    page = write_report(make_run(), film).read_text(encoding="utf-8")
    assert '<section id="shortcuts"' not in page
