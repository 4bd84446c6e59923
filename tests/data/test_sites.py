"""Several sets joined to one: ids, copies, splits and draws by site."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.helpers.sources import two_sites

from pneumoscope.data.door import door_of
from pneumoscope.data.loader import make_loader
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.data.split import plan_splits, with_splits
from pneumoscope.data.together import alike
from pneumoscope.data.together import sites as together
from pneumoscope.data.together.sites import REPEATED
from pneumoscope.errors import DiskFull, InputError
from pneumoscope.listener import Silent
from pneumoscope.recipe import load_recipe
from pneumoscope.records import OWN, DataRequest, InputSpec, Source
from pneumoscope.report.kit.door import door_lines
from pneumoscope.sources.known_sets import KERMANY, recognise
from pneumoscope.sources.sites import open_data
from pneumoscope.sources.together.names import KAGGLE_NOTE
from pneumoscope.training.job import class_counts, sampling_of
from pneumoscope.workflows.data import prepare_source

SPEC = InputSpec(32, 32)
RECIPE = load_recipe("default", ["data.test_share=0.25", "data.val_share=0.2"])


@dataclass
class Sites:
    """The sets alone, and joined."""

    alone: Mapping[str, PreparedSet]
    joined: PreparedSet


def prepared(request: DataRequest, cache: Path) -> PreparedSet:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMOSCOPE_CACHE", str(cache))
        return prepare_source(open_data(request, cache, Silent()), SPEC, Silent())


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Sites:
    root = tmp_path_factory.mktemp("sites")
    east, west = two_sites(root / "films")
    asked = {each.name: DataRequest(str(each)) for each in (east, west)}
    alone = {site: prepared(request, root / "cache") for site, request in asked.items()}
    return Sites(alone, prepared(DataRequest.of_sites(asked), root / "cache"))


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    """Two sites of which the second holds a film of the first, and a lighter copy of another."""
    root = tmp_path_factory.mktemp("copied")
    east, west = two_sites(root / "films", 24)
    films = sorted((east / "PNEUMONIA").iterdir())
    shutil.copy(films[0], west / "PNEUMONIA" / "patient90_0.png")
    with Image.open(films[1]) as film:
        film.point(lambda grey: min(255, grey + 6)).save(west / "PNEUMONIA" / "patient91_0.png")
    asked = {each.name: DataRequest(str(each)) for each in (east, west)}
    return prepared(DataRequest.of_sites(asked), root / "cache")


def test_films_stay_as_they_are_and_ids_are_qualified(sites: Sites) -> None:
    table, start = sites.joined.table, 0
    assert sites.joined.sites == ("east", "west")
    for site, alone in sites.alone.items():
        part = table.iloc[start : start + len(alone.table)]
        assert (part["site"] == site).all()
        assert part["image_id"].tolist() == [f"{site}/{i}" for i in alone.table["image_id"]]
        rows = slice(start, start + len(alone.table))
        assert np.array_equal(sites.joined.images[rows], alone.images)
        assert np.array_equal(sites.joined.thumbs[rows], alone.thumbs)
        start += len(alone.table)
    # Each set is read once, whether it is prepared alone or beside another.
    made = [each.folder for each in (*sites.alone.values(), sites.joined)]
    assert sorted(made) == sorted(made[0].parent.glob("[!.]*"))
    # Patients 0 to 19 of both: number 1 of two hospitals is not one child.
    assert table["patient_id"].nunique() == 40
    assert table.groupby("group")["site"].nunique().max() == 1


def test_a_site_is_cut_as_it_would_be_alone(sites: Sites) -> None:
    plan = plan_splits(sites.joined.table, RECIPE.data)
    for site, alone in sites.alone.items():
        own = plan_splits(alone.table, RECIPE.data).split
        assert np.array_equal(plan.split[sites.joined.table["site"] == site], own)
    assert [what for what, _, _ in plan.choices][:2] == ["east: test split", "east: val split"]


def test_a_site_that_is_judged_alone_takes_no_part_in_training(sites: Sites) -> None:
    left_out = RECIPE.data.model_copy(update={"test_site": "west"})
    table = sites.joined.table
    split = plan_splits(table, left_out).split
    west = (table["site"] == "west").to_numpy(bool)
    assert set(split[west]) == {"test"} and set(split[~west]) == {"train", "val", OWN}
    # The test films of the site that is learnt from stay what they are in a run on both.
    assert np.array_equal(
        (split == OWN)[~west], (plan_splits(table, RECIPE.data).split == "test")[~west]
    )
    with pytest.raises(InputError, match="no such site"):
        plan_splits(table, RECIPE.data.model_copy(update={"test_site": "north"}))
    with pytest.raises(InputError, match="several sets"):
        plan_splits(sites.alone["east"].table, left_out)


def test_an_official_test_split_is_left_out_where_a_site_is_judged_alone(sites: Sites) -> None:
    official = np.arange(len(sites.joined.table)) % 4 == 0
    table = sites.joined.table.assign(split=pd.array(np.where(official, "test", "train"), "string"))
    left_out = RECIPE.data.model_copy(update={"test_site": "west"})
    split = plan_splits(table, left_out).split
    assert all(each is None for each in split[official])
    assert (split[~official & (table["site"] == "west")] == "test").all()


def test_equal_pixels_are_used_once_and_near_copies_belong_together(copied: PreparedSet) -> None:
    table = copied.table
    assert len(table) == 49 and table["pixel_hash"].is_unique
    assert copied.about["source"]["passed_over"] == {REPEATED: 1}
    assert len(copied.images) == len(copied.thumbs) == 49
    # Patient 90 of west is east's by one film, patient 91 by a copy of the other one's.
    lighter = table.loc[table["image_id"].str.contains("patient91"), "group"].item()
    joined = table.loc[table["group"] == lighter, "site"]
    assert set(joined) == {"east", "west"}


def test_films_of_one_site_are_compared_with_each_other_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a set is prepared its films are compared; joined to others they are not, once more."""
    place = tmp_path / "films"
    east, west = two_sites(place, 12)
    asked = {each.name: DataRequest(str(each)) for each in (east, west)}
    for request in asked.values():
        prepared(request, tmp_path / "cache")
    compared = []

    def likeness(looks: Any, first: Any, second: Any) -> Any:
        compared.append(np.stack([first, second]))
        return real(looks, first, second)

    real = alike._likeness
    monkeypatch.setattr(alike, "_likeness", likeness)
    monkeypatch.setattr(alike, "_closest", partial(close_to_all, alike._closest))
    prepared(DataRequest.of_sites(asked), tmp_path / "cache")
    pairs = np.concatenate(compared, axis=1)
    assert pairs.shape[1] == 12 * 12 and ((pairs < 12).sum(axis=0) == 1).all()


def close_to_all(closest: Any, codes: Any, _least: float, *rest: Any) -> Any:
    """All pairs of codes are close."""
    return closest(codes, -2.0, *rest)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("moment", ["stack_films", "write_alike", "write_atomic", "write_json"])
def test_a_kill_while_sets_are_joined_leaves_what_the_next_call_completes(
    moment: str, sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = tmp_path / "joined"
    source = Source("east+west", "sites", "", "0" * 64, 80, 48, ())
    pid = os.fork()
    if pid == 0:
        monkeypatch.setattr(together, moment, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        together.join_sets(sites.alone, source, cut)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert not cut.exists()
    again = together.join_sets(sites.alone, source, cut)
    assert np.array_equal(again.images, sites.joined.images)
    assert again.table.equals(sites.joined.table) and again.content == sites.joined.content
    names = {file.name for file in sites.joined.folder.iterdir()}
    assert {file.name for file in cut.iterdir()} == names


@pytest.mark.parametrize(
    ("ends", "said"),
    [(OSError(errno.ENOSPC, "full"), DiskFull), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_a_full_disk_or_ctrl_c_leaves_no_joined_set(
    ends: BaseException,
    said: type[BaseException],
    sites: Sites,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def end(*_: object) -> None:
        raise ends

    monkeypatch.setattr(together, "write_alike", end)
    source = Source("east+west", "sites", "", "0" * 64, 80, 48, ())
    with pytest.raises(said):
        together.join_sets(sites.alone, source, tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


def test_what_belongs_together_over_sites_is_not_divided(copied: PreparedSet) -> None:
    for seed in range(6):
        choices = RECIPE.data.model_copy(update={"split_seed": seed})
        table = copied.table.assign(split=plan_splits(copied.table, choices).split)
        used = table[table["split"].notna()]
        assert used.groupby("group")["split"].nunique().max() == 1


def test_classes_of_sites_are_drawn_alike(sites: Sites) -> None:
    prepared, _ = with_splits(sites.joined, RECIPE.data)
    assert sampling_of(prepared, RECIPE) == "sites" and class_counts(prepared, RECIPE) == (2, 4)
    loader = make_loader(prepared, "train", 4, 1, "sites")
    drawn = np.concatenate(list(loader.sampler))
    counts = np.bincount(prepared.strata(drawn), minlength=4)
    assert counts.max() - counts.min() <= 1 and counts.sum() == len(prepared.rows("train"))
    known = prepared.strata(prepared.rows("train"))
    assert set(np.bincount(known).tolist()) != {counts[0]}, "they are uneven as they come"
    pooled = load_recipe("default", ["train.sites=pooled"])
    assert sampling_of(prepared, pooled) == "shuffle"
    rows = prepared.rows("train")
    assert class_counts(prepared, pooled) == (int(prepared.labels(rows).sum()), len(rows))


def test_one_set_is_drawn_as_ever(sites: Sites) -> None:
    prepared, _ = with_splits(sites.alone["east"], RECIPE.data)
    assert sampling_of(prepared, RECIPE) == "shuffle"
    assert not prepared.sites and "sites" not in prepared.about["source"]


def test_several_known_sets_are_not_taken_for_one_of_them(sites: Sites) -> None:
    """Figures that others published on Kaggle's films are not of these and others together."""
    about = sites.joined.about["source"]
    kaggle = {**about["sites"]["east"], "notes": [KAGGLE_NOTE]}
    both = {**about, "notes": [f"east: {KAGGLE_NOTE}"], "sites": {"east": kaggle, "west": kaggle}}
    assert recognise(kaggle, {}) is KERMANY and recognise(both, {}) is None
    joined = replace(sites.joined, about={**sites.joined.about, "source": both})
    assert door_of(joined).patients.start_anew


def test_the_door_has_a_line_for_each_site(sites: Sites) -> None:
    door = door_of(sites.joined, plan_splits(sites.joined.table, RECIPE.data).split)
    lines = {line.title: line.text for line in door_lines(door)}
    assert (
        lines["east"].startswith("10 normal, 30 pneumonia; train ")
        and "folders NORMAL and PNEUMONIA" in lines["west"]
    )
