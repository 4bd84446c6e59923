"""Galleries with heat: every error and typical film twice, once under its heatmap, with words."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumoscope.report.evaluated import read_evaluated
from pneumoscope.report.kit.films import heat_words
from pneumoscope.report.kit.gallery import choose_films
from pneumoscope.report.kit.heat import Heatmaps, overlay
from pneumoscope.report.run import render
from pneumoscope.report.run.render import write_report

HOT = np.zeros((28, 28), np.float32)
HOT[2:5, 22:26] = 1.0
PANELS = ("false_positives", "false_negatives", "least_certain", "true_positives", "true_negatives")


def all_hot(asked: list[str]) -> Callable[[Sequence[str]], Callable[[], Heatmaps]]:
    def heat(image_ids: Sequence[str]) -> Callable[[], Heatmaps]:
        asked.extend(image_ids)
        boxes = {image_ids[0]: ((1.0, 2.0, 9.0, 9.0),)}
        return lambda: Heatmaps(dict.fromkeys(image_ids, HOT), "the mean of two ways", boxes=boxes)

    return heat


@pytest.mark.usefixtures("undrawn")
def test_each_film_of_the_galleries_has_its_heat(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    folder, asked = make_run(), []
    page = write_report(folder, film, heat=all_hot(asked)).read_text(encoding="utf-8")
    judged = read_evaluated(folder)
    gallery = choose_films(judged.predictions, judged.threshold)
    shown = [each for name in PANELS for each in getattr(gallery, name)]
    assert len(gallery.false_positives) > 1
    assert sorted(asked) == sorted({each.image_id for each in shown})
    heats = re.findall(r'<img class="heat" src="data:image/jpeg[^"]+" alt="([^"]+)" load', page)
    hottest = "heatmap, hottest at the top right of the picture"
    assert heats == [f"{each.name}: {hottest}" for each in shown]
    assert "the mean of two ways" in page and "hottest of the film" in page
    assert "a blue frame is around" in page


@pytest.mark.usefixtures("undrawn")
def test_where_there_is_no_heat_the_page_says_why(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    def none(image_ids: Sequence[str]) -> Callable[[], Heatmaps]:
        return lambda: Heatmaps(missing="no heatmap can be drawn of <Xcit>")

    folder = make_run()
    page = write_report(folder, film, heat=none).read_text(encoding="utf-8")
    assert "There are no heatmaps: no heatmap can be drawn of &lt;Xcit&gt;." in page
    assert 'class="heat"' not in page and page.count("<img") > 20
    page = write_report(folder, film).read_text(encoding="utf-8")
    assert "There are no heatmaps: the model was not at hand." in page


@pytest.mark.usefixtures("undrawn")
def test_a_film_without_heat_stands_alone(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    def one(image_ids: Sequence[str]) -> Callable[[], Heatmaps]:
        return lambda: Heatmaps({image_ids[0]: np.zeros_like(HOT)}, "one way")

    page = write_report(make_run(), film, heat=one).read_text(encoding="utf-8")
    assert page.count('class="heat"') == page.count("nothing on it speaks for pneumonia") >= 1


def test_the_sheet_holds_the_heat_too(
    make_run: Callable[..., Path],
    film: Callable[[str], np.ndarray],
    reported: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(render, "draw_all", lambda judged: {})  # the charts, not the sheets
    folder = make_run()
    write_report(folder, film, heat=all_hot([]))
    with Image.open(folder / "figures" / "misclassified.png") as tall:
        with Image.open(reported / "figures" / "misclassified.png") as plain:
            assert tall.width == plain.width and tall.height > 1.5 * plain.height
        assert np.ptp(np.asarray(tall.convert("RGB")).astype(int), axis=2).max() > 100


def test_an_overlay_has_the_heat_and_the_truth() -> None:
    grey = np.full((28, 28), 90, np.uint8)
    found = Heatmaps({"a": HOT}, boxes={"a": ((4.0, 10.0, 10.0, 12.0),)})
    picture = overlay(grey, "a", found)
    assert picture is not None and picture.shape == (168, 168, 3)
    scale = 168 // 28
    red, _, blue = picture[3 * scale, 24 * scale].astype(int)
    assert red - blue > 60
    assert tuple(picture[10 * scale, 9 * scale]) == (86, 180, 233)
    assert np.ptp(picture[140, 140]) == 0
    assert overlay(grey, "b", found) is None


@pytest.mark.parametrize(
    ("at", "place"),
    [((0, 0), "top left"), ((14, 14), "centre"), ((27, 14), "bottom centre"), ((14, 27), "middle")],
)
def test_the_hottest_place_in_words(at: tuple[int, int], place: str) -> None:
    heat = np.zeros((28, 28), np.float32)
    heat[at] = 0.5
    assert f"hottest at the {place}" in heat_words(heat)


def test_hundreds_of_films_with_heat_stay_small(
    make_run: Callable[..., Path], simulated: Callable[..., list[dict]]
) -> None:
    side = np.add.outer(np.arange(224), np.arange(224))
    picture = ((np.sin(side / 9) + 1) * 60 + side / 4).astype(np.uint8)
    heat = np.asarray((np.cos(side / 30) + 1) / 2, np.float32)
    folder = make_run(simulated(624, 390, seed=4))

    def hot(image_ids: Sequence[str]) -> Callable[[], Heatmaps]:
        return lambda: Heatmaps(dict.fromkeys(image_ids, heat), "one way")

    report = write_report(folder, lambda image_id: picture, heat=hot)
    page = report.read_text(encoding="utf-8")
    assert page.count('class="heat"') >= 32
    assert report.stat().st_size < 2_000_000
    uri = re.search(r'class="heat" src="data:image/jpeg;base64,([^"]+)"', page)
    assert uri
    with Image.open(io.BytesIO(base64.b64decode(uri[1]))) as small:
        assert small.size == (168, 168) and small.mode == "RGB"
