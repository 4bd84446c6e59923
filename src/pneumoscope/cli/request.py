"""What the user said about the data on the command line, as one record."""

from __future__ import annotations

from pathlib import Path

from pneumoscope.errors import InputError, nearest
from pneumoscope.records import DataRequest
from pneumoscope.sources.classes import parse_classes

_COLUMNS = ("image", "label", "patient", "split")


def request_of(
    data: str,
    form: str | None,
    classes: list[str] | None,
    labels: Path | None,
    column: list[str] | None,
    keep_ids: bool,
) -> DataRequest:
    """Check the options of ``train``, ``prepare`` and ``audit``. Raises InputError."""
    return DataRequest(
        data, form, parse_classes(classes or []), labels, _columns(column or []), keep_ids
    )


def words_of(request: DataRequest) -> list[str]:
    """The words of the command line that make the same request."""
    words = [f"./{request.data}" if request.data.startswith("-") else request.data]
    words += ["--form", request.form] if request.form else []
    for word, meaning in request.classes.items():
        words += ["--classes", f"{word}={meaning}"]
    words += ["--labels", str(request.labels)] if request.labels else []
    for key, name in request.columns.items():
        words += ["--column", f"{key}={name}"]
    return [*words, "--keep-ids"] if request.keep_ids else words


def _columns(said: list[str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for text in said:
        key, equals, name = (part.strip() for part in text.partition("="))
        if key not in _COLUMNS or not equals or not name or key in columns:
            raise InputError(
                "a column is named in another form",
                got=repr(text),
                expected="KEY=NAME, each KEY once; "
                + (nearest(key, _COLUMNS) if key not in _COLUMNS else f"{key}=NAME"),
                remedy="for example: --column label=Target",
            )
        columns[key] = name
    return columns
