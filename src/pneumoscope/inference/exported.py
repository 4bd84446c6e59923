"""Export: a model out of torch, ``model.onnx`` and what ``model.json`` says of it, ready to read.

All that the model does with a stored film, calibration included, is in the graph; ONNX Runtime
computes it, or OpenVINO what was held against the run in that too. Nothing here imports torch, and
nothing that reads films does.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from pneumoscope.data.pool import cores
from pneumoscope.errors import BadWeights, InputError
from pneumoscope.imaging.known.reference import load_reference
from pneumoscope.inference.model import Engine, Model
from pneumoscope.manifest import ExportEntry, ModelManifest
from pneumoscope.metrics.scale import carried
from pneumoscope.metrics.scores import Floats
from pneumoscope.records import Grey, InputSpec
from pneumoscope.run import Run

INPUT, OUTPUT = "films", "logit"
"""The graph's uint8 (B, S, S), 0–255, air dark, and its float32 (B,)."""

EACH = "members"
"""While it is tested, a graph gives the logit of each model too, float32 (B, members)."""

_PIECE = 16
"""Films that pass the graph together: every view of them does, and more only take more memory."""

_ERRORS_ONLY = 3


class GraphEngine(Engine):
    """A graph in some ``runtime``, on the cores that this process may use; ``instead`` is what to
    do where it answers otherwise than the run."""

    runtime: str
    instead: str

    def batch(self, films: Grey) -> Floats:
        parts = range(0, len(films), _PIECE)
        return np.concatenate([self.run(films[start : start + _PIECE]) for start in parts])

    @abstractmethod
    def run(self, films: Grey, output: str = OUTPUT) -> Floats:
        """What the graph gives of uint8 (B, S, S), all at once, as float64: logits (B,), or
        another ``output``."""


class OnnxEngine(GraphEngine):
    """A graph in ONNX Runtime. ``int8`` says that it computes in that."""

    runtime = "ONNX Runtime"
    instead = "pneumoscope predict reads with the run itself"

    def __init__(self, graph: bytes, *, int8: bool = False) -> None:
        # Loaded late: what else is asked of an export needs no runtime.
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # Its own default follows neither this process's cores nor OMP_NUM_THREADS.
        options.intra_op_num_threads = cores()
        options.inter_op_num_threads = 1
        # Threads that wait for work would take the cores from those that decode films.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Weights are laid out anew for products in int8 alone, which they make five times as fast:
        # in float32 that gains 4 %, and half of the time of a start goes into it.
        options.add_session_config_entry("session.disable_prepacking", "0" if int8 else "1")
        options.log_severity_level = _ERRORS_ONLY
        self._session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )

    def run(self, films: Grey, output: str = OUTPUT) -> Floats:
        found: Any = self._session.run([output], {INPUT: films})[0]
        return np.asarray(found, dtype=np.float64)


class OpenVinoEngine(GraphEngine):
    """The same file in OpenVINO, in float32 but for what the file itself says is int8. Raises
    InputError where it is not installed."""

    runtime = "OpenVINO"
    instead = "leave --openvino out"

    def __init__(self, graph: bytes) -> None:
        check_openvino()
        import openvino

        core = openvino.Core()
        settings = {
            # Its own choice is bf16 where the processor has it: other logits, by up to .45.
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": cores(),
        }
        self._request = core.compile_model(
            core.read_model(graph), "CPU", settings
        ).create_infer_request()
        self._free = Lock()  # a request is one thread's, and heat is drawn in another than logits

    def run(self, films: Grey, output: str = OUTPUT) -> Floats:
        with self._free:
            found: Any = self._request.infer({INPUT: films})[output]
            return np.array(found, dtype=np.float64)


def has_openvino() -> bool:
    """Whether OpenVINO is installed, which is no part of pneumoscope."""
    return find_spec("openvino") is not None


def check_openvino() -> None:
    """Raise InputError where OpenVINO is not installed."""
    if not has_openvino():
        raise InputError(
            "OpenVINO is not installed",
            expected="the package openvino, a second runtime for exports",
            remedy="pip install 'pneumoscope[openvino]', or leave --openvino out",
        )


def is_export(folder: Path) -> bool:
    """Whether the folder holds an export."""
    return Run(folder).graph_file.is_file() and Run(folder).model_file.is_file()


def open_export(folder: Path, device: str = "auto") -> Model:
    """The model of an export's folder. Raises BadWeights where a file of it is damaged or another
    one, InputError for a device other than the processor."""
    if device not in ("auto", "cpu"):
        raise InputError(
            "an export computes on the processor alone",
            got=f"--device {device}",
            expected="auto or cpu",
            remedy="name the run that it was made of",
        )
    about = Run(folder).model()
    graph = Run(folder).graph_file.read_bytes()
    try:
        entry: ExportEntry = about["export"]
        same = hashlib.sha256(graph).hexdigest() == entry["sha256"]
        decides, spec = carried(about), InputSpec(**about["input"])
        notes = tuple((str(what), str(choice), str(why)) for what, choice, why in entry["notes"])
        title, scale = str(entry["title"]), str(about["scale"])
        int8, openvino = entry["int8"] is not None, entry.get("openvino") is not None
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder, f"model.json: {' '.join(str(error).split())[:200]}") from None
    if not same:
        raise _damaged(folder, "model.onnx is not the file that was tested")
    second = openvino and has_openvino()
    return Model(
        engine=_engine(folder, graph, int8, second),
        title=title,
        device="cpu",
        spec=spec,
        operating_points=decides.points,
        conformal=decides.conformal,
        scale=scale,
        population=_population(about),
        notes=(*notes, *_runtime_notes(openvino, second)),
        reference=load_reference(Run(folder).reference_file),
    )


def _engine(folder: Path, graph: bytes, int8: bool, openvino: bool) -> Engine:
    try:
        return OpenVinoEngine(graph) if openvino else OnnxEngine(graph, int8=int8)
    except Exception as error:  # the runtime raises classes of its own for each fault
        raise _damaged(folder, f"model.onnx: {' '.join(str(error).split())[:200]}") from None


def _runtime_notes(tested: bool, used: bool) -> Iterator[tuple[str, str, str]]:
    """Which runtime computes, where there was a choice."""
    if used:
        yield "runtime", OpenVinoEngine.runtime, "in which the export was held against the run too"
    elif tested:
        why = f"{OpenVinoEngine.runtime}, in which it was tested too, is not installed"
        yield "runtime", OnnxEngine.runtime, why


def _population(about: ModelManifest) -> Any:
    found = about.get("lineage", {}).get("population")
    return found if isinstance(found, dict) else {}


def _damaged(folder: Path, got: str) -> BadWeights:
    return BadWeights(
        "the export cannot be loaded",
        got=f"{got} in {folder}",
        remedy="make it again: pneumoscope export RUN",
    )
