"""The runtime's files on their own, as its distribution installs them."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "pneumoscope"

SETTINGS = tomllib.loads((ROOT / "runtime" / "pyproject.toml").read_text("utf-8"))
_WHEEL = SETTINGS["tool"]["hatch"]["build"]["targets"]["wheel"]
PARTS = [PACKAGE / part for part in _WHEEL["hooks"]["custom"]["parts"]]

BEYOND = (
    *("torch", "torchvision", "lightning", "timm", "onnx", "onnxscript", "pandas", "matplotlib"),
    *("scipy", "sklearn", "pyarrow", "yaml", "jinja2", "requests", "safetensors", "tensorboard"),
    *("huggingface_hub", "platformdirs", "threadpoolctl", "datasets"),
)
"""What the whole needs and the runtime does not."""


def in_runtime(file: Path) -> bool:
    """Whether this file of the package is one of the runtime's."""
    return any(part in (file, *file.parents) for part in PARTS)


def package_files() -> list[Path]:
    """All files of the package."""
    files = PACKAGE.rglob("*")
    return [file for file in files if file.is_file() and "__pycache__" not in file.parts]


def install_runtime(place: Path) -> str:
    """Put the runtime's files under ``place``; the Python lines that import from there, and find
    nothing ``BEYOND`` it."""
    for file in filter(in_runtime, package_files()):
        target = place / file.relative_to(PACKAGE.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return (
        f"import sys; sys.path.insert(0, {str(place)!r})\n"
        f"for name in {BEYOND}: sys.modules[name] = None  # an import of it fails\n"
    )
