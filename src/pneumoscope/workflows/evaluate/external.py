"""Films of another source, to be judged by a model that was not made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pneumoscope.data.prepared import PreparedSet, flow
from pneumoscope.errors import BadLabels, InputError, UnreadableData
from pneumoscope.evaluation.judge import EXTERNAL
from pneumoscope.records import DataRequest, Listener
from pneumoscope.workflows.data import find_data, prepare_source
from pneumoscope.workflows.evaluate.subject import Subject


@dataclass(frozen=True, slots=True)
class ToJudge:
    """The rows to judge, and what is known of them; ``prepared`` is None where films are gone.
    ``hidden`` are the rows of the shortcut check, where that was made of these films."""

    table: pd.DataFrame
    split: str
    prepared: PreparedSet | None
    about: Mapping[str, Any]
    hidden: pd.DataFrame | None = None


def external_rows(
    data: DataRequest,
    split: str | None,
    subject: Subject,
    own: PreparedSet | None,
    listener: Listener,
) -> ToJudge:
    """The labelled films of ``data``, or of one of its official splits, read by ``subject``, whose
    ``own`` films are looked for among them. Raises InputError, BadLabels, UnreadableData."""
    source = find_data(data, listener)
    # What cannot be read is counted, here and in the report, however much it is.
    prepared = prepare_source(source, subject.spec, listener, keep_ids=data.keep_ids, most_bad=1.0)
    for dropped in prepared.about["flow"]["dropped"]:
        listener.choice("left out", f"{dropped['count']:,}", dropped["reason"])
    if prepared.content in subject.contents:
        raise InputError(
            "these are the films that the run was trained and judged on",
            got=data.data,
            expected="films of another source",
            remedy=f"pneumoscope evaluate {subject.folder} --split test",
        )
    table = prepared.table
    wanted = table["label"].notna().to_numpy(dtype=bool)
    if not wanted.any():
        raise BadLabels(
            "no film has a label, so nothing can be judged",
            got=data.data,
            remedy=f"name the labels with --labels, or read the films: "
            f"pneumoscope predict {subject.folder} {data.data}",
        )
    if split:
        official = (table["split"] == split).fillna(False).to_numpy(dtype=bool)
        wanted = wanted & official
        if not wanted.any():
            has = sorted(table["split"].dropna().unique())
            raise UnreadableData(
                f"{source.name} has no labelled films of the {split} split",
                got=", ".join(has) or "no splits",
                remedy="leave --split out to judge all labelled films",
            )
    rows = np.flatnonzero(wanted)
    listener.stage(f"Read {len(rows):,} films with the model")
    judged = subject.read(prepared, rows, listener).assign(split=split or EXTERNAL)
    seen = _seen(prepared.table.iloc[rows], own)
    part = prepared.table.iloc[rows]
    counted = flow(prepared) | {"splits": {split or EXTERNAL: _counts(part)}}
    warnings = [seen] if seen else []
    for warning in warnings:
        listener.note(warning)
    about = {"source": source.to_json(), "flow": counted, "warnings": warnings, "external": True}
    return ToJudge(judged, split or EXTERNAL, prepared, about)


def _counts(part: pd.DataFrame) -> dict[str, int | None]:
    known = bool(part["patient_id"].notna().all())
    return {
        "n": len(part),
        "positives": int((part["label"] == 1).sum()),
        "patients": int(part["patient_id"].nunique()) if known else None,
    }


def _seen(films: pd.DataFrame, own: PreparedSet | None) -> str:
    """What to warn of where judged films took part in training or choosing, pixel by pixel."""
    if own is None:
        return "Whether some of these films took part in training is not known: its data is gone."
    used = own.table[own.table["split"].isin(["train", "val"])]
    count = int(films["pixel_hash"].isin(set(used["pixel_hash"])).sum())
    if not count:
        return ""
    return (
        f"{count:,} of these {len(films):,} films are, pixel by pixel, films that the model was "
        "trained or tuned on: every figure is too good."
    )
