"""The part of common work that falls to one of several processes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """That of process ``rank`` (from 0) among ``size``; alone where no other is named."""

    rank: int = 0
    size: int = 1

    def of(self, count: int) -> slice:
        """Which of ``count`` pieces are ours: neighbours, in the order of the ranks, and as many
        for each process where ``size`` divides ``count``."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)
