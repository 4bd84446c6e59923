"""Several sets in one command, on two sites of tiny phantoms."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sklearn.metrics import roc_auc_score
from tests.helpers.commands import FOLDS, Made, made_at, run
from tests.helpers.figures import leave_undrawn
from tests.helpers.shared import made_once
from tests.helpers.sources import two_sites

from pneumoscope.cli.options import DataOptions
from pneumoscope.cli.sites import request_of
from pneumoscope.errors import DataNotFound, InputError
from pneumoscope.evaluation.predictions import read_predictions
from pneumoscope.evaluation.site.matrix import read_matrix
from pneumoscope.report.groups.matrix import _remarks
from pneumoscope.run import Run

WORDS = [
    word
    for change in (*FOLDS, "data.test_share=0.25", "data.val_share=0.2")
    for word in ("--set", change)
]


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return made_once(tmp_path_factory, "sites", two_sites)


@pytest.fixture(scope="session")
def together(tmp_path_factory: pytest.TempPathFactory, sites: tuple[Path, Path]) -> Made:
    """A run on both sites. No test changes it."""

    def make(place: Path) -> Made:
        with made_at(place) as (patch, printed):
            leave_undrawn(patch)
            assert run(patch, "train", *map(str, sites), *WORDS, "--out", "both") == 0
        return Made(place / "both", place / "cache", printed.getvalue())

    return made_once(tmp_path_factory, "together", make)


def test_figures_stand_by_site_and_the_pooled_ones_second(together: Made) -> None:
    found = json.loads((together.folder / "metrics.json").read_text("utf-8"))
    table = read_predictions(together.folder / "predictions.csv")
    test = table[table["split"] == "test"]
    assert [site["name"] for site in found["sites"]] == ["east", "west"]
    for site in found["sites"]:
        rows = test[test["site"] == site["name"]]
        assert site["n"] == len(rows) and site["positives"] == rows["label"].sum()
        auroc = site["metrics"]["auroc"]
        assert auroc["value"] == pytest.approx(roc_auc_score(rows["label"], rows["probability"]))
        assert auroc["low"] <= auroc["value"] <= auroc["high"]
    assert found["n"] == sum(site["n"] for site in found["sites"])
    first = found["subgroups"]["facts"][0]
    assert first["fact"] == "site" and [g["name"] for g in first["groups"]] == ["east", "west"]


def test_screen_report_and_card_name_the_sites(together: Made) -> None:
    said = together.printed
    assert "sites: each class of each site alike" in said and "west normal" in said
    assert "AUROC by site: east" in " ".join(said.split())
    assert "The site alone tells the class with AUROC" in " ".join(said.split())
    assert "No film of a hospital beside these 2 sites was judged" in " ".join(said.split())
    assert "evaluate both --data OTHER" in said and "…" not in said.partition("Result")[2]
    report = (together.folder / "report.html").read_text("utf-8")
    assert "The site alone tells the class" in report
    assert re.search(r"of 2 sites: east \d+ of patients whose age", report)
    assert "those of west are" in report
    top = report.partition("<nav")[0]
    assert top.index("AUROC, east") < top.index("AUROC, west") < top.index("AUROC, all together")
    assert report.index("Metrics by site") < report.index("All metrics, each with its interval")
    card = (together.folder / "model_card.md").read_text("utf-8")
    assert card.index("Performance by site") < card.index("## Performance on the test split")
    manifest = json.loads((together.folder / "run.json").read_text("utf-8"))
    assert list(manifest["request"]["sites"]) == ["east", "west"]
    assert "patient1_" not in report + card + json.dumps(manifest)


@pytest.mark.slow
def test_a_run_of_several_sites_is_resumed_and_judged_again(
    together: Made, monkeypatch: pytest.MonkeyPatch, sites: tuple[Path, Path], tmp_path: Path
) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(together.cache))
    assert run(monkeypatch, "evaluate", str(together.folder), "--split", "val", "--out", "v") == 0
    found = json.loads((tmp_path / "v/metrics.json").read_text("utf-8"))
    assert [site["name"] for site in found["sites"]] == ["east", "west"]
    copy = Run(Path(shutil.copytree(together.folder, tmp_path / "both")))
    old = json.loads(copy.metrics_file.read_text("utf-8"))
    copy.metrics_file.unlink()
    copy.report_file.unlink()
    assert run(monkeypatch, "train", "--resume", str(copy.folder)) == 0
    new = json.loads(copy.metrics_file.read_text("utf-8"))
    assert new["sites"] == old["sites"] and new["metrics"] == old["metrics"]


def test_one_set_asks_as_it_always_did(sites: tuple[Path, Path]) -> None:
    options = DataOptions(classes=["COVID=pneumonia"])
    assert request_of([str(sites[0])], options) == options.request(str(sites[0]))


def test_each_set_has_its_own_options(sites: tuple[Path, Path]) -> None:
    east, west = map(str, sites)
    words = [east, f"other={west}", "other:column=label=Finding", "other:classes=sick=pneumonia"]
    asked = request_of(words, DataOptions(classes=["odd=ignore"], keep_ids=True))
    assert list(asked.sites) == ["east", "other"] and asked.keep_ids
    assert asked.sites["east"].classes == {"odd": "ignore"} and not asked.sites["east"].columns
    assert asked.sites["other"].classes == {"odd": "ignore", "sick": "pneumonia"}
    assert asked.sites["other"].columns == {"label": "Finding"}


def test_a_list_of_sets_says_the_same_as_words(sites: tuple[Path, Path], tmp_path: Path) -> None:
    east, west = sites
    (tmp_path / "labels.csv").write_text("image,label\n")
    listed = tmp_path / "sites.yaml"
    listed.write_text(
        f"east: {east}\nother:\n  path: {west}\n"
        "  labels: labels.csv\n  column: {label: Finding}\n"
    )
    words = [str(east), f"other={west}", f"other:labels={tmp_path / 'labels.csv'}"]
    words.append("other:column=label=Finding")
    assert request_of([str(listed)], DataOptions()) == request_of(words, DataOptions())
    listed.write_text("- east\n")
    with pytest.raises(InputError, match="no list of sets"):
        request_of([str(listed)], DataOptions())


def test_a_list_of_sets_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    listed = tmp_path / "sites.yaml"
    for text, said, got in (
        ("east: a\nwest: b\neast: c\n", "says east twice", "line 3"),
        ("east: {path: a, form: folder, form: rsna}\n", "says form twice", "line 1"),
        ("Süd: a\n", "cannot be that of a set", "Süd"),
        ("east: [1\n", "is no YAML", "line 2"),
        ("east: {path: a, seed: 1}\n", "cannot be said of one set", "east: seed"),
    ):
        listed.write_text(text, "utf-8")
        with pytest.raises(InputError, match=said) as raised:
            request_of([str(listed)], DataOptions())
        assert got in str(raised.value.got)


def test_a_list_of_sets_says_from_where_its_paths_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = tmp_path / "lists" / "sites.yaml"
    (listed.parent / "east").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for text, got in (
        ("east: east\nwest: films/west\n", "films/west"),
        ("east: east\nwest: west\n", "west"),
        ("east: {path: east, labels: east.csv}\nwest: phantom\n", "east.csv"),
    ):
        listed.write_text(text)
        with pytest.raises(DataNotFound, match=r"sites\.yaml names what is not there") as raised:
            request_of(["lists/sites.yaml"], DataOptions())
        assert raised.value.got == got and str(listed.parent) in str(raised.value.remedy)
    listed.write_text("east: east\nwest: phantom@64\nsouth: hf:owner/name\n")
    asked = request_of(["lists/sites.yaml"], DataOptions()).sites
    assert [each.data for each in asked.values()] == ["lists/east", "phantom@64", "hf:owner/name"]


def test_a_set_has_the_name_of_its_folder_in_plain_letters(tmp_path: Path) -> None:
    for name in ("Klinik Süd 1", "north"):
        (tmp_path / name).mkdir()
    asked = request_of([str(tmp_path / "Klinik Süd 1"), str(tmp_path / "north")], DataOptions())
    assert list(asked.sites) == ["Klinik-Sud-1", "north"]


@pytest.mark.parametrize(
    ("words", "options", "said"),
    [
        (["{0}", "{0}"], {}, "two sets have one name"),
        (["{0}", "{1}", "north:form=folder"], {}, "not named"),
        (["{0}", "{1}", "east:seed=3"], {}, "cannot be said of one set"),
        (["{0}", "{1}"], {"form": "folder"}, "east:form=folder"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    sites: tuple[Path, Path], words: list[str], options: dict[str, str], said: str
) -> None:
    filled = [word.format(*sites) for word in words]
    with pytest.raises(InputError, match=said):
        request_of(filled, DataOptions(**options))


def test_what_is_asked_of_one_set_is_answered_by_its_name(
    sites: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "odd/NORMAL").mkdir(parents=True)
    for name, file in zip(("NORMAL", "COVID"), (sites[0] / "NORMAL").iterdir(), strict=False):
        (tmp_path / "odd" / name).mkdir(exist_ok=True)
        (tmp_path / "odd" / name / "a.png").write_bytes(file.read_bytes())
    assert run(monkeypatch, "prepare", str(sites[0]), "odd") == 2
    said = capsys.readouterr().err
    assert "odd: " in said and "odd:classes=" in said.splitlines()[-1]


def test_a_set_to_audit_against_has_its_own_options(
    sites: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The films of the other set lie under words that only its own options explain."""
    for site, word in (("NORMAL", "well"), ("PNEUMONIA", "odd")):
        shutil.copytree(sites[0] / site, tmp_path / "other" / word)
    words = ("--against", "other", "--against", "other:classes=well=normal")
    assert run(monkeypatch, "audit", str(sites[0]), *words) == 2
    assert "odd" in capsys.readouterr().err
    more = ("--against", "other:classes=odd=pneumonia", "--out", "a")
    assert run(monkeypatch, "audit", str(sites[0]), *words, *more) == 0
    found = json.loads((tmp_path / "a/audit.json").read_text("utf-8"))
    assert found["genealogy"]["against"] == "other" and found["genealogy"]["found"] == 40


def test_the_same_films_under_two_names_are_refused(
    sites: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, same = f"one={sites[0]}", f"same={sites[0]}"
    assert run(monkeypatch, "prepare", one, same) == 2
    assert "one set is named twice" in capsys.readouterr().err


@pytest.fixture(scope="session")
def left_out(tmp_path_factory: pytest.TempPathFactory, sites: tuple[Path, Path]) -> Made:
    """A run that left out each site. No test changes it."""

    def make(place: Path) -> Made:
        with made_at(place) as (patch, printed):
            leave_undrawn(patch)
            words = ("crossval", *map(str, sites), "--by", "site", *WORDS, "--out", "matrix")
            assert run(patch, *words) == 0
        return Made(place / "matrix", place / "cache", printed.getvalue())

    return made_once(tmp_path_factory, "left-out", make)


def test_a_matrix_of_sites_has_the_same_films_in_every_row(left_out: Made) -> None:
    found = read_matrix(left_out.folder / "matrix.json")
    assert found.sites == ("east", "west")
    assert [row.trained_on for row in found.rows] == [("west",), ("east",)]
    counts = [[(cell.name, cell.n, cell.positives) for cell in row.cells] for row in found.rows]
    assert counts[0] == counts[1] and [name for name, _, _ in counts[0]] == ["east", "west"]
    for row in found.rows:
        table = read_predictions(left_out.folder / row.folder / "predictions.csv")
        out = table[(table["split"] == "test") & (table["site"] == row.left_out.name)]
        assert len(out) == (table["split"] == "test").sum() == row.left_out.n == 40
        assert set(table.loc[table["split"] != "test", "site"]) == set(row.trained_on)
        own = table[table["split"] == "own"]
        cell = next(cell for cell in row.cells if cell.name in row.trained_on)
        expected = roc_auc_score(own["label"], own["probability"])
        assert cell.metrics["auroc"].value == pytest.approx(expected)
        said = (own["probability"] >= row.operating_point.threshold) == (own["label"] == 1)
        assert cell.metrics["sensitivity"].value == pytest.approx(said[own["label"] == 1].mean())
        manifest = json.loads((left_out.folder / row.folder / "run.json").read_text("utf-8"))
        assert manifest["door"]["sites"][0]["name"] == "east"


def test_the_matrix_is_shown_on_screen_and_page(left_out: Made) -> None:
    said = " ".join(left_out.printed.split())
    assert "west → east*" in said and "east → east" in said and "* took no part in training" in said
    page = (left_out.folder / "report.html").read_text("utf-8")
    assert page.count('class="num value elsewhere"') == 2 or page.count("elsewhere") >= 2
    assert "without-east/report.html" in page and "Calibration in the large" in page
    run_page = (left_out.folder / "without-west/report.html").read_text("utf-8")
    assert "All films judged are of west, which took no part in training" in run_page


def test_a_model_that_gives_films_of_the_left_out_site_one_answer_is_called_so(
    left_out: Made,
) -> None:
    found = read_matrix(left_out.folder / "matrix.json")
    row, *others = found.rows
    both = {"sensitivity": 0.0, "specificity": 1.0}
    metrics = row.left_out.metrics
    same = {**metrics, **{k: replace(metrics[k], value=v) for k, v in both.items()}}
    blind = replace(row, left_out=replace(row.left_out, metrics=same))
    first = next(iter(_remarks(replace(found, rows=(blind, *others)))))
    assert first.lead == "east, left out." and first.text.startswith("Every film is called normal")


def test_models_that_left_out_a_site_are_no_ensemble(
    left_out: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (("evaluate", str(left_out.folder)), ("predict", str(left_out.folder), "x.png")):
        assert run(monkeypatch, *words) == 2
        assert "are no ensemble" in capsys.readouterr().err


def test_a_matrix_is_resumed(
    left_out: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(left_out.folder, tmp_path / "matrix"))
    file = copy / "matrix.json"
    before = file.read_bytes()
    file.unlink()
    assert run(monkeypatch, "train", "--resume", str(copy)) == 0
    assert file.read_bytes() == before


def test_a_site_of_one_class_cannot_be_left_out(
    sites: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(sites[1] / "NORMAL", tmp_path / "well/NORMAL")
    words = ("crossval", str(sites[0]), "well", "--by", "site", *WORDS, "--out", "matrix")
    assert run(monkeypatch, *words) == 2
    said = capsys.readouterr().err
    assert "cannot be left out" in said and "well: 30 normal and 0 pneumonia films" in said
    assert not (tmp_path / "matrix").exists()


def test_one_set_cannot_be_left_out_by_site(
    sites: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "crossval", str(sites[0]), "--by", "site") == 2
    assert "needs several" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--data", "{0}", "--data", "{1}"], ["--data", "{0}", "{1}"]], ids=["twice", "once"]
)
def test_a_run_is_asked_of_several_sets(
    words: list[str],
    together: Made,
    sites: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They are those that it was made from, which is seen before any is read by it."""
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(together.cache))
    typed = [word.format(*sites) for word in words]
    assert run(monkeypatch, "evaluate", str(together.folder), *typed) == 2
    said = capsys.readouterr().err
    assert "the run was trained and judged on" in said and f"{sites[0]} + {sites[1]}" in said


def test_a_set_that_no_option_names_is_no_set_to_judge(
    together: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "evaluate", str(together.folder), "films") == 2
    said = capsys.readouterr().err
    assert "named by an option" in said and "--data films" in said


@pytest.mark.slow
def test_several_sets_are_judged_by_site(
    trained: Made, sites: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(trained.cache))
    words = ("--data", *map(str, sites), "--out", "judged")
    assert run(monkeypatch, "evaluate", str(trained.folder), *words) == 0
    found = json.loads((tmp_path / "judged/metrics.json").read_text("utf-8"))
    assert [(site["name"], site["n"]) for site in found["sites"]] == [("east", 40), ("west", 40)]
    page = (tmp_path / "judged/report.html").read_text("utf-8")
    assert "AUROC, west" in page


@pytest.mark.slow
def test_folds_of_several_sites_stand_by_site(
    sites: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = [word for change in FOLDS for word in ("--set", change)]
    words = ("crossval", *map(str, sites), "--folds", "2", *changes, "--out", "cv")
    assert run(monkeypatch, *words) == 0
    found = json.loads((tmp_path / "cv/metrics.json").read_text("utf-8"))
    pooled = read_predictions(tmp_path / "cv/predictions.csv")
    assert [site["name"] for site in found["sites"]] == ["east", "west"]
    for site in found["sites"]:
        rows = pooled[pooled["site"] == site["name"]]
        assert site["n"] == len(rows) == 40
        hit = rows.loc[rows["label"] == 1, "decision"].mean()
        assert site["metrics"]["sensitivity"]["value"] == pytest.approx(hit)
        auroc = roc_auc_score(rows["label"], rows["probability"])
        assert site["metrics"]["auroc"]["value"] == pytest.approx(auroc)
    page = (tmp_path / "cv/report.html").read_text("utf-8")
    assert "By site." in page and "Metrics by site, over all folds" in page
