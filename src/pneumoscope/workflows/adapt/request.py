"""The request of an adaptation: which model, to which films, by which of what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pneumoscope.errors import InputError
from pneumoscope.records import DataRequest

ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True)
class AdaptRequest:
    """What is asked. ``use_labels`` takes the labels that ``data`` has; ``share`` moves the
    probabilities to a share of pneumonia, a number or ``estimated``; ``fine_tune`` tries to train
    the whole network too, which takes longest. ``command`` is what the user typed for the data."""

    run: Path
    data: DataRequest
    use_labels: bool = True
    share: float | str | None = None
    fine_tune: bool = False

    def check(self) -> None:
        """Raise InputError for a share out of range."""
        if isinstance(self.share, float) and not 0 < self.share < 1:
            raise InputError(
                "the share of pneumonia is out of range",
                got=f"{self.share:g}",
                expected="a share above 0 and below 1, or the word estimated",
                remedy="for example: --share 0.1, or --share estimated",
            )
