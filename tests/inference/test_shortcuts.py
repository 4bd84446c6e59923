"""Hidden parts: a model that looks at a border mark is caught, one that reads the centre is not."""

import numpy as np
import pandas as pd
import torch

from pneumoscope.evaluation.shortcuts import evaluate_shortcuts
from pneumoscope.imaging.hidden import mean_film
from pneumoscope.inference.predictor import Predictor
from pneumoscope.inference.shortcuts import shortcut_logits
from pneumoscope.metrics.scores import probability
from pneumoscope.models.bundle import Bundle
from pneumoscope.plain import to_plain

SIDE, COUNT = 40, 80
LABELS = np.arange(COUNT) % 2


class Looks(torch.nn.Module):
    """The mean grey of one corner of a place, as a logit."""

    def __init__(self, low: int, high: int) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, films: torch.Tensor) -> torch.Tensor:
        part = films[:, self.low : self.high, self.low : self.high].float()
        return (part.mean((1, 2)) - 128) / 10


def _films() -> np.ndarray:
    """Noise, with a bright mark in the corner and a fine bright stripe in the centre where ill."""
    films = np.random.default_rng(0).integers(90, 150, (COUNT, SIDE, SIDE), dtype=np.uint8)
    films[LABELS == 1, :3, :3] += 60
    films[LABELS == 1, 18:22, 18:22] += 60
    return films


def _evaluated(network: torch.nn.Module) -> dict[str, dict]:
    films, rows = _films(), np.arange(COUNT)
    bundle = Bundle(network, "", "none", (0.5, 0.25), False, "float32", (), {})
    predictor = Predictor([bundle])
    logits = predictor.logits(films, rows)
    ids = [f"film {row}" for row in rows]
    table = pd.DataFrame({"image_id": ids, "patient_id": None, "split": "test", "label": LABELS})
    table = table.assign(logit=logits, probability=probability(logits))
    found = shortcut_logits(predictor, films, rows, mean_film(films, rows))
    hidden = pd.DataFrame({"image_id": ids, **found}).iloc[::-1]
    found = evaluate_shortcuts(table, hidden, split="test")
    return {each.variant: to_plain(each) for each in found}


def test_a_model_of_a_border_mark_is_caught() -> None:
    found = _evaluated(Looks(0, 3))
    assert "outer tenth" in found["border"]["finding"]
    assert found["border"]["auroc"]["value"] == found["full"]["auroc"]["value"] == 1
    assert found["centre"]["auroc"]["value"] == 0.5
    assert found["centre"]["difference"]["value"] == -0.5


def test_a_model_of_the_centre_is_not() -> None:
    found = _evaluated(Looks(18, 22))
    assert found["border"]["finding"] is None
    assert found["border"]["auroc"]["value"] == 0.5
    assert found["centre"]["auroc"]["value"] == 1
