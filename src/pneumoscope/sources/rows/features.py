"""What a Hugging Face set says of its columns: which hold films, and the names of classes.

The set's own features say it (``Image``, ``ClassLabel``); where they lack, Arrow's types do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pneumoscope.errors import BadLabels, InputError, UnreadableData, nearest
from pneumoscope.sources.film.rule import holds_films
from pneumoscope.sources.rows.arrow import RowFile
from pneumoscope.sources.tables.roles import NAMES, NONE, ROLES, folded

_MOST_COLUMNS = 1000
_LONGEST_CELL = 300

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"BM", b"\xff\x4f\xff\x51")
_JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"


@dataclass(frozen=True, slots=True)
class RowColumns:
    """The column ``image`` of the films, and ``light``, those of words, numbers and lists of them.

    ``nested`` says that the film lies in a struct of bytes and path, else bytes or path stand in
    the column itself. ``names`` are the class names of every ClassLabel, ``label`` is the one that
    is a label by its type, None where none or several could be.
    """

    image: str
    nested: bool
    light: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]]
    label: str | None


def row_columns(
    file: RowFile, features: Mapping[str, Any] | None, asked: Mapping[str, str]
) -> RowColumns:
    """The columns of ``file``; ``asked`` names some of them by their use, and wins.

    Raises UnreadableData without an image column, InputError where two could be meant or one is
    asked for that is not there, BadLabels where that of the label holds neither words nor numbers.
    """
    schema = file.schema
    _check_names(file, asked)
    known = features if features is not None else embedded_features(file)
    image = _only([asked["image"]] if "image" in asked else image_columns(file, known), file)
    names = _class_names(known, schema)
    for role in ("label", "patient", "split"):
        name = asked.get(role)
        if name in schema.names and not is_light(schema.field(name).type):
            raise BadLabels(
                f"the column {name!r} holds neither words nor numbers",
                got=f"{schema.field(name).type} in {file.path}",
                remedy="name another one: --column label=NAME",
            )
    light = tuple(f.name for f in schema if f.name != image and is_light(f.type))
    nested = pa.types.is_struct(_storage(schema.field(image).type))
    return RowColumns(image, nested, light, names, _label(names, image))


def embedded_features(file: RowFile) -> Mapping[str, Any] | None:
    """The features that ``datasets`` writes into a file's schema. Raises UnreadableData."""
    text = (file.schema.metadata or {}).get(b"huggingface")
    if text is None:
        return None
    try:
        features = json.loads(text)["info"]["features"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UnreadableData(
            "the file's Hugging Face features cannot be read",
            got=f"{file.path} ({error.__class__.__name__})",
            expected='JSON of the form {"info": {"features": {…}}}',
        ) from None
    return features if isinstance(features, dict) else None


def image_columns(file: RowFile, features: Mapping[str, Any] | None) -> list[str]:
    """The columns that hold films: of the feature type Image, or struct with bytes, or binary
    that begins as a film does; none that is named for masks, where there is another. Reads one
    row of each binary column."""
    found = _image_columns(file, features)
    return [name for name in found if holds_films(name)] or found


def _image_columns(file: RowFile, features: Mapping[str, Any] | None) -> list[str]:
    if features is not None:
        typed = [name for name in file.schema.names if _feature_type(features, name) == "Image"]
        if typed:
            return [name for name in typed if _may_hold_films(file.schema.field(name).type)]
    found = []
    for field in file.schema:
        if features is not None and _feature_type(features, field.name) not in (None, "Value"):
            continue  # sound and video lie in a struct of bytes and path too
        kind = _storage(field.type)
        struct = pa.types.is_struct(kind) and _may_hold_films(kind)
        if struct or (_is_binary(kind) and _begins_as_film(first_bytes(file, field.name))):
            found.append(field.name)
    return found


def first_bytes(file: RowFile, column: str) -> bytes:
    """The value of the first rows that have one in a binary column, at most 256 bytes of it."""
    for batch in file.stream([column]):
        if isinstance(batch, pa.RecordBatch):
            for value in batch.column(0):
                if value.is_valid and (data := value.as_buffer()) is not None:
                    return bytes(data[: min(256, data.size)])
        break
    return b""


def is_scalar(kind: Any) -> bool:
    """Whether cells of this type are words, numbers or truth values. Extensions are not."""
    if pa.types.is_dictionary(kind):
        return is_scalar(kind.value_type)
    tests: tuple[Callable[[Any], bool], ...] = (
        *(pa.types.is_string, pa.types.is_large_string, pa.types.is_boolean),
        *(pa.types.is_integer, pa.types.is_floating, pa.types.is_null),
    )
    return any(test(kind) for test in tests)


def is_light(kind: Any) -> bool:
    """Whether cells of this type are scalars, or lists of words or whole numbers."""
    return is_scalar(kind) or (is_list(kind) and _in_list(kind.value_type))


def is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _in_list(kind: Any) -> bool:
    return bool(_is_text(kind) or pa.types.is_integer(kind))


def cells(array: Any, names: tuple[str, ...] | None = None) -> list[str]:
    """The cells of a light column as text, ``""`` where there is none, at most 300 characters; a
    list is JSON.

    A ClassLabel's number becomes its name, and -1, the hub's sign for unlabelled, ``""``.
    Raises BadLabels for a number that has no name.
    """
    if pa.types.is_dictionary(array.type):
        words = [*cells(array.dictionary, names), ""]
        return [words[-1 if place is None else place] for place in array.indices.to_pylist()]
    try:
        values = array.to_pylist()
    except UnicodeDecodeError:  # parquet does not check that its text is UTF-8
        if is_list(array.type):
            return [""] * len(array)
        raw = array.cast(pa.large_binary()).to_pylist()
        values = [None if one is None else one.decode("utf-8", "backslashreplace") for one in raw]
    return [_cell(value, names) for value in values]


def _cell(value: Any, names: tuple[str, ...] | None) -> str:
    if value is None or value != value:  # NaN is not equal to itself
        return ""
    if isinstance(value, list):
        words = [_cell(one, names) for one in value[:_MOST_COLUMNS]]
        return json.dumps([word for word in words if word], ensure_ascii=False)
    if names is not None and isinstance(value, int):
        if value == -1:
            return ""
        if not 0 <= value < len(names):
            raise BadLabels(
                "a label is a number beyond the class names",
                got=f"{value}, where there are {len(names)} names",
                remedy="the set is damaged, or was changed after it was labelled",
            )
        return names[value]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)[:_LONGEST_CELL].strip()


def _check_names(file: RowFile, asked: Mapping[str, str]) -> None:
    names = file.schema.names
    if len(set(names)) < len(names) or len(names) > _MOST_COLUMNS:
        raise UnreadableData(
            "two columns have the same name"
            if len(names) <= _MOST_COLUMNS
            else "there are more columns than are read here",
            got=file.path,
        )
    for role, name in asked.items():
        if role not in ROLES:
            raise InputError(
                "a column was named for an unknown use", got=role, expected=nearest(role, ROLES)
            )
        if name not in names and not (name == NONE and role in ("patient", "split")):
            raise InputError(
                f"there is no column {name!r}", got=file.path, expected=nearest(name, names)
            )
    if "image" in asked and not _may_hold_films(file.schema.field(asked["image"]).type):
        raise InputError(
            f"the column {asked['image']!r} cannot hold films",
            got=f"{file.schema.field(asked['image']).type} in {file.path}",
            expected="bytes, a path, or a struct of both",
        )


def _only(names: list[str], file: RowFile) -> str:
    if len(names) == 1:
        return names[0]
    several = ", ".join(repr(name) for name in names[:6])
    kind = InputError if names else UnreadableData
    raise kind(
        f"two or more columns could be the image: {several}"
        if names
        else "no image column is found",
        got=f"{', '.join(map(repr, file.schema.names[:12]))} in {file.path}",
        expected="one of the type Image",
        remedy=f"name it: --column image={names[0] if names else 'NAME'}",
        answer=("--column", f"image={names[0]}") if names else (),
    )


def _label(names: Mapping[str, Any], image: str) -> str | None:
    """The label by its type, ClassLabel: sex or view may be one too; a name then decides."""
    found = [name for name in names if name != image]
    by_name = [name for name in found if folded(name) in NAMES["label"]]
    chosen = by_name if len(found) > 1 and by_name else found
    return chosen[0] if len(chosen) == 1 else None


def _class_names(features: Mapping[str, Any] | None, schema: Any) -> dict[str, tuple[str, ...]]:
    found = {}
    for name in schema.names if features is not None else ():
        if (feature := _class_label((features or {}).get(name))) is not None:
            words = feature.get("names")
            if isinstance(words, list) and all(isinstance(word, str) for word in words):
                found[name] = tuple(word[:_LONGEST_CELL] for word in words)
    return found


def _class_label(feature: Any) -> Mapping[str, Any] | None:
    """The ClassLabel that a feature is, or that a list's members are."""
    if isinstance(feature, list) and len(feature) == 1:
        feature = feature[0]
    if isinstance(feature, dict) and feature.get("_type") in ("Sequence", "List", "LargeList"):
        feature = feature.get("feature")
    known = isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
    return feature if known else None


def _feature_type(features: Mapping[str, Any], name: str) -> str | None:
    feature = features.get(name)
    kind = feature.get("_type") if isinstance(feature, dict) else None
    return kind if isinstance(kind, str) else None


def _storage(kind: Any) -> Any:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _is_binary(kind: Any) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _may_hold_films(kind: Any) -> bool:
    """Whether a column of this type can hold films: struct with ``bytes``, binary, or a path."""
    if isinstance(kind, pa.BaseExtensionType):
        return False
    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _is_binary(kind.field(place).type)
    return _is_binary(kind) or _is_text(kind)


def _begins_as_film(data: bytes) -> bool:
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    dicom = data[128:132] == b"DICM"
    return webp or dicom or data.startswith((*_MAGIC, _JP2))
