"""Which column of a Hugging Face set holds the film, the label, the patient: found by type.

The set's own features say it (``Image``, ``ClassLabel``); where they lack, Arrow's types do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pneumoscope.errors import BadLabels, InputError, UnreadableData, nearest
from pneumoscope.sources.arrow import RowFile
from pneumoscope.sources.columns import ROLES, folded

_LABELS = ("label", "labels", "target", "class")
# Another label beside the one that is learnt would tell the answer as a fact.
_ANSWERS = frozenset((*_LABELS, "classname", "category", "pneumonia", "finding", "findings"))
_PATIENTS = ("patient", "patientid", "subjectid")
_SPLITS = ("split",)
_MOST_COLUMNS = 1000
_LONGEST_CELL = 300

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"BM", b"\xff\x4f\xff\x51")
_JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the columns by what they hold.

    ``nested`` says that the film lies in a struct of bytes and path, else bytes or path stand in
    the column itself. ``names`` are the class names of every ClassLabel. ``others`` are scalars of
    no known use: facts, or what must not be kept.
    """

    image: str
    nested: bool
    label: str
    patient: str | None
    split: str | None
    others: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]]

    @property
    def light(self) -> list[str]:
        """All columns but that of the film."""
        named = (self.label, self.patient, self.split, *self.others)
        return list(dict.fromkeys(name for name in named if name is not None))


def find_columns(
    file: RowFile, features: Mapping[str, Any] | None, asked: Mapping[str, str]
) -> Columns:
    """Find the columns of ``file``; ``asked`` names some of them by their use, and wins.

    Raises UnreadableData without an image column, BadLabels without a label column, InputError
    where two could be meant or one is asked for that is not there.
    """
    schema = file.schema
    _check_names(file, asked)
    known = features if features is not None else embedded_features(file)
    images = [asked["image"]] if "image" in asked else image_columns(file, known)
    image = _only(images, "image", file)
    names = _class_names(known, schema)
    labels = [asked["label"]] if "label" in asked else _label_columns(schema, names, image)
    label = _only(labels, "label", file)
    patient = asked.get("patient") or _by_name(schema, _PATIENTS, "patient", file)
    split = asked.get("split") or _by_name(schema, _SPLITS, "split", file)
    taken = {image, label, patient, split}
    for name in (label, patient, split):
        if name is not None and not is_scalar(schema.field(name).type):
            raise BadLabels(
                f"the column {name!r} holds neither words nor numbers",
                got=f"{schema.field(name).type} in {file.path}",
                remedy="name another one: --column label=NAME",
            )
    others = tuple(
        field.name
        for field in schema
        if field.name not in taken and is_scalar(field.type) and folded(field.name) not in _ANSWERS
    )
    nested = pa.types.is_struct(_storage(schema.field(image).type))
    return Columns(image, nested, label, patient, split, others, names)


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
    that begins as a film does. Reads one row of each binary column."""
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


def cells(array: Any, names: tuple[str, ...] | None = None) -> list[str]:
    """The cells of a scalar column as text, ``""`` where there is none, at most 300 characters.

    A ClassLabel's number becomes its name, and -1, the hub's sign for unlabelled, ``""``.
    Raises BadLabels for a number that has no name.
    """
    if pa.types.is_dictionary(array.type):
        words = [*cells(array.dictionary, names), ""]
        return [words[-1 if place is None else place] for place in array.indices.to_pylist()]
    try:
        values = array.to_pylist()
    except UnicodeDecodeError:  # parquet does not check that its text is UTF-8
        raw = array.cast(pa.large_binary()).to_pylist()
        values = [None if one is None else one.decode("utf-8", "backslashreplace") for one in raw]
    return [_cell(value, names) for value in values]


def _cell(value: Any, names: tuple[str, ...] | None) -> str:
    if value is None or value != value:  # NaN is not equal to itself
        return ""
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
        if name not in names:
            raise InputError(
                f"there is no column {name!r}", got=file.path, expected=nearest(name, names)
            )
    if "image" in asked and not _may_hold_films(file.schema.field(asked["image"]).type):
        raise InputError(
            f"the column {asked['image']!r} cannot hold films",
            got=f"{file.schema.field(asked['image']).type} in {file.path}",
            expected="bytes, a path, or a struct of both",
        )


def _only(names: list[str], role: str, file: RowFile) -> str:
    if len(names) == 1:
        return names[0]
    several = ", ".join(repr(name) for name in names[:6])
    kind = InputError if names else (BadLabels if role == "label" else UnreadableData)
    raise kind(
        f"two or more columns could be the {role}: {several}"
        if names
        else f"no {role} column is found",
        got=f"{', '.join(map(repr, file.schema.names[:12]))} in {file.path}",
        expected="one of the type Image" if role == "image" else "a ClassLabel, or one named label",
        remedy=f"name it: --column {role}={names[0] if names else 'NAME'}",
    )


def _label_columns(schema: Any, names: Mapping[str, Any], image: str) -> list[str]:
    found = [name for name in names if name != image]
    by_name = [name for name in schema.names if folded(name) in _LABELS and name != image]
    # Sex or view may be a ClassLabel too; a name that says label then decides.
    both = [name for name in found if name in by_name]
    return (both if len(found) > 1 and both else found) or by_name


def _by_name(schema: Any, known: tuple[str, ...], role: str, file: RowFile) -> str | None:
    found = [name for name in schema.names if folded(name) in known]
    return _only(found, role, file) if found else None


def _class_names(features: Mapping[str, Any] | None, schema: Any) -> dict[str, tuple[str, ...]]:
    found = {}
    for name in schema.names if features is not None else ():
        if _feature_type(features or {}, name) == "ClassLabel":
            words = (features or {})[name].get("names")
            if isinstance(words, list) and all(isinstance(word, str) for word in words):
                found[name] = tuple(word[:_LONGEST_CELL] for word in words)
    return found


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
