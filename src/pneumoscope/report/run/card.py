"""``model_card.md``: what a person must know before using the model, on one page."""

from __future__ import annotations

from collections.abc import Iterator

from pneumoscope.errors import printable
from pneumoscope.formatting import one_call, split_name
from pneumoscope.manifest import Flow
from pneumoscope.readings import OperatingPoint
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.kit.door import door_lines
from pneumoscope.report.kit.page import DISCLAIMER
from pneumoscope.report.review import (
    abstention,
    calibration,
    people,
    points,
    shortcuts,
    withheld,
    yardsticks,
)
from pneumoscope.report.run import sites, tables
from pneumoscope.report.run.answers import answers
from pneumoscope.report.run.model import AUROC_WORDS, HOW_TO_USE, INTENDED, OUT_OF_SCOPE, views
from pneumoscope.report.run.summary import limits
from pneumoscope.run import Run


def card_text(run: EvaluatedRun) -> str:
    """The model card as Markdown (CommonMark with tables), ending with a line break."""
    parts = (
        _head(run),
        _answers(run),
        _intended_use(),
        _use(run),
        _model(run),
        _data(run),
        _people(run),
        _sites(run),
        _metrics(run),
        _yardsticks(run),
        _points(run),
        _calibration(run),
        _limits(run),
    )
    written = ("\n".join(part) for part in parts)
    return "\n\n".join(part for part in written if part) + "\n"


def _head(run: EvaluatedRun) -> Iterator[str]:
    yield f"# Model card: {_plain(run.name)}"
    yield ""
    yield f"**{DISCLAIMER}**"


def _answers(run: EvaluatedRun) -> Iterator[str]:
    yield "## In short"
    yield ""
    for answer in answers(run):
        yield f"- **{answer.lead}** {_plain(answer.text)}"
    yield ""
    yield AUROC_WORDS


def _intended_use() -> Iterator[str]:
    yield "## Intended use"
    yield ""
    yield INTENDED
    yield ""
    yield f"Out of scope: {OUT_OF_SCOPE[0].lower()}{OUT_OF_SCOPE[1:]}"


def _use(run: EvaluatedRun) -> Iterator[str]:
    point = run.results.operating_point
    yield "## How to use"
    yield ""
    yield "```python"
    yield HOW_TO_USE
    yield "```"
    yield ""
    yield (
        f"A film is called pneumonia when its probability is at least {run.threshold:.3f} "
        f"({_origin(point)})."
    )


def _origin(point: OperatingPoint) -> str:
    if point.name == "fixed":
        return "fixed beforehand"
    return (
        f"operating point “{_plain(point.name)}”, {_plain(point.rule)}, "
        f"chosen on the {_plain(split_name(point.chosen_on))} split"
    )


def _model(run: EvaluatedRun) -> Iterator[str]:
    model = run.model
    if not model:
        return
    spec, lineage = model.get("input", {}), model.get("lineage", {})
    cells = spec.get("local_contrast")
    yield "## Model"
    yield ""
    yield f"- Backbone: {_plain(model.get('backbone', 'unknown'))}, {_millions(model)} parameters"
    digest, package = lineage.get("weights_sha256"), lineage.get("weights_package")
    yield (
        f"- Weights it began from: {_plain(model.get('weights', 'unknown'))}"
        + (f", of the package {_plain(package)}" if package else "")
        + (f", SHA-256 {_plain(digest)}" if digest else "")
    )
    yield (
        f"- Input: one grey image, 0–255, air dark, stored at {spec.get('stored')} px, seen by "
        f"the network at {spec.get('network')} px; normalisation is part of the model"
        + (f", of local contrast on {cells} × {cells} cells" if cells else "")
    )
    yield f"- Logit, the answer before it is made a probability: {views(model)}"
    if "site" in lineage and "epochs" not in lineage:
        yield "- Trained: its last layer alone, on the labelled films of the site it was adapted to"
        return
    yield (
        f"- Trained with recipe “{_plain(lineage.get('recipe', ''))}” for "
        f"{lineage.get('epochs')} epochs; epoch {lineage.get('best_epoch')} kept"
    )


_KEPT = (
    "- Kept of these films: `reference.npz`, by which who has a film can test whether it is among "
    "them; it shows no more of any than a coarse blur. The model works without it"
)


def _data(run: EvaluatedRun) -> Iterator[str]:
    source = run.manifest.get("source")
    if source is None:
        return
    yield "## Data"
    yield ""
    yield f"- Source: {_plain(source['name'])} ({_plain(source['form'])})"
    yield f"- Fingerprint: `{_plain(source['fingerprint'])}`"
    if run.door:
        yield from (f"- {line.title}: {_plain(line.text)}" for line in door_lines(run.door))
    elif flow := run.manifest.get("flow"):
        yield from _flow(flow)
    for note in source["notes"]:
        yield f"- {_plain(note)}"
    if Run(run.folder).reference_file.is_file():
        yield _KEPT


def _flow(flow: Flow) -> Iterator[str]:
    """What a run of before its door was kept says of its films."""
    for name, split in flow.get("splits", {}).items():
        counts = f"{split['n']:,} films, {split['positives']:,} with pneumonia"
        yield f"- {_plain(split_name(name))}: {counts}"
    for dropped in flow.get("dropped", ()):
        yield f"- left out: {dropped['count']:,}, {_plain(dropped['reason'])}"


def _people(run: EvaluatedRun) -> Iterator[str]:
    rows = people.who_rows(run)
    if not rows and run.known_set is None:
        return
    yield "## Who is in it"
    yield ""
    for name, text in people.set_lines(run.known_set):
        yield f"- {name}: {_plain(text)}"
    if rows:
        yield ""
        yield "| Split | Films | Patients | Age | Sex | View |"
        yield "|---|---:|---:|---|---|---|"
    for row in rows:
        cells = (row.split, row.films, row.patients, row.age, row.sex, row.view)
        yield f"| {' | '.join(map(_plain, cells))} |"


def _yardsticks(run: EvaluatedRun) -> Iterator[str]:
    rows = yardsticks.card_rows(run)
    if not rows:
        return
    yield "## Beside what: AUROC on the same films"
    yield ""
    yield "| What | AUROC | Source |"
    yield "|---|---:|---|"
    for row in rows:
        yield f"| {' | '.join(map(_plain, row))} |"


def _sites(run: EvaluatedRun) -> Iterator[str]:
    if not run.results.sites:
        return
    columns, groups = sites.columns(run), sites.metric_rows(run)
    yield f"## Performance by site, on the {_plain(split_name(run.split))} split"
    yield ""
    if told := run.sites_told:
        yield _plain(f"Among the training films: {told.label_words} {told.film_words}")
        yield ""
    yield f"| Metric | {' | '.join(map(_plain, columns))} |"
    yield f"|---|{'---:|' * len(columns)}"
    for _, rows in groups:
        for row in rows:
            cells = " | ".join(f"{value} ({interval})" for value, interval in row.cells)
            yield f"| {_plain(row.metric.title)} | {cells} |"


def _metrics(run: EvaluatedRun) -> Iterator[str]:
    split, n = _plain(split_name(run.split)), run.results.n
    yield f"## Performance on the {split} split, n = {n:,}"
    yield ""
    metrics = run.results.metrics
    if same := one_call(metrics["sensitivity"].value, metrics["specificity"].value):
        yield f"**{same}**"
        yield ""
    yield "| Metric | Value | 95% interval | By |"
    yield "|---|---:|---:|---|"
    for _, rows in tables.metric_groups(run):
        for row in rows:
            what = _plain(f"{row.title}: {row.gloss}" if row.gloss else row.title)
            yield f"| {what} | {row.value} | {row.interval} | {_plain(row.method)} |"
    if said := withheld.words(run):
        yield ""
        yield _plain(said)


def _points(run: EvaluatedRun) -> Iterator[str]:
    rows = points.point_rows(run)
    if not rows:
        return
    yield "## Operating points"
    yield ""
    yield (
        "Chosen on validation films, unless fixed beforehand; the first is the one that decides. "
        f"The scale of the thresholds: {_plain(run.scale_words)}."
    )
    yield ""
    for said in filter(None, (points.words(run), points.close_words(rows))):
        yield _plain(said)
        yield ""
    yield (
        "| Point | Threshold | Sensitivity | on validation | Specificity | on validation "
        "| PPV | NPV |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for row in rows:
        here = [f"{value} ({interval})" for value, interval in row.cells]
        there = [f"{value} ({interval})" for value, interval in row.validation] or ["–", "–"]
        cells = " | ".join((here[0], there[0], here[1], there[1], *here[2:]))
        names = _plain(", ".join(row.names))
        yield f"| {names}: {_plain(row.rule)} | {row.threshold} | {cells} |"


def _calibration(run: EvaluatedRun) -> Iterator[str]:
    said = (calibration.words(run), abstention.words(run))
    if not any(said):
        return
    yield "## Calibration and abstention"
    yield ""
    yield from (f"- {_plain(text)}" for text in said if text)


def _limits(run: EvaluatedRun) -> Iterator[str]:
    yield "## Limits: what these figures do not show"
    yield ""
    for sentence in limits(run):
        yield f"- {_plain(sentence)}"
    for sentence in shortcuts.findings(run):
        yield f"- {_plain(sentence)}"
    yield f"- {DISCLAIMER}"


def _millions(model: object) -> str:
    count = model.get("parameters") if isinstance(model, dict) else None
    return f"{count / 1e6:.1f} million" if isinstance(count, int | float) else "unknown"


def _plain(value: object) -> str:
    """``value`` on one line, with the characters that Markdown or HTML would act on disarmed."""
    text = printable(" ".join(str(value).split()))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("`", "'")
