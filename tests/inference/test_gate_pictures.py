"""Pictures of scikit-image by which the gate is judged, without scikit-image."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from benchmarks import no_chest_films
from benchmarks.no_chest_films import MORE, more


def _installed(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    found = {name: object() for name in names}
    monkeypatch.setattr(no_chest_films.importlib.util, "find_spec", found.get)


def test_without_scikit_image_there_are_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch)
    assert more() == {}


def test_scikit_image_without_tifffile_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch, "skimage")
    with pytest.raises(ModuleNotFoundError, match="install tifffile"):
        more()


def test_each_of_its_pictures_is_grey(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch, "skimage", "tifffile")
    data: Any = ModuleType("skimage.data")
    for place, name in enumerate(MORE):
        shape = (8, 9, 3) if place % 2 else (8, 9)
        picture = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        setattr(data, name, lambda picture=picture: picture)
    package: Any = ModuleType("skimage")
    package.data = data
    monkeypatch.setitem(sys.modules, "skimage", package)
    monkeypatch.setitem(sys.modules, "skimage.data", data)
    found = more()
    assert set(found) == set(MORE)
    assert all(film.dtype == np.uint8 and film.shape == (8, 9) for film in found.values())
