"""``pneumoscope doctor``: the environment at a glance, for a bug report."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_RUNTIME = ("numpy", "onnxruntime", "pillow", "pydicom")
_WHOLE = ("torch", "torchvision", "lightning", "timm", "numpy", "pandas", "pydantic", "onnxruntime")


def doctor() -> None:
    """Print the environment: versions, processor, precision, folders."""
    import pneumoscope
    from pneumoscope.cli.parts import has_whole

    whole = has_whole()
    rows = [
        ("pneumoscope", pneumoscope.__version__ + ("" if whole else ", the runtime alone")),
        ("lies in", str(Path(pneumoscope.__file__).parent)),
        ("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *((name, _version(name)) for name in (_WHOLE if whole else _RUNTIME)),
        ("cores", str(os.cpu_count())),
        *(_training() if whole else ()),
        ("free here", f"{shutil.disk_usage(Path.cwd()).free / 2**30:.1f} GiB"),
    ]
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for key, value in rows:
        table.add_row(f"[bold]{key}[/bold]", escape(value))
    console = Console(highlight=False)
    console.print(table)
    after = "pneumoscope demo" if whole else "pneumoscope predict EXPORT FILMS"
    console.print(f"Next: {after}", soft_wrap=True)


def _training() -> Iterator[tuple[str, str]]:
    """What only the whole has: torch's view of the machine, and where prepared sets are kept."""
    import torch

    from pneumoscope.data.prepare import cache_folder

    cache = cache_folder()
    yield "vector unit", torch.backends.cpu.get_cpu_capability()
    yield "accelerator", torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    yield "cache folder", f"{cache} ({_state(cache)})"


def _version(library: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(library)
    except PackageNotFoundError:  # what a bug report should tell
        return "not installed"


def _state(folder: Path) -> str:
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    return "writable" if os.access(nearest, os.W_OK) else "closed: set PNEUMOSCOPE_CACHE"
