"""Folders of tiny films, opened, and what is asked about them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumoscope.errors import InputError
from pneumoscope.listener import Silent
from pneumoscope.records import DataRequest, Source
from pneumoscope.sources.detect import open_source

Counts = dict[tuple[int | None, str | None], int]


def films(root: Path, *paths: str) -> Path:
    for at, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((3, 5), at, dtype=np.uint8)).save(root / path, "PNG")
    return root


def many(pattern: str, count: int, start: int = 0) -> list[str]:
    return [pattern.format(i) for i in range(start, start + count)]


def opened(root: Path, request: DataRequest | None = None) -> Source:
    return open_source(request or DataRequest(str(root)), root, Silent())


def asked(root: Path) -> InputError:
    with pytest.raises(InputError) as error:
        opened(root)
    return error.value


def counted(source: Source) -> Counts:
    return dict(Counter((record.label, record.split) for record in source.records))
