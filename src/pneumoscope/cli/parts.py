"""Parts of an installation: all of pneumoscope, or the runtime alone, which needs no torch."""

from __future__ import annotations

from importlib.util import find_spec

from pneumoscope.errors import InputError


def has_whole() -> bool:
    """Whether this is all of pneumoscope: its networks are not in the runtime."""
    return find_spec("pneumoscope.models") is not None


def beyond_runtime(asked: str) -> InputError:
    """What to say where the runtime alone is asked for more than it has."""
    return InputError(
        "only the runtime is installed here: it reads exported models, and needs no torch",
        got=asked,
        expected="pneumoscope predict EXPORT FILMS, EXPORT made by: pneumoscope export RUN",
        remedy="install all of pneumoscope where this is to work",
    )
