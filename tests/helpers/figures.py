"""Figures that are made and not rendered, which takes most of the time of a small run."""

from __future__ import annotations

import base64
from typing import Any

import pytest

_SVG = '<svg viewBox="0 0 1 1"></svg>'
_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)


def leave_undrawn(patch: pytest.MonkeyPatch) -> None:
    """Let matplotlib draw nothing, and save an empty picture for every figure; for tests that look
    elsewhere."""
    patch.setattr("matplotlib.figure.Figure.draw", lambda figure, renderer: None)
    patch.setattr("matplotlib.figure.Figure.savefig", save_nothing)


def save_nothing(figure: object, file: Any, **options: Any) -> None:
    file.write(_SVG if options["format"] == "svg" else _PNG)
