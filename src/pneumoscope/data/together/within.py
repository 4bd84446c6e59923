"""Splits within sites: each site of several is divided as it would be alone.

So a film is judged in the same split whether its site is learnt from alone or beside others. What
belongs together over two sites is not divided either: the film of the other site is then left out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.data.prepared import sites_of
from pneumoscope.data.together.deal import Plan
from pneumoscope.data.together.groups import group_codes, patient_codes
from pneumoscope.errors import InputError, nearest
from pneumoscope.records import OWN
from pneumoscope.sections import DataChoices

Splits = NDArray[np.object_]
Told = tuple[tuple[str, str, str], ...]
"""(what, choice, why) of each thing that was decided."""

_GRAVEST = ("test", OWN, "val", "train")


def within_sites(
    table: pd.DataFrame, choices: DataChoices, plan_set: Callable[[pd.DataFrame], Plan]
) -> Plan:
    """The split of each film of a joined table by ``plan_set``, asked of each site by itself, and
    what is said of it. With ``choices.test_site`` the films of that site are the test split, all
    that ``plan_set`` has in any, and the test films of the others are OWN."""
    split: Splits = np.full(len(table), None, dtype=object)
    told: list[tuple[str, str, str]] = []
    for site in sites_of(table):
        rows = np.flatnonzero(table["site"] == site)
        plan = plan_set(_alone(table.iloc[rows], choices))
        split[rows] = _left_out(plan.split, site, choices.test_site)
        told += _told(plan, site, choices.test_site, split[rows])
    apart = _divided(split, group_codes(table, choices.groups), table["site"])
    split[apart] = None
    if apart.any():
        why = "they belong with films of another site, which are validated or judged on"
        told.append(("left out over sites", f"{int(apart.sum()):,} films", why))
    return Plan(split, tuple(told))


def no_such_site(name: str, sites: tuple[str, ...]) -> InputError:
    """The error of a ``test_site`` that is none."""
    return InputError(
        "there is no such site",
        got=f"data.test_site={name}",
        expected=nearest(name, sites) if sites else "several sets: pneumoscope train A B",
        remedy="leave data.test_site out, or name one of the sets",
    )


def _alone(part: pd.DataFrame, choices: DataChoices) -> pd.DataFrame:
    """The films of one site as a table of their own, numbered as if they were alone; without the
    labels of an official test split that is to be left out."""
    part = part.reset_index(drop=True)
    if "group" in part:
        _, place = np.unique(part["group"].to_numpy(), return_inverse=True)
        first = np.full(len(part), len(part))
        np.minimum.at(first, place, patient_codes(part))
        part = part.assign(group=first[place])
    if choices.test_site != "none" and choices.test != "new":
        official = (part["split"] == "test").fillna(False)
        part = part.assign(label=part["label"].mask(official))
    return part


def _left_out(split: Splits, site: str, test_site: str) -> Splits:
    """The splits of a site where another, or this one, is judged alone."""
    if test_site == "none":
        return split
    left = split.copy()
    if site == test_site:
        left[np.array([each is not None for each in split], bool)] = "test"
    else:
        left[split == "test"] = OWN
    return left


def _told(plan: Plan, site: str, test_site: str, split: Splits) -> Told:
    """What is said of a site, each named by it."""
    if site != test_site:
        return tuple((f"{site}: {what}", choice, why) for what, choice, why in plan.choices)
    films = f"{int((split == 'test').sum()):,} films"
    why = "its site takes no part in training; an official test split is left out"
    return ((f"{site}: test split", films, why),)


def _divided(split: Splits, groups: NDArray[np.int64], site: pd.Series[str]) -> NDArray[np.bool_]:
    """Bool (N,): films that belong with those of another site in a graver split."""
    place = {name: at for at, name in enumerate(_GRAVEST)}
    rank = np.array([place.get(each, len(place)) for each in split])
    code = pd.factorize(site)[0]
    frame = pd.DataFrame({"group": groups, "rank": rank, "site": code})
    frame = frame[frame["rank"] < len(place)]
    of = frame.groupby("group")
    several = of["site"].transform("nunique") > 1
    graver = frame["rank"] > of["rank"].transform("min")
    found = np.zeros(len(split), bool)
    found[frame.index[several & graver]] = True
    return found
