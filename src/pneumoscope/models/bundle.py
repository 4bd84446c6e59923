"""Bundle: a finished model on disk, ``model.safetensors`` and ``model.json``, nothing to unpickle.

``model.json`` is written last, so a bundle that has one is whole.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from pneumoscope.errors import BadWeights
from pneumoscope.manifest import Lineage, ModelManifest, SpecEntry
from pneumoscope.metrics.scale import MODEL_SCHEMA, carried, scale_name
from pneumoscope.models.network import Network
from pneumoscope.models.resnet import is_plain_resnet, plain_resnet
from pneumoscope.plain import to_plain
from pneumoscope.readings import Calibration, Conformal, OperatingPoint
from pneumoscope.records import CLASSES, InputSpec
from pneumoscope.run import Run, not_of_export
from pneumoscope.storage import write_atomic, write_json


@dataclass(frozen=True, slots=True)
class Bundle:
    """A network and what is known about it.

    ``lineage`` says what it was trained on and how; ``flip_average`` whether the logit is the
    mean over the film and its mirror image, ``turn_average`` by how many degrees the film is
    turned to both sides for two more logits that are averaged with it (0: none); ``precision`` is
    float32 or bf16. ``operating_points`` and ``conformal`` are on the model's scale, at the
    temperature of ``calibration``.
    """

    network: Network
    backbone: str
    weights: str
    normalisation: tuple[float, float]
    flip_average: bool
    precision: str
    operating_points: tuple[OperatingPoint, ...]
    lineage: Lineage
    calibration: Calibration | None = None
    conformal: Conformal | None = None
    turn_average: float = 0.0

    @property
    def temperature(self) -> float:
        """What the logits are divided by; 1 where the bundle is not calibrated."""
        return self.calibration.temperature if self.calibration else 1.0

    def with_operating_points(self, *points: OperatingPoint) -> Bundle:
        """A copy that carries those thresholds; the first is the one that decides."""
        return replace(self, operating_points=points)

    def with_calibration(
        self, calibration: Calibration | None, conformal: Conformal | None
    ) -> Bundle:
        """A copy that carries what was fitted on validation rows, None where nothing could be."""
        return replace(self, calibration=calibration, conformal=conformal)

    def to_json(self) -> ModelManifest:
        return {
            "schema": MODEL_SCHEMA,
            "scale": scale_name(self.calibration),
            "backbone": self.backbone,
            "outputs": self.network.outputs,
            "parameters": sum(p.numel() for p in self.network.parameters()),
            "weights": self.weights,
            "input": cast(SpecEntry, to_plain(self.network.spec)),
            "normalisation": {"mean": self.normalisation[0], "std": self.normalisation[1]},
            "classes": list(CLASSES),
            "flip_average": self.flip_average,
            "turn_average": self.turn_average,
            "precision": self.precision,
            "operating_points": [to_plain(point) for point in self.operating_points],
            "calibration": to_plain(self.calibration) if self.calibration else None,
            "conformal": to_plain(self.conformal) if self.conformal else None,
            "lineage": self.lineage,
        }


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Write the bundle: the weights first, then the file that makes it whole."""
    # Safetensors hold tensors and no code; model.json comes last and makes the bundle whole.
    state = {key: value.contiguous() for key, value in bundle.network.state_dict().items()}
    write_atomic(Run(folder).weights_file, save(state))
    save_about(bundle, folder)


def save_about(bundle: Bundle, folder: Path) -> None:
    """Write ``model.json`` alone, when only thresholds changed."""
    write_json(Run(folder).model_file, bundle.to_json())


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle; the network is in evaluation mode. Raises BadWeights, NotARun."""
    about = Run(folder).model()
    if "export" in about:
        raise not_of_export(folder)
    try:
        levels = about["normalisation"]
        mean, std = float(levels["mean"]), float(levels["std"])
        network = Network(
            _backbone(about["backbone"]),
            InputSpec(**about["input"]),
            normalisation=(mean, std),
            outputs=int(about["outputs"]),
        )
        network.load_state_dict(_finite(load_file(Run(folder).weights_file)))
        decides = carried(about)
    except (KeyError, TypeError, ValueError, OSError, RuntimeError, SafetensorError) as error:
        raise BadWeights(
            "the model cannot be loaded", got=f"{folder} ({' '.join(str(error).split())[:200]})"
        ) from None
    return Bundle(
        network=network.eval().to(memory_format=torch.channels_last),
        backbone=about["backbone"],
        weights=about["weights"],
        normalisation=(mean, std),
        flip_average=bool(about["flip_average"]),
        precision=str(about["precision"]),
        operating_points=decides.points,
        lineage=about["lineage"],
        calibration=decides.calibration,
        conformal=decides.conformal,
        turn_average=float(about.get("turn_average", 0.0)),
    )


def bundle_digest(folder: Path) -> str:
    """SHA-256 of the weights and of what ``model.json`` says of them, 64 hex digits."""
    found = hashlib.sha256()
    for file in (Run(folder).weights_file, Run(folder).model_file):
        found.update(file.read_bytes())
    return found.hexdigest()


def _backbone(name: str) -> nn.Module:
    if is_plain_resnet(name):
        return plain_resnet(name)
    # timm takes more than a second to import.
    from pneumoscope.models.zoo import build_backbone

    return build_backbone(name)


def _finite(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """``state`` as it is. Raises ValueError where a weight is no number, nor answers would be."""
    for name, weight in state.items():
        if not torch.isfinite(weight.sum(dtype=torch.float64)):
            raise ValueError(f"{name} holds numbers that are not finite")
    return state
