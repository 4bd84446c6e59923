"""Seeds for the random streams of a run, each a pure function of where training stands.

A stream is told from the others by the number that follows the run's seed.
"""

from __future__ import annotations

import numpy as np

AUGMENT, DROPOUT, VIEW = 1, 2, 3


def seed_of(*parts: int) -> int:
    """One 64-bit seed from several numbers, well spread."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])
