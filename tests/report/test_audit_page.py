"""The audit's page: every finding and film in its place, and every name only text."""

from __future__ import annotations

import base64
import io
import json
import re
import tempfile
from dataclasses import fields, is_dataclass, replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.helpers.pages import CHROMIUM, HOSTILE, Page, framed, read

from pneumoscope import __version__
from pneumoscope.audit.audit import Audit
from pneumoscope.audit.baselines import Baseline, FeatureAuroc
from pneumoscope.audit.counts import Counts, Patients
from pneumoscope.audit.duplicates import DuplicateList, ListedFilm, ListedGroup
from pneumoscope.audit.facts import facts_by_class
from pneumoscope.audit.findings import Finding, Severity
from pneumoscope.audit.genealogy import Genealogy, Overlap, SharedFilm
from pneumoscope.audit.splits import SplitShift
from pneumoscope.data.door import Door
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.formatting import shortened
from pneumoscope.readings import Estimate
from pneumoscope.records import InputSpec
from pneumoscope.report.audit.charts import FINEST, MOST_MARKS, bin_sizes, sizes_figure
from pneumoscope.report.audit.facts import fact_tables
from pneumoscope.report.audit.films import STILL_SIDE, small_uri
from pneumoscope.report.audit.page import PAGE, write_audit
from pneumoscope.report.audit.tables import count_words
from pneumoscope.report.kit.rows import key_figure

SPLITS = ("train", "val", "test")


def make_set(count: int = 48, side: int = 28, seed: int = 0, **columns: Any) -> PreparedSet:
    """A prepared set of noise, no two films alike: even rows normal, odd ones pneumonia."""
    images = np.random.default_rng(seed).integers(0, 256, (count, side, side), dtype=np.uint8)
    rows = np.arange(count)
    table = pd.DataFrame(
        {
            "image_id": [f"set{seed}/film_{row:03d}.png" for row in rows],
            "patient_id": [f"p{row // 2}" for row in rows],
            "split": [SPLITS[row % 3] for row in rows],
            "label": pd.array([row % 2 for row in rows], dtype="Int8"),
            "height": rows * 10 + 500,
            "width": rows * 12 + 600,
            "fact_bytes": rows * 100 + 1000,
            "fact_mode": ["L", "RGB"] * (count // 2) + ["L"] * (count % 2),
        }
    ).assign(**columns)
    about = {
        "fingerprint": "9f2c41d0",
        "source": {"name": "a set", "form": "folder", "notes": []},
        "flow": {},
    }
    return PreparedSet(Path("unused"), InputSpec(side, side), images, None, table, about)


def finding(code: str, severity: Severity, title: str, **more: Any) -> Finding:
    return Finding(code, severity, title, **{"count": 3, "remedy": f"Mend {code}.", **more})


def estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, low, high, 0.95, "DeLong", 48)


def film(prepared: PreparedSet, row: int) -> ListedFilm:
    line = prepared.table.iloc[row]
    label = None if pd.isna(line["label"]) else int(line["label"])
    return ListedFilm(row, line["image_id"], line["split"], label)


def group(prepared: PreparedSet, *rows: int, likeness: float | None = None) -> ListedGroup:
    return ListedGroup(tuple(film(prepared, row) for row in rows), likeness)


COUNTS = Counts(
    films=48,
    found=50,
    dropped=[{"reason": "the file is truncated", "count": 2}],
    passed_over={"a hidden file": 7},
    by_class={"normal": 24, "pneumonia": 24},
    by_split_and_class={
        "test": {"normal": 4, "pneumonia": 12},
        "train": {"normal": 8, "pneumonia": 8},
        "val": {"normal": 12, "pneumonia": 4},
    },
    patients=Patients(known=24, films_without=0, most_films=2, median_films=2.0),
)


def make_audit(prepared: PreparedSet) -> Audit:
    ids = prepared.table["image_id"].tolist()
    return Audit(
        name="a set",
        form="folder",
        why="split/CLASS/ files",
        notes=("From one hospital.",),
        seed=0,
        counts=COUNTS,
        facts_by_class=facts_by_class(prepared.table),
        findings=(
            finding("DUP-EXACT", "severe", "Films repeat.", examples=(ids[4], ids[9], "gone")),
            finding("UNREADABLE", "warning", "2 films could not be read."),
            finding("SHORTCUT-THUMBNAIL", "info", "Thumbnails predict the label."),
            finding(
                *("PATIENTS-UNKNOWN", "warning", "Patients are not known."),
                count=0,
                status="not provable",
            ),
        ),
        duplicates=DuplicateList(
            exact_groups=1,
            redundant=1,
            near_pairs=1,
            exact=(group(prepared, 0, 6),),
            near=(group(prepared, 3, 7, likeness=0.971),),
        ),
        baselines=(
            Baseline(
                name="metadata",
                what="file facts alone",
                features=("bytes",),
                cross_validated=estimate(0.888, 0.879, 0.897),
                official_test=estimate(0.834, 0.8, 0.864),
                single=(FeatureAuroc("bytes", estimate(0.75, 0.7, 0.8)),),
            ),
            Baseline("border", "the outer tenth alone", (), why_not="too few films"),
        ),
        shifts=(
            SplitShift("val", "normal", 12, 8, why_not="fewer than 25 films on one side"),
            SplitShift("test", "normal", 4, 8, estimate(0.909, 0.882, 0.93)),
        ),
    )


def make_genealogy(prepared: PreparedSet, against: PreparedSet) -> Genealogy:
    mine, theirs = prepared.table["image_id"].iloc[2], against.table["image_id"].iloc[5]
    return Genealogy(
        against="another set",
        looked={"test": 16, "train": 16},
        found=13,
        exact=4,
        shared={"test": estimate(0.75, 0.505, 0.898), "train": estimate(0.0625, 0.011, 0.283)},
        overlap=(Overlap("test", "train", 12), Overlap("train", "val", 1)),
        pairs=(SharedFilm(2, mine, "test", 5, theirs, "train", 0.98),) * 20,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a set in which everything was found, compared with another."""
    prepared, against = make_set(), make_set(seed=1)
    audit = replace(make_audit(prepared), genealogy=make_genealogy(prepared, against))
    return write_audit(tmp_path_factory.mktemp("audit"), audit, prepared, against)


def part(page: str, name: str) -> str:
    """One section of the page as HTML."""
    found = re.search(rf'<section id="{name}".*?</section>', page, flags=re.DOTALL)
    assert found, name
    return found[0]


def words(html: str) -> str:
    return re.sub(r"\s+", " ", " ".join(Page(html.replace("<wbr>", "")).words))


def pictures(html: str) -> list[np.ndarray]:
    """Every film of ``html`` as stored in it."""
    found = re.findall(r'<img src="data:image/\w+;base64,([^"]+)"', html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(code)))) for code in found]


def test_page_asks_nothing_of_the_network_and_says_what_it_is_not(whole: Path) -> None:
    page = read(whole)
    for tag, attributes in Page(page).tags:
        for name in ("src", "href", "srcset", "action", "xlink:href"):
            value = attributes.get(name) or ""
            assert value.startswith(("data:", "#")) or not value, (tag, value)
    assert not re.search(r"https?://|@import|url\((?!#)", page)
    assert "default-src 'none'" in page
    assert page.count("Research use only. Not a medical device.") >= 2


def test_ids_are_unique_and_every_reference_has_its_target(whole: Path) -> None:
    page = read(whole)
    tags = Page(page).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = {a["href"][1:] for _, a in tags if (a.get("href") or "").startswith("#")}
    assert wanted <= set(ids)
    assert {section.name for section in PAGE.sections} <= wanted


def test_summary_names_the_gravest_first(whole: Path) -> None:
    summary = words(part(read(whole), "summary"))
    assert "1 severe finding, 1 warning, 1 remark; 1 question cannot be answered." in summary
    order = ("Films repeat.", "2 films could not be read.", "Thumbnails predict", "are not known.")
    at = [summary.index(sentence) for sentence in order]
    assert at == sorted(at)
    assert "50.0%" in summary
    assert "of 50 found" in summary
    # That of the official test split, with which a network's own figure compares.
    assert "on the official test split 0.834 0.800\u2060–\u20600.864" in summary


def test_severity_is_a_word_and_a_form_not_a_colour_alone(whole: Path) -> None:
    badges = re.findall(r'<span class="badge [\w-]+">(.*?)</span>', read(whole), flags=re.DOTALL)
    forms = {re.sub(r"<svg.*?</svg>", "", badge): badge for badge in badges}
    assert set(forms) == {"severe", "warning", "remark", "not provable"}
    assert len({re.search(r"<svg.*</svg>", badge)[0] for badge in forms.values()}) == 4


def test_examples_are_shown_by_the_films_of_their_ids(whole: Path) -> None:
    cards = part(read(whole), "findings")
    images = make_set().images
    found = pictures(cards)
    assert len(found) == 2
    np.testing.assert_array_equal(found[0], images[4])
    np.testing.assert_array_equal(found[1], images[9])
    assert cards.count("not available</div>") == 1  # the film that the set does not have
    assert "Mend DUP-EXACT." in words(cards)


def test_not_provable_is_never_called_clean(whole: Path) -> None:
    unknown = words(part(read(whole), "unknown"))
    assert "Patients are not known." in unknown
    assert "not the same as clean" in unknown


def test_content_counts_films_by_split_and_class(whole: Path) -> None:
    content = words(part(read(whole), "content"))
    assert "training 8 50.0% 8 50.0% 16" in content
    assert "test 4 25.0% 12 75.0% 16" in content
    assert "all 24 50.0% 24 50.0% 48" in content
    for said in ("7: a hidden file", "2: the file is truncated", "50 films found"):
        assert said in content
    assert "24 patients median 2 films, at most 2" in content
    bars = re.findall(r'<rect class="part-(\w+)" x="([\d.]+)" y="0" width="([\d.]+)"', read(whole))
    assert bars[4] == ("normal", "0.00", "24.60")  # the test split, less the gap
    assert bars[5] == ("pneumonia", "25.00", "75.00")


def test_samples_are_films_of_their_class_and_the_same_each_time(whole: Path) -> None:
    samples = part(read(whole), "samples")
    assert words(samples).count("16 of 24") == 2
    images = make_set().images
    rows = [int(np.flatnonzero((images == p).all(axis=(1, 2)))[0]) for p in pictures(samples)]
    assert [row % 2 for row in rows] == [0] * 16 + [1] * 16
    assert len(set(rows)) == 32


def test_baselines_have_intervals_and_reasons(whole: Path) -> None:
    baselines = part(read(whole), "baselines")
    said = words(baselines)
    assert "0.888 (0.879–0.897)" in said
    assert "0.834 (0.800–0.864)" in said
    assert "Not measured: too few films." in said
    assert "bytes 0.750 0.700–0.800" in said


def test_splits_are_compared_class_by_class(whole: Path) -> None:
    splits = part(read(whole), "splits")
    said = words(splits)
    assert "test, normal 4 8 0.909 0.882–0.930" in said
    assert "validation, normal 12 8 – fewer than 25 films on one side" in said
    assert splits.count("<svg") == 1


def test_duplicates_stand_side_by_side_those_of_two_splits_first() -> None:
    prepared = make_set()
    audit = make_audit(prepared)
    # Rows 0, 6 and 12 are all of train; 3 and 4 differ in split and label, 1 and 3 in split.
    found = DuplicateList(
        exact_groups=3,
        redundant=7,
        near_pairs=30,
        exact=(
            group(prepared, 0, 6),
            group(prepared, 1, 3),
            group(prepared, 0, 6, 12, 18, 24, 3),
        ),
        near=(group(prepared, 3, 4, likeness=0.95),) * 30,
    )
    duplicates = part(_page(replace(audit, duplicates=found), prepared), "duplicates")
    groups = re.findall(r'<div class="twins.*?</div>\s*</div>', duplicates, flags=re.DOTALL)
    assert len(groups) == 24
    assert "two labels two splits" in words(groups[0])
    assert "And 9 more" in words(duplicates)
    found = pictures(groups[0])
    np.testing.assert_array_equal(found[0], prepared.images[3])
    np.testing.assert_array_equal(found[1], prepared.images[4])


def test_large_group_shows_the_film_that_lies_elsewhere() -> None:
    prepared = make_set()
    audit = make_audit(prepared)
    listed = DuplicateList(1, 6, exact=(group(prepared, 0, 6, 12, 18, 24, 3, 1),))
    shown = part(_page(replace(audit, duplicates=listed), prepared), "duplicates")
    found = pictures(shown)
    assert len(found) == 4
    np.testing.assert_array_equal(found[1], prepared.images[3])
    np.testing.assert_array_equal(found[2], prepared.images[1])
    assert "and 3 more" in words(shown)


def test_shared_films_come_from_both_sets(whole: Path) -> None:
    shared = part(read(whole), "shared")
    said = words(shared)
    assert "13 of 32 films looked for lie in another set too, and 4 have the same pixels" in said
    assert "test 16 12 75.0% 50.5\u2060–\u206089.8% 12 0" in said
    assert "training 16 1 6.2% 1.1\u2060–\u206028.3% 0 1" in said
    found = pictures(shared)
    assert len(found) == 32
    np.testing.assert_array_equal(found[0], make_set().images[2])
    np.testing.assert_array_equal(found[1], make_set(seed=1).images[5])
    assert "And 4 more" in said


def test_films_of_the_other_set_may_be_missing() -> None:
    prepared, against = make_set(), make_set(seed=1)
    audit = replace(make_audit(prepared), genealogy=make_genealogy(prepared, against))
    shared = part(_page(audit, prepared), "shared")
    assert len(pictures(shared)) == 16
    assert shared.count("not available</div>") == 16


def test_nothing_shared_is_not_called_different() -> None:
    prepared = make_set()
    nothing = replace(make_audit(prepared), genealogy=Genealogy("another", {"test": 16}))
    shared = words(part(_page(nothing, prepared), "shared"))
    assert "None of 16 films looked for was found in another." in shared
    assert "could not be seen" in shared


def test_hostile_names_are_only_text() -> None:
    prepared = make_set(
        image_id=[f"<script>{row}</script>{HOSTILE}" for row in range(48)],
        fact_mode=[HOSTILE, "RGB"] * 24,
    )
    prepared.table.insert(0, f"fact_{HOSTILE}", [HOSTILE] * 48)
    audit = replace(make_audit(prepared), genealogy=make_genealogy(prepared, prepared))
    page = _page(_soiled(audit), prepared, prepared, command=HOSTILE)
    assert [tag for tag, _ in Page(page).tags].count("script") == 1
    assert "<script>alert" not in page
    assert page.count("<img ") > 40  # the films are found all the same


def _soiled(value: Any) -> Any:
    """Every text of an audit made hostile, but for the words that mean something to the page."""
    known = ("metadata", "border", "train", "val", "test", "found", "not provable")
    if is_dataclass(value):
        kept = ("code", "severity", "by_class", "by_split_and_class", "looked", "shared")
        return replace(
            value,
            **{
                each.name: _soiled(getattr(value, each.name))
                for each in fields(value)
                if each.name not in kept
            },
        )
    if isinstance(value, dict):
        return {k + HOSTILE if k == "a hidden file" else k: _soiled(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(map(_soiled, value))
    if isinstance(value, str) and value not in known and "<script>" not in value:
        return value + HOSTILE
    return value


def test_control_and_direction_marks_appear_as_escapes() -> None:
    odd = "a\u202egpj.exe\n\x1b[31m"
    prepared = make_set(2, image_id=[odd, "b"])
    audit = replace(make_audit(make_set()), name=odd + "\ud800")
    page = _page(audit, prepared)
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert r"<h1>a\u202egpj.exe\n\x1b[31m\ud800</h1>" in page
    assert len(pictures(part(page, "samples"))) == 2


def test_names_that_tell_of_a_patient_are_hidden_as_in_the_report() -> None:
    long = "folder/" * 40 + "film_1.png"
    assert len(shortened(long)) == 48
    assert shortened(long).endswith("folder/film_1.png")
    assert shortened("short.png") == "short.png"
    ids = ["test/person1_virus_11.jpeg", "train/NORMAL2-IM-0095-0001.jpeg"]
    named = make_set(2, image_id=ids, patient_id=["person1", "NORMAL2-IM-0095"])
    page = _page(make_audit(make_set()), named)
    assert not [name for name in ("person1", "IM-0095", *ids) if name in page]
    assert "row 2" in words(part(page, "samples"))


def test_a_finding_says_what_it_counts(whole: Path) -> None:
    found = words(part(read(whole), "findings"))
    assert re.findall(r"concerns [0-9,]+ (?:films?|pairs?|patients?)", found)
    assert not re.findall(r"concerns [0-9,]+(?! (?:film|pair|patient))[^0-9,]", found)


AWKWARD = {
    "one film": make_set(1),
    "one class": make_set(label=pd.array([1] * 48, dtype="Int8")),
    "no labels": make_set(label=pd.array([pd.NA] * 48, dtype="Int8")),
    "no splits": make_set(split=[None] * 48),
    "one size": make_set(height=[28] * 48, width=[28] * 48),
    "facts unknown": make_set(fact_age=[np.nan] * 48, fact_view=[None] * 47 + ["AP"]),
}


@pytest.mark.parametrize("prepared", AWKWARD.values(), ids=AWKWARD.keys())
def test_awkward_sets_have_a_page(prepared: PreparedSet) -> None:
    said = words(
        re.sub(r"<(style|script)>.*?</\1>", "", _page(_bare(prepared), prepared), flags=16)
    )
    for trace in ("{{", "{%", "None", "nan", "NaN", "<NA>", "Undefined"):
        assert trace not in re.sub(r"None of|Undefined behaviour", "", said), trace


def _bare(prepared: PreparedSet) -> Audit:
    """An audit that found nothing and knows little."""
    films = len(prepared.table)
    return Audit(
        name="bare",
        form="folder",
        why="",
        notes=(),
        seed=0,
        counts=Counts(films, films, by_split_and_class={"no split": {"unknown": films}}),
        findings=(),
        duplicates=DuplicateList(near=(ListedGroup(()),)),
        baselines=(
            Baseline("metadata", "facts", (), cross_validated=estimate(nan, nan, nan)),
            Baseline("border", "border", (), cross_validated=estimate(0.4, nan, nan)),
        ),
        shifts=(),
        facts_by_class=facts_by_class(prepared.table),
    )


def test_nothing_found_is_not_called_clean() -> None:
    summary = words(part(_page(_bare(make_set()), make_set()), "summary"))
    assert "No check found anything." in summary
    assert "not the same as clean" in summary


def test_an_empty_audit_has_a_page() -> None:
    empty = replace(_bare(make_set()), counts=Counts(0, 0), baselines=())
    page = _page(replace(empty, duplicates=DuplicateList()), make_set())
    assert 'id="baselines"' not in page and 'id="splits"' not in page


def test_the_page_begins_with_what_the_data_holds(tmp_path: Path) -> None:
    prepared = make_set()
    door = Door("a set", "folder", "split/CLASS/ files", 50, 48, normal=20, pneumonia=28)
    write_audit(tmp_path, replace(make_audit(prepared), door=door), prepared)
    page = (tmp_path / "audit.html").read_text("utf-8")
    assert "What the data holds" in page[: page.index("<nav")] and "48 used of 50 found" in page
    assert json.loads((tmp_path / "audit.json").read_text("utf-8"))["door"]["used"] == 48


def test_json_holds_the_audit_with_null_for_not_a_number(tmp_path: Path) -> None:
    prepared = make_set()
    audit = make_audit(prepared)
    metadata, border = audit.baselines
    unknown = replace(metadata, official_test=estimate(nan, 0.8, 0.864))
    write_audit(tmp_path, replace(audit, baselines=(unknown, border)), prepared, command="x")
    stored = json.loads((tmp_path / "audit.json").read_text("utf-8"))
    expected = audit.to_json() | {"command": "x"}
    expected["baselines"][0]["official_test"]["value"] = None
    assert stored == expected
    assert list(stored) == [
        *("schema", "name", "form", "source", "door", "seed", "counts", "findings"),
        *("not_provable", "duplicates", "baselines", "splits", "genealogy"),
        *("facts_by_class", "command"),
    ]


def test_same_audit_same_bytes_and_nothing_left_over(whole: Path, tmp_path: Path) -> None:
    prepared, against = make_set(), make_set(seed=1)
    audit = replace(make_audit(prepared), genealogy=make_genealogy(prepared, against))
    assert write_audit(tmp_path, audit, prepared, against) == tmp_path / "audit.html"
    assert read(tmp_path / "audit.html") == read(whole)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["audit.html", "audit.json"]


def test_command_and_version_are_told(whole: Path) -> None:
    assert "pneumoscope audit DATA --against OTHER" in read(whole)
    page = _page(make_audit(make_set()), make_set(), command="pneumoscope audit x")
    assert "pneumoscope audit x" in page
    assert f"pneumoscope {__version__}" in page


def test_sizes_are_gathered_and_none_is_lost() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(300, 3000, (100_000, 2))
    points[0] = (9000, 200)  # a film far from all others
    of = rng.integers(0, 3, 100_000)
    of[0] = 1
    cells = bin_sizes(points, of)
    for kind in range(3):
        assert cells[kind].count.sum() == (of == kind).sum()
        mean = (cells[kind].width * cells[kind].count).sum() / cells[kind].count.sum()
        assert mean == pytest.approx(points[of == kind, 0].mean())
    assert sum(len(c.count) for c in cells.values()) <= MOST_MARKS
    alone = cells[1].width == 9000
    assert alone.sum() == 1
    assert (cells[1].height[alone][0], cells[1].count[alone][0]) == (200, 1)


def test_few_sizes_keep_their_places() -> None:
    points = np.array([[1024.0, 1024], [2000, 1500], [1024, 1024], [1024, 1024]])
    cells = bin_sizes(points, np.array([0, 0, 0, 1]))
    assert cells[0].width.tolist() == [1024, 2000]
    assert cells[0].count.tolist() == [2, 1]
    assert (cells[1].width.tolist(), cells[1].count.tolist()) == ([1024], [1])
    assert FINEST**2 * 3 > MOST_MARKS  # otherwise cells would never have to grow


def test_one_size_is_said_and_not_drawn() -> None:
    prepared = make_set(height=[28] * 48, width=[40] * 48)
    assert sizes_figure(prepared.table) is None
    said = words(part(_page(make_audit(prepared), prepared), "sizes"))
    assert "Every film is 40 pixels wide and 28 high" in said


def test_facts_are_told_by_class() -> None:
    known = facts_by_class(make_set(fact_bits=[8.0, 16.0] * 24).table)
    bits = next(each for each in known.words if each.name == "bits")
    assert bits.values["8"] == {"normal": 24, "pneumonia": 0} and bits.distinct == 2
    found = fact_tables(known)
    assert found.classes == (("normal", 24), ("pneumonia", 24))
    size = dict(found.numbers)
    # Rows 0, 2 … 46 are normal: widths 600, 624 … 1152, whose middle is 876.
    assert size["width"][0][0] == "876"
    assert size["bytes"][1][0] == "3,400"
    mode = {fact.name: dict(fact.rows) for fact in found.words}
    assert mode["mode"]["RGB"] == ((0, "0.0%"), (24, "100.0%"))
    assert mode["bits"]["8"] == ((24, "100.0%"), (0, "0.0%"))


def test_verdict_counts_in_words() -> None:
    found = [finding("TINY", word, "x") for word in ("info", "severe", "info")]
    assert count_words(found, 0) == "1 severe finding, 2 remarks."
    assert count_words([], 2) == "No check found anything; 2 questions cannot be answered."


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ((0.75, 0.7, 0.8), (40.0, 50.0, 60.0)),
        ((0.55, 0.45, 0.65), (0.0, 10.0, 30.0)),
        ((0.45, 0.4, 0.5), None),
        ((nan, nan, nan), None),
    ],
)
def test_whiskers_run_from_a_guess_to_one(
    given: tuple[float, float, float], at: tuple[float, ...] | None
) -> None:
    found = key_figure("AUROC", estimate(*given), start=0.5).at
    assert found == (None if at is None else pytest.approx(at))


def test_films_are_small() -> None:
    smooth = np.tile(np.linspace(0, 255, 224).astype(np.uint8), (224, 1))
    code = small_uri(smooth).split(",", 1)[1]
    assert Image.open(io.BytesIO(base64.b64decode(code))).size == (STILL_SIDE, STILL_SIDE)
    assert len(code) < 6000


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium binary on this machine")
def test_browser_finds_no_fault_with_the_longest_names(tmp_path: Path) -> None:
    long = [f"{row}" + "x" * 300 for row in range(48)]
    prepared = make_set(image_id=long, fact_mode=["M" * 300, "L"] * 24)
    audit = replace(
        make_audit(prepared),
        name="n" * 300,
        genealogy=make_genealogy(prepared, prepared),
        counts=replace(COUNTS, passed_over={"r" * 300: 1}),
        findings=(finding("TINY", "severe", "t" * 300, examples=tuple(long[:3])),),
    )
    page = _page(audit, prepared, prepared, command="c" * 300)
    images = 'images: [...inner.images].every((image) => image.src.startsWith("data:"))'
    assert all(found["images"] for found in framed(page, tmp_path, more=images))


def _page(
    audit: Audit,
    prepared: PreparedSet,
    against: PreparedSet | None = None,
    command: str = "",
) -> str:
    """The page as text, written into a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        return read(write_audit(Path(folder), audit, prepared, against, command=command))
