"""Networks at hand: of this process, or of a second one that loads torch while this one works.

Importing torch takes as long as finding, comparing and drawing films, and holds the interpreter, so
that a thread gains nothing. A task is a function ``task(bundles, *given, listener)`` of a module;
``begin`` gives what ends it: a function that returns what the task returned, or raises what it
raised. Tasks are answered in the order in which they were begun.
"""

from __future__ import annotations

import pickle
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pneumoscope.data.pool import cores

if TYPE_CHECKING:  # a process that only asks needs neither torch nor numpy for it
    from pneumoscope.listener import Listener
    from pneumoscope.models.bundle import Bundle

Result = TypeVar("Result")
Load = Callable[[], "Sequence[Bundle]"]


class Networks(Protocol):
    """Who computes with the networks of a model."""

    def begin(
        self, task: Callable[..., Result], *given: object, listener: Listener
    ) -> Callable[[], Result]:
        """Begin ``task(bundles, *given, listener)``; what is returned ends it."""


@dataclass(frozen=True, slots=True)
class Here:
    """This process computes, when the task is ended. ``load`` gives the bundles each time."""

    load: Load

    def begin(
        self, task: Callable[..., Result], *given: object, listener: Listener
    ) -> Callable[[], Result]:
        return lambda: task(self.load(), *given, listener)


class Apart:
    """A second process computes, from the moment a task is begun. It ends with this one."""

    def __init__(self, load: Load) -> None:
        """Start it, to call ``load`` at once. Raises OSError where no process can be started."""
        context = get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, load), daemon=True)
        self._process.start()
        there.close()  # else its end would not be heard

    def begin(
        self, task: Callable[..., Result], *given: object, listener: Listener
    ) -> Callable[[], Result]:
        with suppress(OSError):  # it ended early, which the answer says
            self._pipe.send((task, given))
        return partial(self._answer, listener)

    def close(self) -> None:
        """End it, whatever it computes."""
        self._process.terminate()
        self._process.join()
        self._pipe.close()

    def _answer(self, listener: Listener) -> Any:
        """What the task returned; meanwhile the listener hears what the task tells it."""
        while True:
            try:
                said, content = self._pipe.recv()
            except (EOFError, OSError):
                self._process.join()
                raise RuntimeError(
                    "the process that reads films with the network ended before it was done "
                    f"(exit code {self._process.exitcode})"
                ) from None
            if said == "returned":
                return content
            if said == "raised":
                raise content
            getattr(listener, said)(*content[0], **content[1])


def apart(load: Load) -> Apart | None:
    """A second process, where that saves time: torch is not here yet and a second core is. None
    elsewhere."""
    if "torch" in sys.modules or cores() < 2:
        return None
    try:
        return Apart(load)
    except OSError:
        return None


class _Relay:
    """The listener of a task: what it is told goes to the process that asked."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *given, **named: self._pipe.send((name, (given, named)))


def _serve(pipe: Connection, load: Load) -> None:
    """The second process: answers tasks until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to both; the first one decides
    relay = _Relay(pipe)
    bundles: Sequence[Bundle] | None = None
    failed: Exception | None = None
    try:
        bundles = load()
    except Exception as error:  # noqa: BLE001 said when it is asked for
        failed = error
    try:
        while True:
            task, given = pipe.recv()
            try:
                if failed:
                    raise failed
                answer = ("returned", task(bundles, *given, relay))
            except Exception as error:  # noqa: BLE001 raised by the process that asked
                answer = ("raised", _sendable(error))
            pipe.send(answer)
    except (EOFError, OSError):
        return  # nobody asks any more


def _sendable(error: Exception) -> Exception:
    """``error``, or its words where it does not survive pickling."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 our own
    except Exception:  # noqa: BLE001 whatever its class does
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
