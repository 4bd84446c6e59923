"""Quantisation of an export to int8: fitted on training films, judged on validation films.

Convolutions are quantised, those on small maps too, which are products in the graph, and what
clips behind them, which then costs nothing: its range is that of the numbers. With sums and all
products too, every logit of ``default``'s network on Kaggle's validation films fell by 2.7, for
local contrast is a difference of near numbers. Weights are signed and have a scale a channel, maps
are unsigned (QDQ).
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from pneumoscope.errors import NotExportable
from pneumoscope.formatting import number, percent
from pneumoscope.inference.exported import INPUT
from pneumoscope.metrics.paired import Difference, paired_bootstrap, resampled_scores
from pneumoscope.metrics.resample import IntervalSettings
from pneumoscope.metrics.scores import Floats, Labels, auroc, probability
from pneumoscope.records import Grey
from pneumoscope.storage import writing

MOST_LOST = 0.01
"""Of AUROC: the lower end of the difference's interval may not lie further below 0."""
MOST_CHANGED = 0.02
"""Share of validation films that may be called otherwise at the point that decides."""
CALIBRATED_ON = 256
"""Training films by which the range of each map is fitted."""
_PIECE = 32


@dataclass(frozen=True, slots=True)
class Int8:
    """What int8 costs, beside the float32 graph: on ``films`` validation films the ``auroc``
    difference, int8 less float32, the share of ``decisions`` that change at the point that
    decides, and the largest difference of a logit. ``calibrated_on`` counts training films."""

    calibrated_on: int
    films: int
    auroc: Difference
    decisions: float
    largest_difference: float


class _Films(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, films: Grey) -> None:
        self._left = iter(films[start : start + _PIECE] for start in range(0, len(films), _PIECE))

    def get_next(self) -> dict[str, Any] | None:
        films = next(self._left, None)
        return None if films is None else {INPUT: films}


def quantised(graph: bytes, films: Grey) -> bytes:
    """``graph`` in int8, its ranges those of training films uint8 (N, S, S). Raises DiskFull where
    the temporary files, thrice its size, find no room."""
    with tempfile.TemporaryDirectory() as place, writing(Path(place)), _quiet():
        given, ready, made = (Path(place) / f"{name}.onnx" for name in ("given", "ready", "made"))
        given.write_bytes(graph)
        quant_pre_process(given, ready)
        quantize_static(
            ready,
            made,
            _Films(films),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv", "Gemm", "Relu", "Clip"],
            nodes_to_exclude=_heads(onnx.load(ready)),
        )
        return made.read_bytes()


def _heads(model: onnx.ModelProto) -> list[str]:
    """The last layers of networks, by the name of their node: of one output or two. Their logits
    would have 256 steps and many ties."""
    width = {each.name: min(each.dims, default=0) for each in model.graph.initializer}
    products = (node for node in model.graph.node if node.op_type == "Gemm")
    return [node.name for node in products if width.get(node.input[1], 0) <= 2]


def judged(
    labels: Labels,
    logits: tuple[Floats, Floats],
    threshold: float,
    patients: NDArray[Any] | None,
    calibrated_on: int,
) -> Int8:
    """What int8 costs on validation films, from the ``logits`` in float32 and in int8. Raises
    NotExportable where that is too much."""
    chances = probability(logits[0]), probability(logits[1])
    drawn = resampled_scores(
        labels, [(each, threshold) for each in chances], patients, IntervalSettings()
    )
    first, second = ({"auroc": drawn["auroc"][at]} for at in (0, 1))
    gained = {"auroc": auroc(labels, chances[1]) - auroc(labels, chances[0])}
    found = Int8(
        calibrated_on=calibrated_on,
        films=int(labels.size),
        auroc=paired_bootstrap(labels, first, second, gained, patients)["auroc"],
        decisions=float(((chances[0] >= threshold) != (chances[1] >= threshold)).mean()),
        largest_difference=float(np.abs(logits[1] - logits[0]).max()),
    )
    # NaN, of one class alone, is no leave.
    if not (found.auroc.low >= -MOST_LOST and found.decisions <= MOST_CHANGED):
        raise NotExportable(
            "int8 costs too much of this model",
            got=f"on {found.films:,} validation films {int8_words(found)}",
            expected=f"an interval above {-MOST_LOST:g}, and at most {percent(MOST_CHANGED)}",
            remedy="export it in float32: the same command without --int8",
        )
    return found


def int8_words(found: Int8) -> str:
    """What int8 costs, in a line."""
    gain = found.auroc
    return (
        f"AUROC changes by {number(gain.value, 4)} ({number(gain.low, 4)} to "
        f"{number(gain.high, 4)}), {percent(found.decisions, 1)} of the decisions change, "
        f"logits by up to {found.largest_difference:.2g}"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the quantiser tells the root logger of its own preparations."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)
