"""Folders that stand where classes stand, and whose names are none: they are asked about.

Three kinds: what stands beside known classes, folders side by side that are named for something
like classes, and, where nothing else says what films show, a level that parts them into few groups.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pneumoscope.errors import BadLabels
from pneumoscope.records import CLASSES, DataRequest
from pneumoscope.sources.film.find import find_films
from pneumoscope.sources.forms.layout import Place, folder_of, places_of, told
from pneumoscope.sources.meaning.qualified import short_normal
from pneumoscope.sources.meaning.words import (
    fold,
    is_finding,
    kindred,
    known,
    misspelt,
    vague,
    words_of,
)
from pneumoscope.sources.splits import split_of

_A_SPLIT, _NUMBERED = "/split", "/number"  # no folder can have these names
_MOST_NUMBERED = 8
_MOST_GROUPS, _FILMS_EACH, _MOSTLY = 12, 2, 0.5
_CLASSES_TEXT = """
class classes label labels category categories group groups grade stage type finding diagnosis
klasse klassen gruppe kategorie classe groupe categorie grado gruppo clase grupo categoria etichetta
"""
_CLASSES = frozenset(_CLASSES_TEXT.split())
"""Words of classes that are numbered, ``class 1``."""

_OF_OTHERS_TEXT = """
site sites hospital hospitals center centre clinic klinik krankenhaus hopital ospedale clinica chu
scanner device machine vendor institution country ward station patient patients patienten paciente
pacientes paziente pazienti subject subjects study studies series serie visit exam session examen
pa ap ll rl lat lateral laterals frontal view views male female man men woman women m f w adult
adults child children kids pediatric paediatric ct cxr dx cr mr mri hospitalier reader fold part
batch copy
"""
_OF_OTHERS = frozenset(_OF_OTHERS_TEXT.split())
_STORES_TEXT = """
image images img imgs film films picture pictures photo photos xray xrays radiograph radiographs
bilder aufnahmen cliches radios imagenes imagens immagini original originals raw processed png pngs
jpg jpgs jpeg jpegs dicom dicoms dcm dcms tif tiff data dataset datasets set files file archive
export download downloads upload uploads new old misc other extra tmp temp backup all more sample
samples input output chest thorax lung lungs
"""
_STORES = frozenset(_STORES_TEXT.split())


def unknown_class_folders(places: Mapping[Place, int]) -> list[str]:
    """The names of folders with films that stand where class folders stand, but are none; how many
    films lie directly in each of the ``places`` is its value.

    A folder stands there when it lies directly beside a class folder, or at the same place below
    another split or patient: in ``{train,test}/…`` what stands beside ``train/NORMAL`` or
    ``test/NORMAL``. Where no folder is known, two that lie side by side and are named for something
    like classes (positive and negative, 0 and 1) stand there too, and all beside them; else the
    folders of the level that ``parting_level`` finds.
    """
    beside = {_blurred(p.parts[: p.class_at]) for p in places if p.verdict}
    if not beside:
        beside = _likely_parents(places)
    if not beside:
        return sorted(parting_level(places))
    unknown = {}
    for place in places:
        for index in range(place.class_at + 1, len(place.parts)):
            name = place.parts[index]
            if not split_of(name) and _blurred(place.parts[:index]) in beside:
                unknown[name] = True
                break
    return sorted(unknown)


def foreign_branches(places: Mapping[Place, int], unknown: Collection[str]) -> Counter[str]:
    """Folders of which all classes but normal are ``unknown`` words, none of them of a chest,
    though other classes lie elsewhere, with how many normal films each holds: of what, who knows?
    ``OCT`` with CNV, DME, NORMAL beside ``chest_xray``."""
    names: dict[str, set[str]] = {}
    normal: Counter[str] = Counter()
    for place, films in places.items():
        at = place.class_at if place.verdict else _at(place, unknown)
        above = [part for part in place.parts[: max(at, 0)] if not split_of(part)]
        if at < 0 or not above:
            continue
        names.setdefault(above[-1], set()).add(place.parts[at])
        normal[above[-1]] += films * (place.verdict == "normal")
    foreign = {
        branch
        for branch, words in names.items()
        if normal[branch]
        and (others := {word for word in words if known(word) != "normal"})
        and not any(known(word) or like_class(word) or is_finding(word) for word in others)
    }
    return Counter({branch: normal[branch] for branch in foreign if len(foreign) < len(names)})


@contextmanager
def offering_branches(places: Mapping[Place, int], unknown: Collection[str]) -> Iterator[None]:
    """Where words are asked about within, the first answer leaves foreign branches out whole."""
    try:
        yield
    except BadLabels as error:
        if branches := foreign_branches(places, unknown):
            pairs = [part for name in sorted(branches) for part in ("--classes", f"{name}=ignore")]
            left = ", ".join(f"{n:,} normal films in {name!r}" for name, n in branches.items())
            error.answer, error.words = tuple(pairs), ()
            error.remedy = f"leave out what is no film of a chest: {shlex.join(pairs)}"
            error.hints = (f"to ignore the other words alone would leave {left}", *error.hints)
        raise


def told_branches(places: Mapping[Place, int], unknown: Collection[str]) -> list[str]:
    """What to say of foreign branches whose normal films stay, all else in them being ignored."""
    return [
        f"{films:,} normal films lie in {name!r}, where no other class is one of chests: if these "
        f"are none either, leave them out: {shlex.join(('--classes', f'{name}=ignore'))}."
        for name, films in foreign_branches(places, unknown).items()
    ]


def _at(place: Place, names: Collection[str]) -> int:
    return next((at for at, part in enumerate(place.parts) if part in names), -1)


def like_classes(names: Iterable[str]) -> bool:
    """Whether folders side by side are named for something like two classes."""
    folded = {fold(name) for name in names}
    numbers = {name for name in folded if name.isdecimal()}
    if numbers:  # folders of patients may be numbered too
        return {"0", "1"} <= folded and len(folded) < _MOST_NUMBERED and numbers == folded
    return sum(bool(vague(n) or misspelt(n) or kindred(n)) for n in set(names)) > 1


def like_class(name: str) -> bool:
    """Whether a name could be meant for normal or for pneumonia."""
    return bool(vague(name) or misspelt(name) or kindred(name) or short_normal(name))


def looks_parted(root: Path, request: DataRequest, *, likely: bool) -> str | None:
    """Why folders below ``root``, however deep, seem to say what films show, None where they do
    not; ``likely`` asks for one that is named for something like a class."""
    if not root.is_dir():
        return None
    files = find_films(root, request.links, request.meanings).listing.files
    counts = Counter(folder_of(file.path) for file in files)
    places = places_of(counts, request.meanings)
    if named := {p.parts[p.class_at] for p in places.values() if p.verdict in CLASSES}:
        return f"folders {told(sorted(named))}"
    names = parting_level({places[folder]: count for folder, count in counts.items()})
    if not names or (likely and not any(map(like_class, names))):
        return None
    return f"folders {told(sorted(names))} part its films"


def parting_level(places: Mapping[Place, int]) -> Sequence[str]:
    """The folders of the level that parts most films into few groups, by names that are none of
    sites, patients, studies, views or stores; empty where there is none.

    Levels are counted without splits. Of several the one whose names are likest to classes is
    taken, then the uppermost.
    """
    levels: dict[int, Counter[str]] = {}
    for place, films in places.items():
        named = [part for part in place.parts if not split_of(part)]
        for depth, part in enumerate(named):
            levels.setdefault(depth, Counter())[part] += films
    total = sum(places.values())
    found = [names for names in levels.values() if _parts_films(names, total)]
    return list(max(found, key=_likeness, default=()))


def _likeness(names: Counter[str]) -> int:
    return sum(films for name, films in names.items() if like_class(name))


def _parts_films(names: Counter[str], total: int) -> bool:
    films = names.total()
    if not 2 <= len(names) <= _MOST_GROUPS or films < _MOSTLY * total:
        return False
    said = [name for name in names if not _says_something_else(name)]
    return len(said) >= 2 and films >= _FILMS_EACH * len(names)


def _says_something_else(name: str) -> bool:
    """Whether a folder is named for a site, a patient, a study, a view, a day or a store."""
    if like_class(name):
        return False
    words = words_of(name)
    plain = {word.rstrip("0123456789") for word in words} - {""}
    if plain & _CLASSES:
        return False
    return any(map(str.isdecimal, name)) or bool(plain & _OF_OTHERS) or plain <= _STORES


def _likely_parents(places: Iterable[Place]) -> set[tuple[str, ...]]:
    children: dict[tuple[str, ...], set[str]] = {}
    for place in places:
        for index, part in enumerate(place.parts):
            children.setdefault(_blurred(place.parts[:index]), set()).add(part)
    return {parent for parent, names in children.items() if like_classes(names)}


def _blurred(parts: Sequence[str]) -> tuple[str, ...]:
    """``parts`` with all splits alike, and all numbered folders, as those of patients are."""
    return tuple(_A_SPLIT if split_of(part) else _unnumbered(part) for part in parts)


def _unnumbered(part: str) -> str:
    return _NUMBERED if any(map(str.isdecimal, part)) and not like_class(part) else part
