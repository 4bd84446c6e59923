"""Splits: who trains, validates and tests, stratified by label and never dividing a patient.

Official splits are kept unless the user asks for new ones. The outcome depends on the order of
the films, on which of them share a patient, on the labels and on the seed; not on how ids are
written, so hashing them moves nobody.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.data import aside as views
from pneumoscope.data.prepared import PreparedSet, sites_of
from pneumoscope.data.together.deal import Groups, Labels, Plan, assign, folds, reduce_train
from pneumoscope.data.together.groups import group_codes
from pneumoscope.data.together.within import no_such_site, within_sites
from pneumoscope.errors import InputError, PneumoscopeError, UnreadableData
from pneumoscope.records import CLASSES, SPLITS, Split
from pneumoscope.sections import DataChoices

_TELLING = 20
"""Films of its smaller class from which a validation split is worth keeping: below, its
sensitivity or specificity moves in steps of more than 5 points."""


def with_splits(prepared: PreparedSet, choices: DataChoices) -> tuple[PreparedSet, Plan]:
    """The prepared set as training sees it. Raises UnreadableData where a split would lack a
    class, InputError where ``choices`` ask for what the data has not."""
    plan = plan_splits(prepared.table, choices)
    split = pd.array(plan.split, dtype="string")
    set_ = replace(prepared, table=prepared.table.assign(split=split))
    _check_usable(set_)
    return set_, plan


def plan_splits(table: pd.DataFrame, choices: DataChoices) -> Plan:
    """Decide on train, val and test for a table with ``label``, ``patient_id`` and the official
    ``split``; within each ``site`` where it has that."""
    sites = sites_of(table)
    if choices.test_site not in ("none", *sites):
        raise no_such_site(choices.test_site, sites)
    if not sites:
        return _plan_set(table, choices)
    return within_sites(table, choices, partial(_plan_set, choices=choices))


def _plan_set(table: pd.DataFrame, choices: DataChoices) -> Plan:
    labels, groups = label_codes(table), group_codes(table, choices.groups)
    aside = views.left_out(table, choices.views, official_test=choices.test == "official")
    labelled = (labels >= 0) & ~aside
    official = table["split"].astype(object).where(table["split"].notna(), None).to_numpy()
    split: NDArray[np.object_] = official.copy()
    split[~labelled] = None
    if choices.fold != "none":
        return _fold_plan(table, choices, split)
    told = []
    repeated = _repeats_train(table, split) if choices.val == "auto" else ""
    if repeated:
        split[split == "val"] = "train"
    if choices.test == "new" or not (split == "test").any():
        if choices.test == "new":
            split[:] = None
        # A patient of the official validation films stays out of a test split that is cut here.
        pool = labelled & ~np.isin(groups, groups[split == "val"])
        split[_cut(pool, labels, groups, choices.test_share, choices.split_seed)] = "test"
        told.append(("test split", _share(choices.test_share, pool), _patients(table)))
    else:
        told.append(("test split", _official(split, "test"), "kept as the data has it"))
    why = repeated or _why_new_val(split, labels, choices)
    if why is None:
        told.append(("val split", _official(split, "val"), "kept as the data has it"))
    else:
        pool = labelled & (split != "test")
        split[pool] = "train"
        split[_cut(pool, labels, groups, choices.val_share, choices.split_seed)] = "val"
        told.append(
            ("val split", _share(choices.val_share, pool), _patients(table) + why + repeated)
        )
    split[labelled & ~np.isin(split, ("val", "test"))] = "train"
    told += reduce_train(split, labels, groups, choices, _counted(table))
    return Plan(split, (*told, *_aside(table, aside, choices)))


def _counted(table: pd.DataFrame) -> str:
    """What shares of the training films are of: patients, where some are known."""
    return "patients" if table["patient_id"].notna().any() else "films"


def fold_pool(table: pd.DataFrame, choices: DataChoices) -> NDArray[np.bool_]:
    """The films that cross-validation deals, bool (N,): labelled, and not in the official test
    split unless ``choices.test`` is new."""
    aside = views.left_out(table, choices.views, official_test=choices.test == "official")
    labelled = (label_codes(table) >= 0) & ~aside
    if choices.test == "new":
        return labelled
    pool: NDArray[np.bool_] = labelled & (table["split"] != "test").fillna(True).to_numpy(bool)
    return pool


def patients_of_each(table: pd.DataFrame, choices: DataChoices) -> tuple[int, int]:
    """Patients with normal films and patients with pneumonia among the films that
    cross-validation deals; a film of an unknown patient counts as one."""
    labels, groups = label_codes(table), group_codes(table, choices.groups)
    pool = fold_pool(table, choices)
    normal, ill = (len(np.unique(groups[pool & (labels == label)])) for label in (0, 1))
    return normal, ill


def folds_of(table: pd.DataFrame, choices: DataChoices, count: int) -> NDArray[np.int64]:
    """The fold 0 … count-1 of each film that cross-validation deals, -1 of others, int64 (N,)."""
    rows = np.flatnonzero(fold_pool(table, choices))
    fold = np.full(len(table), -1, np.int64)
    labels, groups = label_codes(table)[rows], group_codes(table, choices.groups)[rows]
    fold[rows] = folds(labels, groups, count, choices.split_seed)
    return fold


def _fold_plan(table: pd.DataFrame, choices: DataChoices, official: NDArray[np.object_]) -> Plan:
    """One fold is the test split, validation is cut of the others; the official test split, where
    it is not dealt, is no part of the run."""
    number, count = (int(word) for word in choices.fold.split(" of "))
    if number >= count:
        raise InputError(
            "there is no such fold",
            got=f"data.fold={choices.fold}",
            expected=f"folds 0 to {count - 1} of {count}",
        )
    labels, groups = label_codes(table), group_codes(table, choices.groups)
    fold = folds_of(table, choices, count)
    split = np.full(len(table), None, dtype=object)
    split[fold == number] = "test"
    pool = (fold >= 0) & (fold != number)
    split[pool] = "train"
    split[_cut(pool, labels, groups, choices.val_share, choices.split_seed)] = "val"
    reduced = reduce_train(split, labels, groups, choices, _counted(table))
    left = int(((official == "test") & (fold < 0)).sum())
    why = f"; the official test split of {left:,} films is left out" if left else ""
    aside = views.left_out(table, choices.views, official_test=choices.test == "official")
    told = (
        (
            "test split",
            f"fold {choices.fold}, {int((fold == number).sum()):,} films",
            _patients(table) + why,
        ),
        ("val split", _share(choices.val_share, pool), _patients(table)),
    )
    return Plan(split, (*told, *reduced, *_aside(table, aside, choices)))


def _aside(
    table: pd.DataFrame, left_out: NDArray[np.bool_], choices: DataChoices
) -> list[tuple[str, str, str]]:
    """What is said of films that are no frontal film of a chest, left out or kept."""
    kept = table[~left_out]
    said = []
    if left_out.any():
        why = "no split has them; --set data.views=all keeps them"
        if choices.views == "all":
            why = "they are no films"
        said.append(("left out", views.told(views.counts(table[left_out])), why))
    if found := views.counts(kept):
        why = "they are most films of the set"
        if choices.views == "all":
            why = "as data.views=all asks"
        elif (kept["split"] == "test").fillna(False)[kept["aside"].notna()].all():
            why = "they lie in the official test split"
        said.append(("kept", views.told(found), why))
    return said


def _cut(
    pool: NDArray[np.bool_], labels: Labels, groups: Groups, share: float, seed: int
) -> NDArray[np.int64]:
    """The rows of ``pool`` that are cut out of it: near ``share`` of each class, whole patients."""
    rows = np.flatnonzero(pool)
    cut = assign(labels[rows], groups[rows], (1 - share, share), seed) == 1
    divided = np.intersect1d(groups[rows][cut], groups[rows][~cut])
    if len(divided):  # a fault of ours, which must not pass unseen
        raise PneumoscopeError(f"{len(divided)} patients lie on both sides of a cut")
    kept: NDArray[np.int64] = rows[cut]
    return kept


def _official(split: NDArray[np.object_], name: Split) -> str:
    return f"official, {int((split == name).sum()):,} films"


def _share(share: float, pool: NDArray[np.bool_]) -> str:
    return f"cut here, {share:.0%} of {int(pool.sum()):,} films"


def _patients(table: pd.DataFrame) -> str:
    known = int(table["patient_id"].notna().sum())
    if known == len(table):
        return "no patient divided"
    return f"patients known for {known:,} films only" if known else "patients unknown"


def _repeats_train(table: pd.DataFrame, split: NDArray[np.object_]) -> str:
    """Why an official validation split is not used as it is, as a clause to add: more than half of
    its films have the pixels of a training film. Empty where they have not."""
    val, train = split == "val", split == "train"
    if "pixel_hash" not in table or not val.any():
        return ""
    again = int(table["pixel_hash"][val].isin(table["pixel_hash"][train].dropna()).sum())
    if 2 * again <= val.sum():
        return ""
    return (
        f"; {again:,} of the official {int(val.sum()):,} are films of train too, so it was pooled "
        "with train (--set data.val=official keeps it)"
    )


def _why_new_val(split: NDArray[np.object_], labels: Labels, choices: DataChoices) -> str | None:
    """Why validation is cut here, as a clause to add; None where the official split stays."""
    there = [int(((split == "val") & (labels == label)).sum()) for label in (0, 1)]
    if choices.val == "official":
        if not any(there):
            raise InputError(
                "data.val=official asks for a split that the data has not",
                expected="an official validation split",
                remedy="--set data.val=auto cuts one from the training films",
            )
        return None
    if choices.val == "new" or not any(there):
        return ""
    rest = [int(((split != "test") & (labels == label)).sum()) for label in (0, 1)]
    if min(there) < min(_TELLING, int(choices.val_share * min(rest))):
        return (
            f"; the official one of {sum(there)} films tells nothing and was pooled with train "
            "(--set data.val=official keeps it)"
        )
    return None


def label_codes(table: pd.DataFrame) -> Labels:
    """Labels 0 and 1, -1 where unknown, int64 (N,)."""
    return table["label"].fillna(-1).to_numpy(dtype=np.int64)


def _check_usable(prepared: PreparedSet) -> None:
    name = prepared.about["source"]["name"]
    label = label_codes(prepared.table)
    if not (label >= 0).any():
        raise UnreadableData(
            f"the films of {name} have no labels",
            expected="folders of classes, or a table of labels",
            remedy="name the table: --labels labels.csv",
            answer=("--labels", "labels.csv"),
        )
    for split in SPLITS:
        found = np.unique(label[prepared.rows(split)])
        if len(found) < 2:
            only = f"only {CLASSES[int(found[0])]}" if len(found) else "no film"
            raise UnreadableData(
                f"the {split} split of {name} has {only}",
                expected="normal and pneumonia in every split",
                remedy=_remedy(prepared, split),
            )


def _remedy(prepared: PreparedSet, split: Split) -> str:
    """What to do where ``split`` lacks a class."""
    if split == "train" and not len(prepared.rows("train")) and len(prepared.rows("test")):
        return (
            "all films are of the official test split: judge a run on them, with evaluate RUN "
            "--data, or cut splits anew: --set data.test=new"
        )
    one = _one_patient(prepared.table)
    return one or "add films of the other class; pneumoscope audit shows what is there"


def _one_patient(table: pd.DataFrame) -> str:
    """What to do where an id that is no patient's, such as that of a device, covers the set."""
    films = (
        int(table["patient_id"].value_counts().max()) if table["patient_id"].notna().any() else 0
    )
    if films <= len(table) / 2:
        return ""
    return (
        f"one patient id covers {films:,} of {len(table):,} films, which are therefore never "
        "divided: is it an id of patients? Name another column with --column patient=NAME"
    )
