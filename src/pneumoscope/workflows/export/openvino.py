"""OpenVINO as a second runtime of an export: the same file, with a proof of its own."""

from __future__ import annotations

from importlib.metadata import version

from pneumoscope.inference.exported import OpenVinoEngine
from pneumoscope.listener import Listener
from pneumoscope.manifest import OpenVinoEntry
from pneumoscope.plain import to_plain
from pneumoscope.workflows.export.int8 import cost_of
from pneumoscope.workflows.export.proof import Proof


def in_openvino(
    proof: Proof, tested: bytes, float32: bytes, int8: bytes | None, listener: Listener
) -> OpenVinoEntry:
    """What OpenVINO makes of ``tested``, the graph with all its outputs, held against the run, and
    of ``int8``, the file where it is that, beside ``float32`` in ONNX Runtime. Raises NotExportable
    where it answers otherwise."""
    listener.stage("Hold OpenVINO against the run")
    checks, cost = proof.checks(OpenVinoEngine(tested), listener), None
    if int8 is not None:
        points = proof.members.operating_points
        cost = to_plain(cost_of(OpenVinoEngine(int8), float32, proof.films, points, listener))
    return {"version": version("openvino"), "checks": checks, "int8": cost}
