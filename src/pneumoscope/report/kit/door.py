"""The door of a run in lines, as the terminal, every page and the model card show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pneumoscope.data import aside
from pneumoscope.data.door import Chain, Door, DoorSite, DoorSplit, LeftOut
from pneumoscope.data.together.groups import Divided
from pneumoscope.formatting import listed, plural, shortened, split_name
from pneumoscope.records import CLASSES, EXTERNAL, Word

_FEW = 4
"""Words, reasons and pairs that are shown; the file has all."""

_MOST_IGNORED = 10
"""Words of films that were left out: a frequent one may be what should have been learnt."""

_LONGEST = 40


@dataclass(frozen=True, slots=True)
class DoorLine:
    """One line: what it is about in a word, and what is said. A ``warning`` is to be seen first."""

    title: str
    text: str
    warning: bool = False


def door_lines(
    door: Door | None, kept: str = "run.json", *, splits: bool = True
) -> tuple[DoorLine, ...]:
    """What was learnt from what; ``kept`` is the file that holds all of what is cut short here.
    Without ``splits`` for several runs that cut the same films in different ways. Nothing where no
    door was kept."""
    return () if door is None else tuple(_lines(door, kept, splits))


def _lines(door: Door, kept: str, splits: bool) -> Iterator[DoorLine]:
    yield DoorLine("films", _films(door))
    if door.left_out:
        yield DoorLine("left out", _left_out(door, kept))
    yield DoorLine("read as", _read_as(door))
    yield from _classes(door, kept)
    yield DoorLine("patients", _patients(door))
    yield from _copies(door)
    yield from (DoorLine(site.name, _site(site)) for site in door.sites if splits)
    # Films of other data are one split, whose counts stand above.
    if splits and any(split.name != EXTERNAL for split in door.splits):
        yield DoorLine("splits", "; ".join(map(_split, door.splits)))
        yield from _divided(door)


def divided_words(door: Door | None, split: str | None = None) -> str:
    """What the splits divide, or what lies in ``split`` though it belongs elsewhere, a sentence for
    each two of them; empty where nothing is found."""
    if door is None:
        return ""
    found = [each for each in door.divided if split in (None, each.split)]
    said = [_torn(each, door) for each in found]
    if door.patients.start_anew and any(each.patients for each in found):
        said.append(
            "Patient numbers may start anew in each split: whether equal ones are the same "
            "patients is not provable."
        )
    return " ".join(said)


def _films(door: Door) -> str:
    text = f"{door.used:,} used of {door.found:,} found"
    if door.used == door.found:
        text = f"{door.used:,}, all that were found"
    if door.aside:
        text += f"; among them {aside.told(door.aside)}"
    return text


def _left_out(door: Door, kept: str) -> str:
    said_of = "said of " if door.readers else ""
    ignored = [_word(word, said_of) for word in door.words if word.meaning == "ignore"]
    told = _cut(ignored, "word", kept, most=_MOST_IGNORED) if ignored else ""
    parts = [_reason(each, told) for each in door.left_out]
    return _cut(parts, "reason", kept, "; ")


def _reason(left: LeftOut, ignored: str) -> str:
    times = " ×" if left.lost or left.films == 1 else ""
    text = f"{left.films:,}{times} {left.reason}"
    if set(left.classes) & set(CLASSES):
        text += f" ({_counts(left.classes)})"
    return f"{text}: {ignored}" if ignored and "ignore" in left.reason else text


def _counts(classes: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in classes.items())


def _classes(door: Door, kept: str) -> Iterator[DoorLine]:
    if not door.normal + door.pneumonia:
        yield DoorLine("classes", "no film has a label")
        return
    for name, films in zip(CLASSES, (door.normal, door.pneumonia), strict=True):
        words = [word for word in door.words if word.meaning == name]
        # Several readers may say other words of one film, which counts for each of them.
        said_of = "said of " if door.readers else ""
        plain = [_word(word, said_of) for word in words if not word.said]
        said = [_word(word, said_of) for word in words if word.said]
        shown = plain + [f"said by you: {said[0]}", *said[1:]] if said else plain
        # Words are counted before films are left out, as where the user was asked about them.
        labelled = films + sum(left.classes.get(name, 0) for left in door.left_out)
        text = f"{films:,}" if labelled == films else f"{films:,} used of {labelled:,} films"
        yield DoorLine(name, f"{text}: {_cut(shown, 'word', kept)}" if shown else text)


def _word(word: Word, said_of: str) -> str:
    name = shortened(word.word, _LONGEST)
    return f"{f'“{name}”' if name.isdecimal() else name} ({said_of}{word.films:,})"


def _cut(parts: Sequence[str], noun: str, kept: str, between: str = ", ", most: int = _FEW) -> str:
    text = between.join(parts[:most])
    more = len(parts) - most
    return f"{text} … and {plural(more, f'more {noun}')}, all in {kept}" if more > 0 else text


def _read_as(door: Door) -> str:
    return " ".join(filter(None, (f"{door.why or door.form}.", door.readers)))


def _patients(door: Door) -> str:
    found = door.patients
    if not found.patients:
        return "unknown, so whether one lies in two splits is not provable"
    of = "all films" if found.films == door.used else f"{found.films:,} of {door.used:,} films"
    text = f"{found.patients:,}, known for {of}" + (f" by {found.how}" if found.how else "")
    if found.each_film:
        text += "; no two films share one, so these may be ids of films"
    return text


def _copies(door: Door) -> Iterator[DoorLine]:
    if door.copies and door.copies.films:
        films, pixels = door.copies.films, door.copies.pixels
        by = "by equal pixels" if pixels == films else f"{pixels:,} by equal pixels"
        by = by if pixels else "near copies"
        groups = plural(door.copies.groups, "group")
        text = f"{films:,} films{_whose(door)} are copies of one another, in {groups} ({by})"
        yield DoorLine("copies", text)
    for chain in door.chains:
        yield DoorLine("chain", _chain(chain), warning=True)


def _whose(door: Door) -> str:
    """Films of one patient belong together anyway, and are not counted as copies."""
    if not door.patients.patients:
        return ""
    known = door.patients.films == door.used
    return " of different patients" if known else " of different or unknown patients"


def _chain(chain: Chain) -> str:
    pairs = ", ".join("–".join(f"{row:,}" for row in pair) for pair in chain.pairs[:_FEW])
    return (
        f"{plural(chain.films, 'film')} hang together by near copies, each like the next, and were "
        f"not kept in one split. Pairs, by row of the prepared table: {pairs}"
    )


def _site(site: DoorSite) -> str:
    """One of several sets: how it was read, and what of it is in which split."""
    unknown = f", {site.unknown:,} unknown" if site.unknown else ""
    films = f"{site.normal:,} normal, {site.pneumonia:,} pneumonia{unknown}"
    return "; ".join([films, *map(_split, site.splits), site.why])


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
        yield DoorLine("divided", "nothing, as far as patients and copies are known")


def shared_words(door: Door | None) -> str:
    """What splits share, in one clause for the first of these that is so: films, test films before
    others; patients; numbers that may be those of other patients. Empty where nothing is found."""
    if door is None:
        return ""
    torn = sorted(door.divided, key=lambda each: (each.split != "test", -_surely(each)))
    if films := next((each for each in torn if _surely(each)), None):
        split, other = split_name(films.split), split_name(films.other)
        how = "by their pixels" if films.pixels else "as near copies"
        return (
            f"{_surely(films):,} of {_size(films.split, door):,} {split} films are {other} films "
            f"too, {how}"
        )
    each = next((each for each in torn if each.patients), None)
    if each is None:
        return ""
    split, other = split_name(each.split), split_name(each.other)
    of = f"{each.patients:,} of {_size(each.split, door):,} {split} films"
    if door.patients.start_anew:
        return (
            f"that no child is in two splits is not provable: {of} bear a patient number of "
            f"{other} films, but numbers may start anew in each split"
        )
    return f"{of} are of patients of {other} films"


def _surely(each: Divided) -> int:
    """Films that are the same film again; those of one patient are only related."""
    return each.pixels + each.copies


def _torn(each: Divided, door: Door) -> str:
    number = "patient number" if door.patients.start_anew else "patient id"
    kinds = ((each.patients, number), (each.pixels, "pixels"), (each.copies, "near copies"))
    by = listed([f"{count:,} by {kind}" for count, kind in kinds if count])
    belong = "may belong" if door.patients.start_anew and not _surely(each) else "belong"
    return (
        f"{each.films:,} of {_size(each.split, door):,} {split_name(each.split)} films {belong} "
        f"with {split_name(each.other)} films: {by}."
    )


def _size(name: str, door: Door) -> int:
    return next((split.films for split in door.splits if split.name == name), 0)
