"""Build hook: one package in two distributions, with no file in both.

``pneumoscope-runtime`` has the files that ``parts`` in runtime/pyproject.toml names. All others are
in ``pneumoscope``, which depends on it: on the runtime beside it where it is built from a checkout,
so that ``pip install .`` asks no index for it, and on the same version where PNEUMOSCOPE_RELEASE is
set, for wheels that are to be published. An editable install has everything from the checkout.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_HERE = Path(__file__).resolve().parent
_SOURCE = _HERE.parent / "src"

_FIRST = (
    "import sys; sys.path.insert(next((at for at, path in enumerate(sys.path) if path.endswith("
    '("site-packages", "dist-packages"))), len(sys.path)), {source!r})\n'
)
"""A line by which Python finds the checkout before a copy of the runtime that is installed too."""


class Divided(BuildHookInterface):
    """Give each wheel its files and dependencies."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        runtime = Path(self.root).resolve() == _HERE
        if version == "editable":
            build_data["force_include_editable"] = {_first(): "_pneumoscope_first.pth"}
        else:
            build_data["force_include"].update(
                {str(file): str(file.relative_to(_SOURCE)) for file in _files(runtime)}
            )
        if runtime:
            build_data["extra_metadata"][str(_HERE.parent / "LICENSE")] = "LICENSE"
        elif version == "editable":
            build_data["dependencies"] += _settings()["project"]["dependencies"]
        else:
            build_data["dependencies"].append(self._runtime())

    def _runtime(self) -> str:
        if os.environ.get("PNEUMOSCOPE_RELEASE"):
            return f"pneumoscope-runtime=={self.metadata.version}"
        return f"pneumoscope-runtime @ {_HERE.as_uri()}"


def _settings() -> dict[str, Any]:
    return tomllib.loads((_HERE / "pyproject.toml").read_text(encoding="utf-8"))


def _files(runtime: bool) -> Iterator[Path]:
    """The files of the package that are the runtime's, or all others."""
    package = _SOURCE / "pneumoscope"
    wheel = _settings()["tool"]["hatch"]["build"]["targets"]["wheel"]
    parts = wheel["hooks"]["custom"]["parts"]
    for part in parts:
        if not (package / part).exists():
            raise FileNotFoundError(f"runtime/pyproject.toml names {part}, which is not there")
    theirs = {package / part for part in parts}
    for file in sorted(package.rglob("*")):
        source = file.is_file() and "__pycache__" not in file.parts
        if source and runtime == bool(theirs.intersection((file, *file.parents))):
            yield file


def _first() -> str:
    file = Path(mkdtemp()) / "first.pth"
    file.write_text(_FIRST.format(source=str(_SOURCE)), encoding="utf-8")
    return str(file)
