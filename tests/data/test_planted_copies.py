"""Copies planted among films as people make them: no split and no fold that is cut here has one in
training and another in test, whatever the size that the network sees."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from pneumoscope.data.prepare import prepare
from pneumoscope.data.split import plan_splits
from pneumoscope.imaging.phantom import draw_phantom
from pneumoscope.listener import Silent
from pneumoscope.recipe import load_recipe
from pneumoscope.records import DataRequest, InputSpec
from pneumoscope.sources.detect import open_source

FILMS = 40
CUTS = ({"test": "new"}, *({"fold": f"{number} of 3"} for number in range(3)))


def again(film: Image.Image, kind: int) -> Image.Image:
    """A copy of a film: as it is, saved anew as JPEG, smaller, or brighter."""
    if kind == 1:
        out = io.BytesIO()
        film.save(out, "JPEG", quality=60)
        return Image.open(out)
    if kind == 2:
        return film.resize((360, 360), Image.Resampling.LANCZOS)
    return ImageEnhance.Brightness(film).enhance(1.15) if kind == 3 else film


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """480 px, so that JPEGs are reduced while they are decoded; every third film has a copy whose
    name tells nothing, every fifth is turned by a name that does."""
    root = tmp_path_factory.mktemp("planted")
    for index in range(FILMS):
        label = index % 2
        place = root / ("NORMAL", "PNEUMONIA")[label]
        place.mkdir(exist_ok=True)
        film = Image.fromarray(draw_phantom(11, index, label=label, size=480).image)
        film.save(place / f"film{index:03}.jpeg", quality=92)
        if index % 3 == 0:
            again(film, index // 3 % 4).save(place / f"other{500 + index}.png")
        if index % 5 == 1:
            film.rotate(25).save(place / f"film{index:03}_aug_1.png")
    return root


def splits_of(root: Path, side: int, out: Path) -> list[dict[str, str]]:
    """The split of each film by name, for each cut."""
    source = open_source(DataRequest(str(root)), Path("none"), Silent())
    prepared = prepare(source, InputSpec(side, side), out / str(side))
    names = [Path(name).stem for name in prepared.table["image_id"]]
    choices = load_recipe("default").data
    plans = [plan_splits(prepared.table, choices.model_copy(update=cut)) for cut in CUTS]
    return [dict(zip(names, map(str, plan.split), strict=True)) for plan in plans]


@pytest.mark.slow
def test_no_cut_divides_copies_and_none_follows_the_size(planted: Path, tmp_path: Path) -> None:
    small, large = (splits_of(planted, side, tmp_path) for side in (64, 224))
    assert small == large
    for split in small:
        assert set(split.values()) == {"train", "val", "test"}
        for index in range(FILMS):
            film = split[f"film{index:03}"]
            assert split.get(f"other{500 + index}", film) == film, index
            assert split.get(f"film{index:03}_aug_1", film) == film, index
    assert np.mean([value == "test" for value in small[0].values()]) == pytest.approx(0.2, abs=0.06)
