"""``model_card.md``: what a person must know before using the model, on one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pneumoscope.errors import printable
from pneumoscope.formatting import split_name
from pneumoscope.report.kit.page import DISCLAIMER
from pneumoscope.report.review import text as review
from pneumoscope.report.run import summary, tables
from pneumoscope.report.run.folder import Judged


def card_text(judged: Judged) -> str:
    """The model card as Markdown (CommonMark with tables), ending with a line break."""
    parts = (
        _head(judged),
        _intended_use(),
        _use(judged),
        _model(judged),
        _data(judged),
        _metrics(judged),
        _points(judged),
        _calibration(judged),
        _limits(judged),
    )
    written = ("\n".join(part) for part in parts)
    return "\n\n".join(part for part in written if part) + "\n"


def _head(judged: Judged) -> Iterator[str]:
    yield f"# Model card: {_plain(judged.name)}"
    yield ""
    yield f"**{DISCLAIMER}**"


def _intended_use() -> Iterator[str]:
    yield "## Intended use"
    yield ""
    yield summary.INTENDED
    yield ""
    yield f"Out of scope: {summary.OUT_OF_SCOPE[0].lower()}{summary.OUT_OF_SCOPE[1:]}"


def _use(judged: Judged) -> Iterator[str]:
    point = judged.metrics["operating_point"]
    yield "## How to use"
    yield ""
    yield "```python"
    yield summary.HOW_TO_USE
    yield "```"
    yield ""
    yield (
        f"A film is called pneumonia when its probability is at least {judged.threshold:.3f} "
        f"({_origin(point)})."
    )


def _origin(point: Mapping[str, Any]) -> str:
    if point.get("name") == "fixed":
        return "fixed beforehand"
    return (
        f"operating point “{_plain(point.get('name', ''))}”, {_plain(point.get('rule', ''))}, "
        f"chosen on the {_plain(split_name(point.get('chosen_on', 'unknown')))} split"
    )


def _model(judged: Judged) -> Iterator[str]:
    model = judged.model
    if not model:
        return
    spec, lineage = model.get("input", {}), model.get("lineage", {})
    cells = spec.get("local_contrast")
    yield "## Model"
    yield ""
    yield f"- Backbone: {_plain(model.get('backbone', 'unknown'))}, {_millions(model)} parameters"
    digest = lineage.get("weights_sha256")
    yield f"- Weights it began from: {_plain(model.get('weights', 'unknown'))}" + (
        f", SHA-256 {_plain(digest)}" if digest else ""
    )
    yield (
        f"- Input: one grey image, 0–255, air dark, stored at {spec.get('stored')} px, seen by "
        f"the network at {spec.get('network')} px; normalisation is part of the model"
        + (f", of local contrast on {cells} × {cells} cells" if cells else "")
    )
    yield f"- Logit: {summary.views(model)}"
    yield (
        f"- Trained with recipe “{_plain(lineage.get('recipe', ''))}” for "
        f"{lineage.get('epochs')} epochs; epoch {lineage.get('best_epoch')} kept"
    )


def _data(judged: Judged) -> Iterator[str]:
    source, flow = judged.run.get("source", {}), judged.run.get("flow", {})
    yield "## Data"
    yield ""
    yield f"- Source: {_plain(source.get('name', 'unknown'))} ({_plain(source.get('form', ''))})"
    yield f"- Fingerprint: `{_plain(source.get('fingerprint', ''))}`"
    for name, split in flow.get("splits", {}).items():
        counts = f"{split['n']:,} films, {split['positives']:,} with pneumonia"
        yield f"- {_plain(split_name(name))}: {counts}"
    for dropped in flow.get("dropped", ()):
        yield f"- left out: {dropped['count']:,}, {_plain(dropped['reason'])}"
    for note in source.get("notes", ()):
        yield f"- {_plain(note)}"


def _metrics(judged: Judged) -> Iterator[str]:
    split, n = _plain(split_name(judged.split)), int(judged.metrics["n"])
    yield f"## Performance on the {split} split, n = {n:,}"
    yield ""
    yield "| Metric | Value | Interval | By |"
    yield "|---|---:|---:|---|"
    for _, rows in tables.metric_groups(judged):
        for row in rows:
            yield f"| {_plain(row.title)} | {row.value} | {row.interval} | {_plain(row.method)} |"


def _points(judged: Judged) -> Iterator[str]:
    rows = review.point_rows(judged)
    if not rows:
        return
    yield "## Operating points"
    yield ""
    yield "Chosen on validation films, unless fixed beforehand; the first is the one that decides."
    yield ""
    yield "| Point | Threshold | Sensitivity | Specificity | PPV | NPV |"
    yield "|---|---:|---:|---:|---:|---:|"
    for row in rows:
        cells = " | ".join(f"{value} ({interval})" for value, interval in row.cells)
        yield f"| {_plain(row.name)}: {_plain(row.rule)} | {row.threshold} | {cells} |"


def _calibration(judged: Judged) -> Iterator[str]:
    said = (review.calibration_words(judged), review.abstention_words(judged))
    if not any(said):
        return
    yield "## Calibration and abstention"
    yield ""
    yield from (f"- {_plain(text)}" for text in said if text)


def _limits(judged: Judged) -> Iterator[str]:
    yield "## Limits: what these figures do not show"
    yield ""
    for sentence in summary.limits(judged):
        yield f"- {_plain(sentence)}"
    for sentence in summary.shortcut_findings(judged):
        yield f"- {_plain(sentence)}"
    yield f"- {DISCLAIMER}"


def _millions(model: object) -> str:
    count = model.get("parameters") if isinstance(model, dict) else None
    return f"{count / 1e6:.1f} million" if isinstance(count, int | float) else "unknown"


def _plain(value: object) -> str:
    """``value`` on one line, with the characters that Markdown or HTML would act on disarmed."""
    text = printable(" ".join(str(value).split()))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("`", "'")
