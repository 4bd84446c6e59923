"""Heatmaps for a report: those of ``explain``, made once; and words where none can be made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.explain.cam import heatmaps
from pneumoscope.explain.heat import DEFAULT, scaled
from pneumoscope.listener import Silent
from pneumoscope.models.bundle import Bundle, load_bundle, save_bundle
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.records import InputSpec
from pneumoscope.workflows.explain import heatmaps as room
from pneumoscope.workflows.explain.explainer import load_explainer
from pneumoscope.workflows.explain.heatmaps import GONE, heat_of

IDS = ["a", "b", "c"]
FILMS = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)


class Notes(Silent):
    """What the listener hears."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.told: list[tuple[int, int]] = []

    def note(self, text: str) -> None:
        self.texts.append(text)

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        self.told.append((done, total))


def prepared(masks: np.ndarray | None = None) -> PreparedSet:
    table = pd.DataFrame({"image_id": IDS, "split": "test", "label": [1, 0, 1]})
    return PreparedSet(Path("unused"), InputSpec(32, 32), FILMS, masks, table, {})


def save(folder: Path, backbone: str, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    network = Network(build_backbone(backbone), InputSpec(32, 64), normalisation=(120.0, 60.0))
    folder.mkdir(parents=True)
    save_bundle(Bundle(network, backbone, "none", (120.0, 60.0), True, "float32", (), {}), folder)
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return save(tmp_path / "run", "test_byobnet")


def no_drawing(*given: Any) -> None:
    raise AssertionError("drawn again")


def test_they_are_those_of_explain(run: Path) -> None:
    found = heat_of(run, prepared(), Silent(), own=True)(["c", "a", "gone"])()
    bundle = load_bundle(run)
    expected = heatmaps(bundle.network, FILMS[[2, 0]], DEFAULT[0], mirror=bundle.flip_average)
    assert list(found.maps) == ["c", "a"]
    np.testing.assert_allclose(np.stack([*found.maps.values()]), expected, atol=0.51 / 255)
    assert expected.max() == 1 and "Grad-CAM" in found.about and not found.missing
    assert not (run / "heatmaps.npz").exists()


def test_those_of_an_ensemble_are_the_mean_of_its_members_as_explain_has_it(tmp_path: Path) -> None:
    ensemble, heard = tmp_path / "ensemble", Notes()
    places = [save(ensemble / f"fold-{n}", "test_byobnet", seed=n) for n in (0, 1)]
    found = heat_of(ensemble, prepared(), heard, own=True)(IDS)()
    members = [
        heatmaps(load_bundle(place).network, FILMS, DEFAULT[0], mirror=True) for place in places
    ]
    assert np.abs(members[0] - members[1]).max() > 0.05
    drawn = np.stack([*found.maps.values()])
    np.testing.assert_allclose(drawn, scaled(np.mean(members, axis=0)), atol=0.51 / 255)
    explained = load_explainer(ensemble, (DEFAULT[0],), Silent()).heat(FILMS, DEFAULT[0])
    np.testing.assert_allclose(drawn, explained, atol=0.51 / 255)
    assert found.about.endswith("averaged over 2 models") and not found.missing
    assert heard.told[0] == (3, 6) and heard.told[-1] == (6, 6)


def test_kept_ones_are_used_for_the_runs_own_films_alone(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = heat_of(run, prepared(), Silent(), own=True, keep=True)(IDS)()
    monkeypatch.setattr(room, "_drawn", no_drawing)
    again = heat_of(run, prepared(), Silent(), own=True)(IDS[:2])()
    assert again.about == first.about and list(again.maps) == IDS[:2]
    for name in again.maps:
        np.testing.assert_array_equal(again.maps[name], first.maps[name])
    # Films of other data may bear the same names.
    with pytest.raises(AssertionError, match="drawn again"):
        heat_of(run, prepared(), Silent(), own=False)(IDS[:2])()


def test_a_damaged_file_is_made_again(run: Path) -> None:
    heat_of(run, prepared(), Silent(), own=True, keep=True)(IDS)()
    whole = (run / "heatmaps.npz").read_bytes()
    (run / "heatmaps.npz").write_bytes(whole[:100])
    assert len(heat_of(run, prepared(), Silent(), own=True, keep=True)(IDS)().maps) == 3
    assert (run / "heatmaps.npz").read_bytes() == whole


def test_the_truth_comes_along(run: Path) -> None:
    masks = np.zeros((3, 32, 32), np.uint8)
    masks[0, 4:8, 10:16] = 1
    found = heat_of(run, prepared(masks), Silent(), own=True)(IDS)()
    assert found.boxes == {"a": ((10.0, 4.0, 6.0, 4.0),), "b": (), "c": ()}


def test_a_backbone_without_a_map_is_said(tmp_path: Path) -> None:
    run, notes = save(tmp_path / "run", "xcit_nano_12_p16_224"), Notes()
    found = heat_of(run, prepared(), notes, own=True, keep=True)(IDS)()
    assert not found.maps and "be drawn of Xcit; explain with --method occlusion" in found.missing
    assert notes.texts == [f"The report has no heatmaps: {found.missing}."]
    assert not (run / "heatmaps.npz").exists()


def test_a_network_that_fails_leaves_words(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any) -> None:
        raise torch.OutOfMemoryError("out of memory,\n tried to allocate 2 GiB")

    monkeypatch.setattr(room, "_drawn", fail)
    found = heat_of(run, prepared(), Silent(), own=True)(IDS)()
    assert found.missing == "the network gave none (out of memory, tried to allocate 2 GiB)"


def test_films_that_are_gone(run: Path) -> None:
    assert heat_of(run, None, Silent(), own=True)(IDS)().missing == GONE
    assert heat_of(run, prepared(), Silent(), own=True)(["gone"])().missing == GONE
