"""Graph of a model, as ONNX: from stored films to the calibrated logit, with nothing left outside.

Margin, resize, normalisation or local contrast, turned and mirrored views, temperature and the mean
of several models are all in it, so no caller can get them wrong.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import onnx
import torch
from torch import Tensor, nn

from pneumoscope.errors import NotExportable
from pneumoscope.export.small_maps import with_products
from pneumoscope.inference.exported import EACH, INPUT, OUTPUT
from pneumoscope.inference.predictor import views_of
from pneumoscope.models.bundle import Bundle
from pneumoscope.models.plain import plain_copy


class ExportedModel(nn.Module):
    """Uint8 (B, S, S), air dark, to the mean logit float32 (B,), each model's at its temperature,
    and those of each, float32 (B, members)."""

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        super().__init__()
        self._bundles = tuple(bundles)
        plain = (plain_copy(bundle.network, bundle.backbone) for bundle in bundles)
        self.networks = nn.ModuleList(map(with_products, plain))

    def forward(self, films: Tensor) -> tuple[Tensor, Tensor]:
        pairs = zip(self._bundles, self.networks, strict=True)
        each = torch.stack([_logit(bundle, network, films) for bundle, network in pairs], dim=1)
        return each.mean(1), each


def _logit(bundle: Bundle, network: nn.Module, films: Tensor) -> Tensor:
    views = views_of(bundle, films)
    # As one batch: the network stands in the graph once, whatever the number of views.
    logits: Tensor = network(torch.cat([view.float() for view in views]))
    return logits.reshape(len(views), -1).mean(0) / bundle.temperature


def to_onnx(bundles: Sequence[Bundle]) -> onnx.ModelProto:
    """The graph of one model or the mean of several, its outputs ``OUTPUT`` and ``EACH``.

    Raises NotExportable where torch cannot write it, or only for one size of batch.
    """
    side = bundles[0].network.spec.stored
    # Of two: of one film torch would conclude that there is never another.
    example = torch.zeros((2, side, side), dtype=torch.uint8)
    model = ExportedModel(bundles).eval()
    try:
        with _quiet():
            program = torch.onnx.export(
                model,
                (example,),
                dynamo=True,
                dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
                external_data=False,
                input_names=[INPUT],
                output_names=[OUTPUT, EACH],
                verbose=False,
            )
    except Exception as error:  # whatever a network does that torch has no ONNX for
        raise _refused(bundles, _reason(error)) from None
    if program is None:
        raise _refused(bundles, "torch wrote no graph")
    graph: onnx.ModelProto = program.model_proto
    if not graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param:
        raise _refused(bundles, "torch wrote its graph for a batch of two films alone")
    return _bare(graph)


def finished(model: onnx.ModelProto) -> bytes:
    """The file: the graph with the one output ``OUTPUT``."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    del whole.graph.output[1:]
    return bytes(whole.SerializeToString())


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's operators that the graph is written in."""
    return int(next(each.version for each in model.opset_import if not each.domain))


def _bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without the traces of this machine's folders that torch leaves at every node."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        del part.metadata_props[:]
    for tensor in graph.initializer:
        del tensor.metadata_props[:]
    model.doc_string = (
        f"{INPUT}: uint8 (B, S, S), 0-255, air dark. {OUTPUT}: float32 (B,), of pneumonia. "
        "Research use only: not a medical device."
    )
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the remarks of the exporter on what it tries on the way."""
    loud = logging.getLogger("torch.onnx"), logging.getLogger("onnxscript")
    before = [each.level for each in loud]
    for each in loud:
        each.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(loud, before, strict=True):
            each.setLevel(level)


def _refused(bundles: Sequence[Bundle], why: str) -> NotExportable:
    names = ", ".join(dict.fromkeys(bundle.backbone for bundle in bundles))
    return NotExportable(
        f"{names} cannot be exported",
        got=why,
        expected="a backbone that torch can write as ONNX; all of `pneumoscope models` are",
    )


def _reason(error: BaseException) -> str:
    """What torch says at the root of its error, in a line."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:300]
