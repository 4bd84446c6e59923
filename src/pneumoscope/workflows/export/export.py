"""Export of a run: one file that answers as it does, held against it before it is written."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import cast

import pneumoscope
from pneumoscope.devices import use_all_cores
from pneumoscope.errors import NotARun
from pneumoscope.export.graph import finished, opset_of, to_onnx
from pneumoscope.export.words import card_section
from pneumoscope.imaging.known.reference import save_reference
from pneumoscope.inference.exported import OnnxEngine, check_openvino, is_export
from pneumoscope.inference.members import Members, load_members, member_places
from pneumoscope.listener import Listener, Silent
from pneumoscope.manifest import ExportEntry, ModelManifest
from pneumoscope.models.bundle import bundle_digest
from pneumoscope.plain import to_plain
from pneumoscope.run import Run, check_output, create_folder
from pneumoscope.storage import timestamp, write_atomic, write_json
from pneumoscope.workflows.export.films import own_films
from pneumoscope.workflows.export.int8 import check_quantisable, in_int8
from pneumoscope.workflows.export.openvino import in_openvino
from pneumoscope.workflows.export.proof import Proof, proof_of

_MADE_WITH = ("torch", "onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What the user asked for: ``run`` is a run, or the folder of several that answer together;
    ``data`` is where its films lie now, None for where they lay; ``int8`` asks for numbers of
    that kind, ``openvino`` for a proof in that too."""

    run: Path
    data: str | None = None
    int8: bool = False
    openvino: bool = False


def export(
    request: ExportRequest, *, out: Path | None = None, listener: Listener | None = None
) -> Path:
    """Write the export into a new folder and return it; the run is not altered.

    Raises NotARun, BadWeights, OutputExists, NotExportable where it cannot be exported or answers
    otherwise, and InputError where ``data`` is named and is another, or OpenVINO is not installed.
    """
    listener = listener or Silent()
    folder = request.run.expanduser()
    check_output(out)
    if is_export(folder):
        raise NotARun("this is an export already", got=folder, expected="the run it was made of")
    if request.openvino:
        check_openvino()
    use_all_cores()
    listener.stage("Open the model")
    members = load_members(folder)
    places = member_places(folder) or (folder,)
    films = own_films(places, request.data, listener)
    if request.int8:
        check_quantisable(films)
    graph, entry = _made(request, proof_of(members, films), places, listener)
    reference = films.reference(members)

    def fill(draft: Path, name: str) -> None:
        files = Run(draft)
        write_atomic(files.graph_file, graph)
        if reference is not None:
            save_reference(files.reference_file, reference)
        write_atomic(files.model_card_file, _card(folder, name, entry))
        write_json(files.model_file, {**_about(members), "export": entry})

    return create_folder(out, f"export-{folder.absolute().name}", fill)


def _made(
    request: ExportRequest, proof: Proof, places: Sequence[Path], listener: Listener
) -> tuple[bytes, ExportEntry]:
    """The graph's file, which answers as the models in ``places`` do, and what is said of it."""
    members = proof.members
    listener.stage("Write the graph")
    model = to_onnx(proof.bundles)
    listener.stage("Hold it against the run")
    tested, float32 = model.SerializeToString(), finished(model)
    certificate = proof.certificate(OnnxEngine(tested), listener)
    int8 = cost = openvino = None
    if request.int8:
        int8, cost = in_int8(float32, proof.films, members.operating_points, listener)
    if request.openvino:
        openvino = in_openvino(proof, tested, float32, int8, listener)
    graph = int8 or float32
    return graph, {
        "title": members.title,
        "members": len(members.bundles),
        "notes": [list(note) for note in members.notes],
        "opset": opset_of(model),
        "versions": _versions(),
        "created": timestamp(),
        "sha256": hashlib.sha256(graph).hexdigest(),
        "bundles": [bundle_digest(place) for place in places],
        "certificate": certificate,
        "int8": to_plain(cost) if cost else None,
        "openvino": openvino,
    }


def _versions() -> dict[str, str]:
    made_with = {name: version(name) for name in _MADE_WITH}
    return {"pneumoscope": pneumoscope.__version__, **made_with}


def _about(members: Members) -> ModelManifest:
    """What ``model.json`` says of the model; of several the first one's, but for what the mean
    has of its own."""
    about = members.bundles[0].to_json()
    if len(members.bundles) == 1:
        return about
    own = {
        "parameters": sum(bundle.to_json()["parameters"] for bundle in members.bundles),
        "scale": members.scale,
        "operating_points": [to_plain(point) for point in members.operating_points],
        "calibration": None,
        "conformal": to_plain(members.conformal) if members.conformal else None,
    }
    return cast(ModelManifest, {**about, **own})


def _card(folder: Path, name: str, entry: ExportEntry) -> str:
    """The run's model card, and what is known of the export behind it."""
    card = Run(folder).model_card_file
    text = card.read_text("utf-8") if card.is_file() else f"# Model card: {name}\n"
    return text.rstrip("\n") + "\n\n" + card_section(entry, Run(folder).graph_file.name)
