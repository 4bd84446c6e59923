"""``pneumoscope doctor``: the environment at a glance, for a bug report."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_LIBRARIES = ("torch", "torchvision", "lightning", "timm", "numpy", "pandas", "pydantic")


def doctor() -> None:
    """Print the environment: versions, processor, precision, folders."""
    from importlib.metadata import version

    import torch

    import pneumoscope
    from pneumoscope.data.prepare import cache_folder

    cache = cache_folder()
    rows = [
        ("pneumoscope", pneumoscope.__version__),
        ("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *((name, version(name)) for name in _LIBRARIES),
        ("cores", str(os.cpu_count())),
        ("vector unit", torch.backends.cpu.get_cpu_capability()),
        ("accelerator", torch.cuda.get_device_name() if torch.cuda.is_available() else "none"),
        ("cache folder", f"{cache} ({_state(cache)})"),
        ("free here", f"{shutil.disk_usage(Path.cwd()).free / 2**30:.1f} GiB"),
    ]
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for key, value in rows:
        table.add_row(f"[bold]{key}[/bold]", escape(value))
    console = Console(highlight=False)
    console.print(table)
    console.print("Next: pneumoscope demo", soft_wrap=True)


def _state(folder: Path) -> str:
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    return "writable" if os.access(nearest, os.W_OK) else "closed: set PNEUMOSCOPE_CACHE"
