"""A double of OpenVINO: its API as far as it is used, computed by ONNX Runtime."""

from __future__ import annotations

import importlib.metadata
import sys
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest


@dataclass
class Double:
    """``settings`` are those of the last graph that was compiled; every logit is ``off``."""

    off: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)

    def read_model(self, graph: bytes) -> bytes:
        assert isinstance(graph, bytes)
        return graph

    def compile_model(self, graph: bytes, device: str, settings: dict[str, Any]) -> Double:
        assert device == "CPU"
        self.settings = settings
        self._session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        return self

    def create_infer_request(self) -> Double:
        return self

    def infer(self, given: dict[str, Any]) -> dict[str, Any]:
        logits = self._session.run(["logit"], given)[0] + np.float32(self.off)
        return {"logit": logits, "members": logits[:, None]}


def install_double(patch: pytest.MonkeyPatch) -> Double:
    """As if OpenVINO 1.2.3 were installed."""
    double, module = Double(), ModuleType("openvino")
    module.__spec__ = ModuleSpec("openvino", None)
    module.Core = lambda: double  # type: ignore[attr-defined]
    patch.setitem(sys.modules, "openvino", module)
    known = importlib.metadata.version
    patch.setattr(
        "pneumoscope.workflows.export.openvino.version",
        lambda name: "1.2.3" if name == "openvino" else known(name),
    )
    return double
