"""The table of predictions, ``predictions.csv``: its columns, reader, writer, and checked rows.

A table has a row per film and the columns ``image_id``, ``patient_id`` (NA where the patient is
not known), ``split``, ``label`` (0 or 1), ``logit`` and ``probability``; it may have more, such as
the ``site`` of films of several sets. One that
was read has ``raw_logit`` too, what the network gave, and the ``temperature`` by which that was
divided: logit = raw_logit / temperature, 1 where the model carries none.

The file names its scale in its columns (schema 2): ``raw_logit``, ``temperature`` and
``calibrated_probability``, which is rounded to six digits for the reader; the logit decides. That
of version 0.1.0 has ``logit`` and ``probability`` as the network gave them, and is read as such.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumoscope.data.prepared import PreparedSet
from pneumoscope.errors import BadLabels, NotARun, UnreadableData
from pneumoscope.formatting import probability_text
from pneumoscope.metrics.scores import Floats, Labels, probability

COLUMNS = ("image_id", "patient_id", "split", "label", "logit", "probability")
_IN_FILE = (*COLUMNS[:4], "raw_logit", "temperature", "calibrated_probability")
_CLOSE = 1e-4
"""How far a probability may lie from its logit: digits are lost where tables are made by hand."""


def read_predictions(file: Path) -> pd.DataFrame:
    """A table as ``predictions_text`` wrote it, of this version or of 0.1.0, indexed by its rows
    from 0, at the temperature that it names.

    Ids and splits are text, an unknown patient is NA, and every digit of the logits comes back. A
    label that is no number is NaN; ``rows_of`` refuses it where it is to be evaluated. Raises
    ``NotARun`` for a file that is missing, damaged or lacks a column.
    """
    # An image may be called "NA" and a patient "007": only an empty cell is no patient.
    text = dict.fromkeys(("image_id", "patient_id", "split", "site"), "string")
    # Python's own float brings back every digit in any version of pandas.
    exact = dict.fromkeys((*COLUMNS[4:], *_IN_FILE[4:]), float)
    try:
        table = pd.read_csv(
            file, dtype=text, converters=exact, keep_default_na=False, na_values={"patient_id": ""}
        )
    except (OSError, ValueError) as error:
        raise NotARun(f"{file} cannot be read", got=str(error), remedy=_remedy(file)) from None
    if not any(set(wanted) <= set(table.columns) for wanted in (_IN_FILE, COLUMNS)):
        raise NotARun(
            f"{file} lacks columns",
            got=", ".join(map(str, table.columns)),
            expected=", ".join(_IN_FILE),
            remedy=_remedy(file),
        )
    table = table.assign(label=pd.to_numeric(table["label"], errors="coerce"))
    if "raw_logit" in table:
        return _on_its_scale(table)
    return table.assign(raw_logit=table["logit"], temperature=1.0)


def _on_its_scale(table: pd.DataFrame) -> pd.DataFrame:
    """A table of the file's columns with its logits, and probabilities of all their digits."""
    logits = _numbers(table["raw_logit"]) / _numbers(table["temperature"])
    given = table.rename(columns={"calibrated_probability": "probability"}).assign(logit=logits)
    return given.assign(probability=_implied(given, logits))


def at_temperature(table: pd.DataFrame, heat: float) -> pd.DataFrame:
    """The same rows with their raw logits divided by ``heat``; 1 gives what the network gave."""
    if "raw_logit" not in table:
        if heat == 1 or not set(COLUMNS) <= set(table.columns):
            return table
        table = table.assign(raw_logit=table["logit"])
    logits = _numbers(table["raw_logit"]) / heat
    return table.assign(temperature=heat, logit=logits, probability=_implied(table, logits))


def _implied(table: pd.DataFrame, logits: Floats) -> Floats:
    """The probabilities of new logits (N,). One that is not that of the logit beside it in the
    table stays, so that it is refused where it is evaluated."""
    given = _numbers(table["probability"])
    with np.errstate(invalid="ignore"):
        fits = np.abs(probability(_numbers(table["logit"])) - given) < _CLOSE
        return np.where(fits, probability(logits), given)


def predictions_text(table: pd.DataFrame) -> str:
    """The table as CSV, by the columns of the file. Logits are written by the fewest digits that
    bring every float64 back exactly, so evaluating the file is evaluating the model."""
    if "raw_logit" not in table:
        table = table.assign(raw_logit=table["logit"], temperature=1.0)
    digits = [probability_text(each) for each in table["probability"]]
    written = table.assign(calibrated_probability=digits)
    more = [name for name in table.columns if name not in {*COLUMNS, *_IN_FILE}]
    return str(written[[*_IN_FILE, *more]].to_csv(index=False))


def predictions_table(
    prepared: PreparedSet, rows: NDArray[np.int64], logits: Floats
) -> pd.DataFrame:
    """The table of ``rows`` of a prepared set, in their order, with their raw logits (n,)."""
    names = ["image_id", "patient_id", "split", "label", *(["site"] if prepared.sites else [])]
    table = prepared.table.iloc[rows][names].copy()
    return table.assign(
        raw_logit=logits, temperature=1.0, logit=logits, probability=probability(logits)
    )


def _remedy(file: Path) -> str:
    return f"complete the run: pneumoscope train --resume {file.parent}"


@dataclass(frozen=True, slots=True)
class SplitRows:
    """One split, (N,) each; ``patients`` is None where no patient has several films.

    ``logits`` are as given, unchecked: ``checked_logits`` is asked where they matter.
    ``patient_count`` is None where any film's patient is unknown.
    """

    image_ids: NDArray[Any]
    labels: Labels
    logits: Floats
    probabilities: Floats
    patients: NDArray[Any] | None
    patient_count: int | None

    def in_order(self) -> SplitRows:
        """The same rows by image id, so that resamples do not depend on the table's order."""
        order = np.argsort(self.image_ids, kind="stable")
        patients = None if self.patients is None else self.patients[order]
        return replace(
            self,
            image_ids=self.image_ids[order],
            labels=self.labels[order],
            logits=self.logits[order],
            probabilities=self.probabilities[order],
            patients=patients,
        )

    def checked_logits(self) -> Floats:
        """The logits, float (N,). Raises UnreadableData where they are not the probabilities'."""
        with np.errstate(invalid="ignore"):
            implied = probability(self.logits)
            wrong = ~(np.abs(implied - self.probabilities) < _CLOSE)
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise UnreadableData(
                f"{int(wrong.sum())} of {wrong.size} logits do not belong to their probability",
                got=f"logit {self.logits[at]:g} beside probability {self.probabilities[at]:g}",
                expected="probability = 1 / (1 + exp(-logit))",
            )
        return self.logits


def rows_of(predictions: pd.DataFrame, split: str) -> SplitRows:
    """The rows of a split, checked; rows of other splits may hold anything."""
    missing = [name for name in COLUMNS if name not in predictions.columns]
    if missing:
        raise UnreadableData(
            f"the predictions lack the columns {missing}",
            got=list(map(str, predictions.columns)),
            expected=", ".join(COLUMNS),
        )
    rows = predictions[predictions["split"] == split]
    repeated = rows["image_id"][rows["image_id"].duplicated()]
    if len(repeated):
        raise UnreadableData(
            f"{len(repeated)} {split} rows repeat an image id",
            got=f"{repeated.iloc[0]!r} twice",
            expected="one row per film, else intervals are too narrow",
        )
    labels, probabilities = _numbers(rows["label"]), _numbers(rows["probability"])
    _check(labels, np.isin(labels, (0.0, 1.0)), BadLabels, f"{split} labels", "0 or 1")
    inside = (probabilities >= 0) & (probabilities <= 1)
    _check(probabilities, inside, UnreadableData, f"{split} probabilities", "0 to 1")
    known = rows["patient_id"].dropna().astype(str)
    return SplitRows(
        image_ids=rows["image_id"].astype(str).to_numpy(dtype=object),
        labels=labels.astype(np.int64),
        logits=_numbers(rows["logit"]),
        probabilities=probabilities,
        patients=patients_of(rows["patient_id"]),
        patient_count=int(known.nunique()) if len(known) == len(rows) else None,
    )


def patients_of(ids: pd.Series[Any]) -> NDArray[Any] | None:
    """Who each film is of, from patient ids (N,) that may be missing: then it is of somebody else;
    None where no patient has several films."""
    if not ids.dropna().astype(str).duplicated().any():
        return None
    # A number never equals a patient's id, for ids carry a prefix here.
    alone = pd.Series(np.arange(len(ids)).astype(str), index=ids.index)
    return np.where(ids.isna(), "row " + alone, "id " + ids.astype(str)).astype(str)


def _numbers(column: pd.Series[Any]) -> Floats:
    """The column as float64, NaN where it is no number."""
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def _check(
    values: Floats,
    good: NDArray[np.bool_],
    kind: type[BadLabels] | type[UnreadableData],
    what: str,
    expected: str,
) -> None:
    if not good.all():
        bad = values[~good]
        what = f"{bad.size} of {values.size} {what} are missing or out of range"
        raise kind(what, got=f"{bad[0]:g} first", expected=expected)
