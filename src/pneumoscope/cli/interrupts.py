"""Ctrl-C that is heard wherever it falls.

Python raises KeyboardInterrupt wherever the main thread happens to be, and drops it inside a
``__del__`` or a bare ``except:``. Libraries hold both: Lightning's profiler the one, pickle's
``copyreg`` the other, so that 5 of 1,024 interrupts were lost, of short trainings one after another
in one process. Here the handler remembers it too, and the next sign of progress raises it again.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_asked = False


@contextmanager
def heard() -> Iterator[None]:
    """Remember Ctrl-C while this lasts; a process that was started deaf to it remains so."""
    hears = signal.getsignal(signal.SIGINT) is signal.default_int_handler and _in_main_thread()
    if hears:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        if hears:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        _remember(False)  # what ended this work must not end the next


def check() -> None:
    """Raise KeyboardInterrupt, once, where one was asked for and did not end the work."""
    if _asked and _in_main_thread():
        _remember(False)
        raise KeyboardInterrupt


def interrupt(*_: object) -> None:
    """The handler; of whatever signal is to be heard as Ctrl-C is."""
    _remember(True)
    raise KeyboardInterrupt


def _remember(asked: bool) -> None:
    global _asked  # a lock could be held by the very code that the signal interrupts
    _asked = asked


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
