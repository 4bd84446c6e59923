"""Words of an export: what its certificate says, for the terminal and the model card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pneumoscope.export.quantise import Int8, int8_words
from pneumoscope.formatting import plural
from pneumoscope.manifest import ExportEntry, OpenVinoEntry
from pneumoscope.plain import from_plain


def certificate_rows(entry: ExportEntry) -> Iterator[tuple[str, str]]:
    """(what, outcome) of each comparison, then of what could not be compared."""
    if entry["int8"]:
        found = from_plain(Int8, entry["int8"])
        yield (
            f"int8, beside float32 on {plural(found.films, 'film')} (validation)",
            f"{int8_words(found)}; what follows is of the model before it was quantised",
        )
    for check in entry["certificate"]["checks"]:
        yield _check_row(check)
    if (second := entry.get("openvino")) is not None:
        yield from _openvino_rows(second)
    if (apart := entry["certificate"]["bf16_difference"]) is not None:
        yield (
            "the run in bf16",
            f"its own logits differ from those in float32 by up to {apart:.2g} on the phantoms: "
            "that is what predict RUN gives on this processor",
        )
    for text in entry["certificate"]["not_tried"]:
        yield "not tried", text


def _openvino_rows(second: OpenVinoEntry) -> Iterator[tuple[str, str]]:
    name = f"OpenVINO {second['version']}"
    if second["int8"]:
        found = from_plain(Int8, second["int8"])
        yield f"{name}, int8, beside float32 in ONNX Runtime", int8_words(found)
    for check in second["checks"]:
        what, outcome = _check_row(check)
        yield f"{name}: {what}", outcome


def _check_row(check: Mapping[str, Any]) -> tuple[str, str]:
    batches = ", ".join(map(str, check["batches"]))
    return (
        f"{check['model']}, {plural(check['count'], 'film')} ({check['films']})",
        f"logits differ by {check['largest_difference']:.1g} at most, every decision is equal; "
        f"in batches of {batches}",
    )


def card_section(entry: ExportEntry, graph: str) -> str:
    """The part of the model card that is about the export; ``graph`` is its file's name."""
    versions = ", ".join(f"{name} {version}" for name, version in entry["versions"].items())
    lines = [
        "## This export",
        "",
        f"- `{graph}`, SHA-256 `{entry['sha256']}`: ONNX, opset {entry['opset']}; {versions}",
        "- Input `films`: uint8 (B, S, S), 0–255, air dark. Output `logit`: float32 (B,), of "
        "pneumonia, on the scale of the thresholds",
    ]
    lines += [f"- {what}: {outcome}" for what, outcome in certificate_rows(entry)]
    return "\n".join(lines) + "\n"
