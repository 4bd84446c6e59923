"""The command as torchrun starts it, many times at once: the first process leads.

The others wait at a notice board, torchrun's own key-value store, for the plan of the training,
take part in it, and end with the exit code that the first one ends with.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pneumoscope.devices import launched
from pneumoscope.errors import InputError, Interrupted

_LOOK_EVERY = 0.2
_FAREWELL = 10.0
"""Seconds in which the others should have read how the first process ended."""


def place() -> tuple[int, int]:
    """The rank of this process, and how many there are."""
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


class Board:
    """What the first process tells the others; ``_prefix`` is new after a restart by torchrun."""

    def __init__(self) -> None:
        # Not above: whether torchrun started us is asked before anything slow is loaded.
        from torch.distributed.distributed_c10d import PrefixStore
        from torch.distributed.rendezvous import rendezvous

        store, self.rank, self.size = next(rendezvous("env://", *place()))
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        self._store = PrefixStore(f"pneumoscope/{attempt}", store)

    def post_plan(self, plan: dict[str, Any]) -> None:
        """Training begins."""
        self._store.set("plan", json.dumps(plan))

    def post_end(self, code: int) -> None:
        """All is done, or has failed; waits a little until the others know."""
        self._store.set("end", str(code))
        until = time.monotonic() + _FAREWELL
        while self._store.add("gone", 0) < self.size - 1 and time.monotonic() < until:
            time.sleep(_LOOK_EVERY)

    def wait_plan(self) -> dict[str, Any] | None:
        """The plan, when training begins; None where all ended without one."""
        while not self._store.check(["plan"]):
            if self._store.check(["end"]):
                return None
            time.sleep(_LOOK_EVERY)
        plan: dict[str, Any] = json.loads(self._store.get("plan"))
        return plan

    def wait_end(self, most: float = float("inf")) -> int | None:
        """The exit code of the first process; None where ``most`` seconds pass before it ends."""
        until = time.monotonic() + most
        while not self._store.check(["end"]):
            if time.monotonic() > until:
                return None
            time.sleep(_LOOK_EVERY)
        code = int(self._store.get("end"))
        self._store.add("gone", 1)
        return code


@contextmanager
def leading() -> Iterator[None]:
    """Around all that the first process does: the others hear how it ended."""
    if not launched():
        yield
        return
    board, code = Board(), 1
    try:
        yield
        code = 0
    except InputError:
        code = 2
        raise
    except (Interrupted, KeyboardInterrupt):
        code = 130
        raise
    except RuntimeError as error:
        code = getattr(error, "exit_code", 1)  # of a verb that ends with a code of its own
        raise
    finally:
        board.post_end(code)
