"""The door of a run in lines, as the terminal, every page and the model card show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pneumoscope.data import aside
from pneumoscope.data.door import Chain, Door, DoorSplit, LeftOut
from pneumoscope.data.groups import Divided
from pneumoscope.formatting import listed, plural, shortened, split_name
from pneumoscope.records import CLASSES, Word

_FEW = 5
"""Words, reasons and pairs that are shown; the file has all."""

_LONGEST = 40


@dataclass(frozen=True, slots=True)
class DoorLine:
    """One line: what it is about in a word, and what is said. A ``warning`` is to be seen first."""

    title: str
    text: str
    warning: bool = False


def door_lines(door: Door, kept: str = "run.json", *, splits: bool = True) -> tuple[DoorLine, ...]:
    """What was learnt from what; ``kept`` is the file that holds all of what is cut short here.
    Without ``splits`` for several runs that cut the same films in different ways."""
    lines = [
        DoorLine("films", _films(door)),
        *([DoorLine("left out", _left_out(door, kept))] if door.left_out else []),
        DoorLine("read as", _read_as(door)),
        *_classes(door, kept),
        DoorLine("patients", _patients(door)),
        *_copies(door),
    ]
    if splits and door.splits:
        lines.append(DoorLine("splits", "; ".join(map(_split, door.splits))))
        lines += _divided(door)
    return tuple(lines)


def divided_words(door: Door) -> str:
    """What the splits divide, in one sentence; empty where nothing is found."""
    return " ".join(_torn(each, door) for each in door.divided)


def _films(door: Door) -> str:
    text = f"{door.used:,} used of {door.found:,} found"
    if door.aside:
        text += f"; among them {aside.told(door.aside)}"
    return text


def _left_out(door: Door, kept: str) -> str:
    ignored = [word.word for word in door.words if word.meaning == "ignore"]
    parts = [_reason(each, ignored) for each in door.left_out]
    return _cut(parts, "reason", kept)


def _reason(left: LeftOut, ignored: Sequence[str]) -> str:
    text = f"{left.films:,} × {left.reason}" if left.lost else f"{left.films:,} {left.reason}"
    if left.classes:
        text += f" ({_counts(left.classes)})"
    if "ignored" in left.reason and ignored:
        text += f" ({', '.join(shortened(word, _LONGEST) for word in ignored[:_FEW])})"
    return text


def _counts(classes: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in classes.items())


def _classes(door: Door, kept: str) -> Iterator[DoorLine]:
    if not door.normal + door.pneumonia:
        yield DoorLine("classes", "no film has a label")
        return
    for name, films in zip(CLASSES, (door.normal, door.pneumonia), strict=True):
        words = [word for word in door.words if word.meaning == name]
        plain = [_word(word) for word in words if not word.said]
        said = [_word(word) for word in words if word.said]
        shown = plain + [f"said by you: {said[0]}", *said[1:]] if said else plain
        text = f"{films:,}"
        yield DoorLine(name, f"{text}: {_cut(shown, 'word', kept)}" if shown else text)


def _word(word: Word) -> str:
    name = shortened(word.word, _LONGEST)
    return f"{f'“{name}”' if name.isdecimal() else name} ({word.films:,})"


def _cut(parts: Sequence[str], noun: str, kept: str) -> str:
    text = ", ".join(parts[:_FEW])
    more = len(parts) - _FEW
    return f"{text} … and {plural(more, f'more {noun}')}, all in {kept}" if more > 0 else text


def _read_as(door: Door) -> str:
    return " ".join(filter(None, (f"{door.form}: {door.why}.", door.readers)))


def _patients(door: Door) -> str:
    found = door.patients
    if not found.patients:
        return "unknown, so whether one lies in two splits is not provable"
    of = "all films" if found.films == door.used else f"{found.films:,} of {door.used:,} films"
    text = f"{found.patients:,} in {of}, by {found.how}"
    if found.each_film:
        text += "; no two films share one, so these may be ids of films"
    return text


def _copies(door: Door) -> Iterator[DoorLine]:
    if door.copies and door.copies.films:
        films, pixels = door.copies.films, door.copies.pixels
        by = "all by equal pixels" if pixels == films else f"{pixels:,} by equal pixels"
        text = f"{films:,} films in {plural(door.copies.groups, 'group')} show one film each, {by}"
        yield DoorLine("copies", text)
    for chain in door.chains:
        yield DoorLine("chain", _chain(chain), warning=True)


def _chain(chain: Chain) -> str:
    pairs = ", ".join("–".join(f"{row:,}" for row in pair) for pair in chain.pairs[:_FEW])
    return (
        f"{plural(chain.films, 'film')} hang together by near copies, each like the next, and were "
        f"not kept in one split. Pairs, by row of the prepared table: {pairs}"
    )


def _split(split: DoorSplit) -> str:
    parts = f"{split.normal:,} normal, {split.pneumonia:,} pneumonia"
    if split.unknown:
        parts += f", {split.unknown:,} unknown"
    how = "official " if split.official else ""
    return f"{how}{split.name} {split.films:,} ({parts})"


def _divided(door: Door) -> Iterator[DoorLine]:
    official = [split.name for split in door.splits if split.official and split.name != "train"]
    if door.divided:
        yield DoorLine("divided", divided_words(door), warning=True)
    elif official and len(door.splits) > 1:
        yield DoorLine("divided", "nothing that is known: no patient, no film and no copy of one")


def _torn(each: Divided, door: Door) -> str:
    kinds = (
        (each.patients, "by patient"),
        (each.pixels, "by equal pixels"),
        (each.copies, "as near copies"),
    )
    parts = [f"{count:,} {what}" for count, what in kinds if count]
    size = next((split.films for split in door.splits if split.name == each.split), 0)
    return (
        f"{each.films:,} of {size:,} {split_name(each.split)} films belong with "
        f"{split_name(each.other)} films, {listed(parts)}."
    )
