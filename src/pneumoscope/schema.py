"""Schema in words: what it allows, for error messages and for the list of recipe keys."""

from __future__ import annotations

from collections.abc import Mapping
from reprlib import Repr
from typing import Any

from pydantic import BaseModel, ValidationError

from pneumoscope.errors import BadRecipe, nearest

_REMEDY = "see: pneumoscope recipes --keys"
_WORDS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
}
_BOUNDS = {
    "minimum": "from {:g}",
    "exclusiveMinimum": "above {:g}",
    "maximum": "to {:g}",
    "exclusiveMaximum": "to below {:g}",
}
# A YAML value may be huge, or refer to itself many times over.
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


def recipe_error(error: ValidationError, schema: type[BaseModel]) -> BadRecipe:
    """The first fault: which key, what it got, what it allows."""
    fault = error.errors(include_url=False)[0]
    keys, section = _locate(fault["loc"], schema)
    key = ".".join(keys)
    if fault["type"] in ("extra_forbidden", "invalid_key"):
        return BadRecipe(
            f"unknown key {key!r}",
            expected=_like(keys[-1], section, schema),
            remedy=_REMEDY,
        )
    if fault["type"] == "value_error":  # two values that do not go together
        return BadRecipe(
            f"the values of {key!r} do not go together" if key else "two choices contradict",
            got=fault["msg"].removeprefix("Value error, "),
            remedy=_REMEDY,
        )
    allowed = describe(schema).get(key) or f"keys below it: {', '.join(section.model_fields)}"
    if fault["type"] == "missing":
        return BadRecipe(f"{key!r} is missing", expected=allowed, remedy=_REMEDY)
    return BadRecipe(
        f"the value of {key!r} will not do",
        got=_SHORT.repr(fault["input"]),
        expected=allowed,
        remedy=_REMEDY,
    )


def describe(schema: type[BaseModel], prefix: str = "") -> dict[str, str]:
    """What every key allows, by its full name: ``{"train.epochs": "a whole number from 1 …"}``."""
    allowed: dict[str, str] = {}
    properties = schema.model_json_schema()["properties"]
    for key in schema.model_fields:
        inner = section_of(schema, key)
        allowed |= describe(inner, f"{key}.") if inner else {prefix + key: _words(properties[key])}
    return allowed


def section_of(schema: type[BaseModel], key: str) -> type[BaseModel] | None:
    """The schema below ``key``, or None where a plain value or nothing is."""
    field = schema.model_fields.get(key)
    kind = field.annotation if field else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _locate(
    location: tuple[int | str, ...], schema: type[BaseModel]
) -> tuple[list[str], type[BaseModel]]:
    """The keys that lead to a fault and the section of the last one.

    Behind them pydantic names the branches of a union, which are no keys.
    """
    keys: list[str] = []
    for part in location:
        keys.append(str(part))
        inner = section_of(schema, keys[-1])
        if inner is None:
            break
        schema = inner
    return keys, schema


def _like(key: str, section: type[BaseModel], schema: type[BaseModel]) -> str:
    elsewhere = [name for name in describe(schema) if name.split(".")[-1] == key]
    if elsewhere:
        return "nearest: " + ", ".join(map(repr, elsewhere))
    return nearest(key, section.model_fields)


def _words(part: Mapping[str, Any]) -> str:
    if "anyOf" in part:
        return " or ".join(map(_words, part["anyOf"]))
    if "const" in part or "enum" in part:
        return ", ".join(part.get("enum") or [part["const"]])
    if part["type"] == "null":
        return "null"
    if part["type"] == "array":
        return f"[{', '.join(map(_words, part['prefixItems']))}]"
    words = _WORDS[part["type"]]
    bounds = [text.format(part[name]) for name, text in _BOUNDS.items() if name in part]
    if "pattern" in part:
        bounds = [f"of the form {part['pattern']}"]
    elif "minLength" in part:
        bounds = ["that is not empty"]
    return " ".join([words, *bounds])
