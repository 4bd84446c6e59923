"""Errors: every one a user can cause says what, got, expected and remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any


class PneumoscopeError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    what : one sentence naming the thing at fault.
    got, expected, remedy : optional; one line each, but a tuple of what was got is a line each.
    answer : the words to add to the command that failed, so that it works; empty where no one
        answer is right.
    hints : what else to know before doing so, a line each.
    points : the single problems, where there are several; each says its own part.
    """

    def __init__(
        self,
        what: str,
        *,
        got: object | None = None,
        expected: str | None = None,
        remedy: str | None = None,
        answer: tuple[str, ...] = (),
        hints: tuple[str, ...] = (),
        points: Sequence[PneumoscopeError] = (),
    ) -> None:
        self.what = what
        self.got = got
        self.expected = expected
        self.remedy = remedy
        self.answer = answer
        self.hints = hints
        self.points = tuple(points)
        super().__init__(self.message())

    def message(self) -> str:
        """The whole message, a line for each part that is known, and a few for each point."""
        lines = [f"{type(self).__name__}: {printable(self.what)}", *self._parts()]
        return "\n".join(lines)

    def _parts(self) -> Iterator[str]:
        for number, point in enumerate(self.points, 1):
            yield f"  {number}. {printable(point.what)}"
            yield from (f"   {line}" for line in point._parts())
        named = (("got", self.got), ("expected", self.expected), ("remedy", self.remedy))
        for name, part in (*named, ("note", self.hints)):
            each = part if isinstance(part, tuple) else () if part is None else (part,)
            for place, line in enumerate(each):
                yield f"  {'' if place else name + ':':<9} {printable(line)}"

    def __str__(self) -> str:
        return self.message()

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling between processes.
        names = ("got", "expected", "remedy", "answer", "hints", "points")
        return _rebuild, (type(self), self.what, {name: getattr(self, name) for name in names})


def _rebuild(kind: type[PneumoscopeError], what: str, parts: dict[str, Any]) -> PneumoscopeError:
    return kind(what, **parts)


class InputError(PneumoscopeError):
    """The user's input is at fault: the command line ends with exit code 2."""


class DataNotFound(InputError):
    """The data set named on the command line is not there."""


class UnreadableData(InputError):
    """A data set is there but cannot be read as what it claims to be."""


class UnreadableImage(InputError):
    """One image cannot be decoded. Never stops a run: it is counted with its reason."""


class Unreachable(UnreadableImage):
    """One image cannot be had now: its file is closed, or its disk went away. Looked for again."""


class BadLabels(InputError):
    """Labels are missing, do not say what they mean, or do not match the images.

    ``words`` are those that were asked about: word, films, and the meaning that is offered;
    ``column`` is that of a table in which they stand, empty where they stand elsewhere.
    """

    words: tuple[tuple[str, int, str], ...] = ()
    column: str = ""


class BadRecipe(InputError):
    """A recipe names an unknown key or a value out of range."""


class UnknownBackbone(InputError):
    """The backbone is not one that timm builds."""


class WeightsNotFound(InputError):
    """Pretrained weights cannot be had: not on disk, or no network."""


class BadWeights(InputError):
    """A weights file is there but does not fit the backbone, or is unsafe to load."""


class NotExportable(InputError):
    """The model cannot be exported, or the exported file answers otherwise than the run."""


class OutputExists(InputError):
    """The output folder is there already; nothing is ever overwritten."""


class OutputNotWritable(InputError):
    """Nothing can be written there: no permission, or the disk is full."""


class DiskFull(OutputNotWritable):
    """There is no room on that disk."""


class Diverged(InputError):
    """Training ran away: the recipe's learning rate is too high for this network and data."""


class NotARun(InputError):
    """The folder is not a run folder, or not in the state the command needs."""


class NoSuchHardware(InputError):
    """The accelerator, devices or machines that were asked for are not there."""


class ChosenOnTest(InputError):
    """A threshold, temperature or epoch was about to be chosen on test rows."""


class NotComparable(InputError):
    """The runs were not judged on the same films, so no difference between them means anything."""


class Interrupted(PneumoscopeError):
    """The user stopped a run, which can be completed: the command line ends with exit code 130."""


class WorkerLost(PneumoscopeError):
    """A training process died; what it trained up to the last epoch is kept."""


_FEW = 24


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause naming the nearest known words (``"nearest: 'resnet50'"``), or all when few."""
    words = sorted(set(known))
    close = difflib.get_close_matches(name, words, n=3, cutoff=0.5)
    if close:
        return "nearest: " + ", ".join(repr(word) for word in close)
    return "one of: " + ", ".join(words) if len(words) <= _FEW else f"one of {len(words)} names"


def printable(text: object) -> str:
    """``text`` on one line: line ends, terminal codes and undecodable bytes appear as escapes.

    A file name may hold all of these, and a message must be neither broken nor coloured by it.
    """
    line = str(text)
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else _escape(c) for c in line)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
