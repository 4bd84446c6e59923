"""The report: whole, self-contained, honest about intervals, silent about patients."""

from __future__ import annotations

import base64
import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.helpers.doors import DOOR
from tests.helpers.pages import HOSTILE, Page, read

from pneumoscope.errors import NotARun
from pneumoscope.plain import to_plain
from pneumoscope.report.kit.films import to_uri
from pneumoscope.report.run.render import write_report

Rows = list[dict[str, Any]]


@pytest.fixture
def page(reported: Path) -> str:
    return read(reported / "report.html")


def test_nothing_is_asked_of_the_network(page: str) -> None:
    for tag, attributes in Page(page).tags:
        for name in ("src", "href", "srcset", "action", "xlink:href"):
            value = attributes.get(name) or ""
            assert value.startswith(("data:", "#")) or not value, (tag, value)
    assert "http://" not in page
    assert "https://" not in page
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_no_template_variable_is_left(page: str) -> None:
    words = " ".join(Page(page).words)
    for trace in ("{{", "}}", "{%", "Undefined", " None", "nan", "NaN"):
        assert trace not in words.replace("Number.isNaN", ""), trace


def test_says_what_it_is_not(page: str) -> None:
    assert page.count("Research use only. Not a medical device.") >= 2


def test_the_page_holds_the_model_card(page: str, reported: Path) -> None:
    use = page[page.index('<section id="use"') :].split("</section>")[0]
    said = " ".join(" ".join(Page(use).words).replace("\u2060", "").split())
    card = (reported / "model_card.md").read_text(encoding="utf-8")
    assert "Research and teaching on frontal chest radiographs" in said
    assert "Diagnosis, triage or any decision about a patient" in said
    limits = [line[2:] for line in card.split("## Limits")[1].splitlines() if line.startswith("- ")]
    assert len(limits) >= 4
    for sentence in limits:
        assert sentence in said


def test_every_metric_stands_with_its_interval(page: str) -> None:
    rows = re.findall(r'<tr data-metric="(\w+)">(.*?)</tr>', page, flags=re.DOTALL)
    assert len(rows) == 13  # fourteen less recall, which is sensitivity
    for name, row in rows:
        assert re.search(r'class="num interval">[−\d.]+(–| to )[−\d.]+<', row), name
    for value, interval in re.findall(r'<td class="num">([\d.]+)<small>(.*?)</small>', page):
        assert re.fullmatch(r"[\d.]+\u2060–\u2060[\d.]+", interval), value


def test_ids_are_unique_and_every_reference_has_its_target(page: str) -> None:
    tags = Page(page).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = {a["href"][1:] for _, a in tags if (a.get("href") or "").startswith("#")}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", page))
    assert wanted <= set(ids)


def test_images_are_lazy_and_have_words(page: str) -> None:
    images = [attributes for tag, attributes in Page(page).tags if tag == "img"]
    assert len(images) > 20
    assert all(image["alt"] and image["loading"] == "lazy" for image in images)
    charts = [a for tag, a in Page(page).tags if tag == "svg" and a.get("class") == "chart"]
    assert len(charts) == 13
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)


def test_figures_follow_the_page_and_keep_every_digit(page: str) -> None:
    assert "var(--normal)" in page
    assert "currentColor" in page
    assert "#1c2127;" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    auroc = re.search(r">AUROC (\d\.\d+)<", page)
    assert auroc
    assert len(auroc[1]) == 5


@pytest.mark.usefixtures("undrawn")
def test_patient_ids_never_appear(
    make_run: Callable[..., Path],
    film: Callable[[str], np.ndarray],
    simulated: Callable[..., Rows],
) -> None:
    rows = simulated(60, 40, seed=1)
    for number, row in enumerate(rows):
        row["patient_id"] = f"PAT{number:04d}"
        row["image_id"] = f"PAT{number:04d}" if number % 2 else f"PAT{number:04d}_view_{number}"
    folder = make_run(rows)
    page = read(write_report(folder, film))
    assert "PAT0" not in page
    assert "PAT0" not in read(folder / "model_card.md")
    assert "row " in page


def test_hostile_names_are_only_text(
    make_run: Callable[..., Path],
    film: Callable[[str], np.ndarray],
    simulated: Callable[..., Rows],
) -> None:
    rows = simulated(40, 20, seed=2)
    for number, row in enumerate(rows):
        row["image_id"] = f"<u>{number}"
    folder = make_run(rows, name="a$b<script>c", warnings=[HOSTILE], command=HOSTILE)
    card = json.loads((folder / "run.json").read_text())
    card["source"].update(name=HOSTILE, notes=[HOSTILE], why=HOSTILE)
    card["name"] = HOSTILE
    card["flow"]["dropped"] = [{"reason": HOSTILE, "count": 1}]
    card["flow"]["splits"][HOSTILE] = card["flow"]["splits"].pop("train")
    (folder / "run.json").write_text(json.dumps(card))
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["operating_point"].update(name=HOSTILE, rule=HOSTILE)
    (folder / "metrics.json").write_text(json.dumps(metrics))
    page = read(write_report(folder, film))
    assert [tag for tag, _ in Page(page).tags].count("script") == 1
    assert "<u>" not in page
    assert "<script>" not in read(folder / "model_card.md")


def test_one_class_has_words_instead_of_curves(
    make_run: Callable[..., Path],
    film: Callable[[str], np.ndarray],
    simulated: Callable[..., Rows],
) -> None:
    folder = make_run(simulated(30, 0, seed=3))
    page = read(write_report(folder, film))
    assert "are of one class" in page
    assert "undefined: one class" in page
    assert not (folder / "figures" / "roc.png").exists()
    assert (folder / "figures" / "confusion.png").exists()


def test_undefined_metrics_say_why(
    make_run: Callable[..., Path],
    film: Callable[[str], np.ndarray],
    simulated: Callable[..., Rows],
) -> None:
    folder = make_run(simulated(30, 30, seed=3))
    metrics = json.loads((folder / "metrics.json").read_text())
    for found in metrics["metrics"].values():
        found.update(value=None, low=None, high=None, method="undefined: 0/0")
    for name in ("precision", "recall", "f1"):
        metrics["per_class"]["normal"][name].update(value=None, low=None, high=None)
    (folder / "metrics.json").write_text(json.dumps(metrics))
    page = read(write_report(folder, film))
    assert "AUROC is undefined: 0/0." in page
    assert "nan" not in " ".join(Page(page).words).lower().replace("number.isnan", "")


@pytest.mark.usefixtures("undrawn")
def test_nothing_misread_is_said_and_drawn(
    make_run: Callable[..., Path],
    film: Callable[[str], np.ndarray],
    simulated: Callable[..., Rows],
) -> None:
    rows = simulated(30, 15, seed=4)
    for row in rows:
        row["probability"] = 0.95 if row["label"] else 0.05
        row["logit"] = math.log(19) if row["label"] else -math.log(19)
    page = read(write_report(make_run(rows), film))
    assert "There is none." in page
    assert "is misread; with other films some would be" in page


@pytest.mark.usefixtures("undrawn")
def test_films_that_cannot_be_read_leave_a_place(make_run: Callable[..., Path]) -> None:
    page = read(write_report(make_run(), lambda image_id: None))
    assert "not available" in page
    assert "<img" not in page


@pytest.mark.usefixtures("undrawn")
def test_threshold_chosen_on_the_judged_split_is_denounced(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    folder = make_run()
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["operating_point"]["chosen_on"] = "test"
    (folder / "metrics.json").write_text(json.dumps(metrics))
    assert "every figure that depends on it is too good" in read(write_report(folder, film))


@pytest.mark.usefixtures("undrawn")
def test_a_fixed_threshold_is_not_said_to_be_chosen_on_films(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    folder = make_run()
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["operating_point"] |= {"name": "fixed", "rule": "fixed at 0.5", "threshold": 0.5}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    page = read(write_report(folder, film))
    assert "This threshold was fixed beforehand: no film of this run had a part in it." in page
    assert "was chosen on the validation split" not in page


@pytest.mark.usefixtures("undrawn")
def test_test_films_unlike_the_training_films_are_named_at_the_top(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    auroc = {"value": 0.909, "low": 0.882, "high": 0.93, "level": 0.95, "method": "", "n": 99}
    shift = {"split": "test", "label": "normal", "films": 234, "train": 1341, "why_not": None}
    told = {**shift, "auroc": auroc, "finding": "as the audit says it"}
    small = {**shift, "split": "val", "auroc": None, "why_not": "too few", "finding": None}
    page = read(write_report(make_run(shifts=[told, small]), film))
    said = "A model of 8 × 8 thumbnails tells normal films of test from normal films of train "
    said += "with AUROC 0.909"
    assert f"Some are unlike the training films: {said}" in page
    rows = re.sub(r"<[^>]+>", "|", page[page.index("Do the films of each split") :])
    assert re.search(r"test, normal\|+234\|+1,341\|+0.909\|+0.882\W+0.930", rows)
    assert re.search(r"validation, normal\|+234\|+1,341\|+–\|+too few", rows)
    assert "unlike the training films" not in read(write_report(make_run(), film))


@pytest.mark.usefixtures("undrawn")
def test_bare_run_without_training_files(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    folder = make_run()
    for name in ("history.csv", "recipe.yaml", "model.json"):
        (folder / name).unlink()
    (folder / "run.json").write_text(json.dumps({"schema": 1, "name": "bare"}))
    page = read(write_report(folder, film))
    assert 'id="training"' not in page
    assert 'id="results"' in page


@pytest.mark.parametrize("missing", ["metrics.json", "predictions.csv", "run.json"])
def test_folder_that_is_not_judged_is_refused(
    make_run: Callable[..., Path], film: Callable[[str], np.ndarray], missing: str
) -> None:
    folder = make_run()
    (folder / missing).unlink()
    with pytest.raises(NotARun, match=missing):
        write_report(folder, film)
    assert not (folder / "report.html").exists()


def test_same_run_same_bytes_and_nothing_left_over(
    reported: Path, make_run: Callable[..., Path], film: Callable[[str], np.ndarray]
) -> None:
    again = make_run(door=to_plain(DOOR))
    write_report(again, film)
    names = sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    for name in names:
        assert (again / name).read_bytes() == (reported / name).read_bytes(), name
    assert not [name for name in names if name.name.startswith(".")]


def test_pictures_are_200_dpi_on_white(reported: Path) -> None:
    names = {path.stem for path in (reported / "figures").iterdir()}
    assert names == {
        *("roc", "precision_recall", "confusion", "probabilities", "reliability", "labels"),
        *("loss", "scores", "misclassified", "predictions", "samples"),
        *("reliability_calibrated", "prevalence", "decision_curve", "subgroups", "risk_coverage"),
    }
    with Image.open(reported / "figures" / "roc.png") as picture:
        assert picture.info["dpi"] == pytest.approx((200, 200), abs=0.1)
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_small_films_are_exact_and_large_ones_small() -> None:
    draw = np.random.default_rng(0)
    exact = draw.integers(0, 256, (28, 28), dtype=np.uint8)
    with Image.open(io.BytesIO(_bytes(to_uri(exact)))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), exact)
    smooth = np.tile(np.linspace(0, 255, 600).astype(np.uint8), (300, 1))
    with Image.open(io.BytesIO(_bytes(to_uri(smooth)))) as picture:
        assert picture.size == (168, 84)


def _bytes(uri: str) -> bytes:
    return base64.b64decode(uri.split(",", 1)[1])
