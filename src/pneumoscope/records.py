"""The small records that travel between rooms. Importing this module loads numpy only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
CLASSES: tuple[str, str] = ("normal", "pneumonia")
"""Class names by label: 0 is normal, 1 is pneumonia, everywhere."""

Grey = NDArray[np.uint8]
"""Grey levels, uint8, 0–255, air dark and bone bright."""


@dataclass(frozen=True, slots=True)
class Record:
    """One radiograph of a source, not yet read.

    ``read()`` gives uint8 (H, W), 0–255, air dark, or raises ``UnreadableImage``.
    ``mask`` gives bool (H, W), true where the abnormality is, when the truth is known.
    ``boxes`` are (x, y, width, height) in native pixels, origin top left.
    ``label`` is 1 pneumonia, 0 normal, None unknown. ``facts`` hold scalars only.
    """

    image_id: str
    read: Callable[[], Grey]
    label: int | None
    patient_id: str | None = None
    split: Split | None = None
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    mask: Callable[[], NDArray[np.bool_]] | None = None
    facts: Mapping[str, str | float | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """A data set as found: what it is, how that was seen, and its records in a fixed order.

    ``fingerprint`` changes when the content changes. ``native_size`` is the longest side in
    pixels of a typical image. ``records`` may be iterated more than once.
    """

    name: str
    form: str
    why: str
    fingerprint: str
    count: int
    native_size: int
    records: Iterable[Record]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All but the records."""
        named = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "records"}
        return named | {"notes": list(self.notes)}


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How any film becomes the network's input; prepared set and model must agree.

    ``stored`` is the side in pixels of the square uint8 image on disk, ``network`` the side the
    backbone sees, never the smaller one; the network's first layer enlarges from one to the other.
    """

    stored: int
    network: int
    fit: Literal["squash", "pad", "crop"] = "squash"
    interpolation: Literal["bilinear"] = "bilinear"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric and its interval. ``value`` is NaN where it is undefined (0/0)."""

    value: float
    low: float
    high: float
    level: float
    method: str
    n: int

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; NaN becomes None, since JSON has no NaN."""
        return {k: _finite(v) for k, v in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A decision threshold and the split it was chosen on.

    A film is called pneumonia when ``probability >= threshold``.
    """

    name: str
    threshold: float
    rule: str
    chosen_on: Split

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


class Listener(Protocol):
    """Hears what a long piece of work does. The command line shows it; a library may ignore it."""

    def stage(self, title: str) -> None:
        """A new piece of work begins."""

    def choice(self, what: str, choice: str, why: str) -> None:
        """Something was chosen automatically, and why."""

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        """``done`` of ``total`` units of the present stage are done."""


class Silent:
    """The listener that ignores everything."""

    def stage(self, title: str) -> None:
        pass

    def choice(self, what: str, choice: str, why: str) -> None:
        pass

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        pass
