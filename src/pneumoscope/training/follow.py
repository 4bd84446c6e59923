"""What the processes do that torchrun started beside the first one."""

from __future__ import annotations

import signal

from pneumoscope.errors import PneumoscopeError
from pneumoscope.records import Silent
from pneumoscope.training.distributed import Plan, train_share
from pneumoscope.training.team import joined
from pneumoscope.training.torchrun import Board, place

_SAME_FATE = 30.0
"""Seconds in which the first process ends too where an error is everybody's."""


def follow() -> int:
    """Wait for training, take part in it, say and write nothing; the first one's exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    board = Board()
    values = board.wait_plan()
    if values is not None:
        plan = Plan(**values)
        try:
            with joined(plan.device, *place()):
                train_share(plan, Silent())
        except PneumoscopeError:
            code = board.wait_end(_SAME_FATE)
            if code is None:
                raise
            return code
    return board.wait_end() or 0
