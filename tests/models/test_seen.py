"""Weights that have seen the films on which a model is judged are named."""

import pytest
import torch

from pneumoscope.models.seen import NIH, RSNA, UNKNOWN, films_behind, overlap_words
from pneumoscope.sources import known_sets

FINDINGS = {
    "features.conv0.weight": torch.zeros(64, 1, 7, 7),
    "classifier.weight": torch.zeros(18, 1024),
}
EVERYDAY = {"conv1.weight": torch.zeros(64, 3, 7, 7), "fc.weight": torch.zeros(1000, 512)}
NAMES = {
    "nih-densenet121-d121-tw-lr001-rot45-tr15-sc15-seed0-best.pt": {NIH, RSNA},
    "kaggle-densenet121-d121-tw-lr001-rot45-tr15-sc15-seed0-best.pt": {NIH, RSNA},
    "chex-densenet121-d121-tw-lr001-rot45-tr15-sc15-seed0-best.pt": {"CheXpert"},
    "pc-nih-rsna-siim-vin-resnet50-test512-e400-state.pt": {
        *(NIH, RSNA, "PadChest", "VinDr-CXR"),
    },
    "densenet121-res224-all.safetensors": {NIH, RSNA, "PadChest", "CheXpert", "MIMIC-CXR"},
    "densenet121-res224-rsna.pth": {NIH, RSNA},
}


@pytest.mark.parametrize("name", NAMES)
def test_the_published_names_say_which_films_were_seen(name: str) -> None:
    assert set(films_behind(name, EVERYDAY)) == NAMES[name]


@pytest.mark.parametrize("name", ["resnet18.pth", "kaggle.pth", "all.pth", "resnet18-all.pth"])
def test_other_weights_are_not_suspected(name: str) -> None:
    assert films_behind(name, EVERYDAY) == ()


def test_tensors_tell_where_the_name_does_not() -> None:
    assert films_behind("begin.pth", FINDINGS) == (UNKNOWN,)
    assert films_behind("begin.pth", {**EVERYDAY, "op_threshs": torch.zeros(18)}) == (UNKNOWN,)
    assert "does not say" in overlap_words("begin.pth", (UNKNOWN,), known_sets.NIH.title)


def test_only_sets_that_may_overlap_are_warned_of() -> None:
    seen = films_behind("nih-densenet121-d121-seed0.pt", EVERYDAY)
    for known in (known_sets.NIH, known_sets.RSNA):
        said = overlap_words("nih.pt", seen, known.title)
        assert "nih.pt" in said and "too good" in said and "model.weights=imagenet" in said
    for other in (known_sets.KERMANY.title, known_sets.PHANTOM.title, ""):
        assert overlap_words("nih.pt", seen, other) == ""
    assert overlap_words("chex.pt", ("CheXpert",), known_sets.NIH.title) == ""
