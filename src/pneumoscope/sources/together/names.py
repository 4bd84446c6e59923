"""Patients in file names: known forms of public sets, read film by film, with prefix and suffix.

What the names do not say stays unknown. Beside the patient a name may say from which film a
picture was made: augmented copies, exports of an annotation service, numbered pictures of one id.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pneumoscope.sources.together.folders import folder_patients

_START, _END = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"
_GERM = re.compile(_START + r"(?P<patient>person[0-9]+)_(?P<cause>bacteria|virus)_[0-9]+", re.I)
_WELL = re.compile(_START + r"(?P<patient>(?:NORMAL2-)?IM-[0-9]+)(?:-[0-9]+)+" + _END, re.I)
# Mendeley Data, doi:10.17632/rscbjbr9sj: (disease)-(random patient id)-(image of this patient).
_MENDELEY = re.compile(
    _START + r"(?P<cause>BACTERIA|VIRUS|NORMAL)-(?P<patient>[0-9]+)-[0-9]+" + _END, re.I
)
_SUBTYPE = {"bacteria": "bacterial", "virus": "viral", "normal": "none"}

# NIH ChestX-ray14 has patients 1 to 30,805: film 5 of patient 13 is 00000013_005.png.
_NIH = re.compile(r"(?<![0-9])(000[0-3][0-9]{4})_[0-9]{3}(?![0-9])")
_OTHERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("NIH ChestX-ray14", _NIH),
    ("MIMIC-CXR", re.compile(r"(?:^|[/_])p([0-9]{8})(?=[/_])")),
    ("Open-i", re.compile(_START + r"(?:CXR)?([0-9]+)(?:_[0-9]+)?_IM-[0-9]+(?:-[0-9]+)+")),
    ("BIDS", re.compile(r"(?:^|[/_])sub-([A-Za-z0-9]+)(?=[/_.])")),
    (
        "a word for patients and a number",
        re.compile(
            _START + r"(?:patients?|pat|subject|subj|participant|person|pid|pt)[-_ ]?"
            r"([A-Za-z]?[0-9]+)" + _END,
            re.I,
        ),
    ),
)
# Roboflow, through which the Hugging Face copy went, puts a hash behind each name.
_EXPORTED = re.compile(r"_(?:jpe?g|png)\.rf\.[0-9a-f]{4,64}$", re.I)
_COPY = re.compile(r"(?: - |[ _-])copy$", re.I)
_CHANGES = (
    r"aug(?:mented|mentation)?(?:[_\- ]?(?:image|img))?|random|mirror(?:ed)?|rot(?:ate[d]?|ation)?|"
    r"(?:(?:horizontal|vertical|hor|ver|h|v|lr|ud)[_\- ]?)?flip(?:ped)?|translat(?:e[d]?|ion)|"
    r"scal(?:e[d]?|ing)|affine|elastic|warp(?:ed)?|gauss(?:ian)?|noise|noisy|blur(?:red)?|"
    r"bright(?:ness|ened)?|dark(?:ened)?|contrast|gamma|zoom(?:ed)?|shift(?:ed)?|shear(?:ed)?|"
    r"crop(?:ped)?|sharp(?:en(?:ed)?)?|jitter|cutout|synthetic"
)
_PARTS = r"patch|tile|left|right|original|final|new|v(?=[0-9])"
# Several in one, as in RandomBrightnessContrast; and Keras' names without a prefix, _12_4532.
_CHANGED = re.compile(
    rf"(?:^|[_\- .])(?:{_CHANGES}|{_PARTS})+-?[0-9]*(?=$|[_\- .])|^_(?=[0-9]+_[0-9]+$)", re.I
)
_COPIES = re.compile(rf"(?:^|[_\- .])(?:{_CHANGES})[0-9]*(?=$|[_\- .])", re.I)
_NUMBERED = re.compile(
    r"^(.*[0-9].*?)[-_ .](?:[0-9]{1,3}|[a-h]|pa|ap|lat|lateral|frontal|view|img|"
    r"(?:frame|fr|slice|view|image|img|film|shot|exposure)[-_ .]?[0-9]{1,5})$",
    re.I,
)
_FIRST_NUMBER = re.compile(r"^[0-9]{1,3}[_\- .](?=.*[a-z])")
_NO_LETTER = re.compile(r"[\d_\- .]*$")
_LAST_NUMBER = re.compile(r"[_\- .][0-9a-f]{1,32}$", re.I)
_ENOUGH = 0.9
_SHARED, _LARGEST, _FEWEST = 0.1, 0.05, 20
_FEW_SETS = 4
_CLASSES = 4

KERMANYS_FILMS = 5856
"""Films of the whole Kermany set, on Kaggle as on Mendeley Data."""

KAGGLE_NOTE = (
    "These are the film names of the Kermany set as Kaggle has it: patients, and bacterial or "
    "viral, are read from them. Whether a personN of train and one of test are the same child is "
    "documented nowhere, so that the test films show other children is not provable."
)
MENDELEY_NOTE = (
    "These are the film names of the Kermany set as Mendeley Data has it: the patient's number, "
    "and bacterial or viral, are read from them."
)


@dataclass(frozen=True, slots=True)
class NamedFilm:
    """What a file name of the Kermany set says. ``subtype`` is bacterial, viral or none."""

    patient_id: str
    subtype: str

    @property
    def label(self) -> int:
        return int(self.subtype != "none")


@dataclass(frozen=True, slots=True)
class Names:
    """What the names of films say: ``patient`` and ``subtype`` of each, None where a name does
    not say it. ``forms`` counts the films by the form of their names; ``kermany`` is the note of
    that set, empty for others; ``untold`` are copies of films that nothing names.
    """

    patient: tuple[str | None, ...]
    subtype: tuple[str | None, ...]
    forms: Mapping[str, int]
    kermany: str = ""
    untold: tuple[int, ...] = ()

    @property
    def read(self) -> int:
        """How many names say their patient."""
        return sum(patient is not None for patient in self.patient)


def read_names(paths: Sequence[str], labels: Sequence[int | None]) -> Names:
    """Patients and subtypes out of ``paths`` (with ``/``), beside the films' labels."""
    ours = [parse_name(path) for path in paths]
    kermany = recognise(zip(ours, labels, strict=True))
    # Viewers export any film as IM-0001-0001: a name with a germ must be there.
    if not any(film is not None and film.label for film in ours):
        ours = [None] * len(paths)
    forms: Counter[str] = Counter({"Kermany": sum(film is not None for film in ours)})
    patient: list[str | None] = []
    for path, film, folder in zip(paths, ours, folder_patients(paths), strict=True):
        if film is not None:
            patient.append(film.patient_id)
            continue
        form, found = _other(path)
        if found is None:
            form, found = "a folder for each patient", folder
        forms[form] += found is not None
        patient.append(found)
    return Names(
        tuple(patient),
        tuple(None if film is None else film.subtype for film in ours),
        +forms,
        kermany or "",
    )


def parse_name(path: str) -> NamedFilm | None:
    """What the file name at the end of ``path`` says as one of the Kermany set, else None."""
    stem = _stem(path.rpartition("/")[2])
    if found := _GERM.search(stem):
        return NamedFilm(found["patient"].lower(), _SUBTYPE[found["cause"].lower()])
    if found := _MENDELEY.search(stem):
        return NamedFilm(found["patient"], _SUBTYPE[found["cause"].lower()])
    if found := _WELL.search(stem):
        return NamedFilm(found["patient"].upper(), "none")
    return None


def recognise(films: Iterable[tuple[NamedFilm | None, int | None]]) -> str | None:
    """The note to give when names and labels are those of the Kermany set, else None.

    Nine in ten names must be of its form and agree with the label, and one must name a germ.
    """
    count = agreeing = germs = mendeley = 0
    for film, label in films:
        count += 1
        if film is not None and film.label == label:
            agreeing += 1
            germs += film.label
            mendeley += film.patient_id.isdecimal()
    if not germs or agreeing < _ENOUGH * count:
        return None
    return MENDELEY_NOTE if 2 * mendeley > agreeing else KAGGLE_NOTE


def _other(path: str) -> tuple[str, str | None]:
    for form, pattern in _OTHERS:
        if found := pattern.search(path):
            return form, found[1].lower()
    return "", None


def _stem(name: str) -> str:
    stem = re.sub(r"\.[A-Za-z]{2,5}$", "", name)
    return _EXPORTED.sub("", stem)


@dataclass(frozen=True, slots=True)
class Origins:
    """Films that others were made from: ``names`` has that of each film, None where it shares it
    with no other; ``untold`` are the places of copies whose names say only a number of it."""

    names: tuple[str | None, ...]
    untold: tuple[int, ...] = ()


def read_origins(paths: Sequence[str], labels: Sequence[int | None]) -> Origins:
    """The films that each of ``paths`` seems to be made from."""
    places = [path.rpartition("/")[::2] for path in paths]
    stems = [_stem(name).casefold() for _, name in places]
    # Copies lie in a folder of their own, too, under the names of their films.
    made = {folder: any(map(_COPIES.search, folder.split("/"))) for folder, _ in places}
    plain = {
        (folder, stem)
        for (folder, _), stem in zip(places, stems, strict=True)
        if not made[folder] and not _CHANGED.search(stem)
    }
    homes: dict[tuple[int | None, str], set[str]] = {}
    for (folder, _), stem, label in zip(places, stems, labels, strict=True):
        if (folder, stem) in plain:
            homes.setdefault((label, stem), set()).add(folder)
    most = max(_FEWEST, _LARGEST * len(paths))
    keys = []
    loose = {}
    for place, ((folder, _), stem, label) in enumerate(zip(places, stems, labels, strict=True)):
        known = next((s for s in _shorter(stem) if (folder, s) in plain), None)
        home = folder
        if known is None and (made[folder] or _CHANGED.search(stem)):
            # Its film may lie in another folder, where only one film has that name.
            known = next((s for s in _shorter(stem) if len(homes.get((label, s), ())) == 1), None)
            home = next(iter(homes[label, known])) if known is not None else folder
            if known is None:
                loose[place] = [(folder, name) for name in dict.fromkeys(_shorter(stem))]
        keys.append((home, known or next(_shorter(stem))))
    # Copies without their film: the longest name that few of them share.
    shared = Counter(name for names in loose.values() for name in names)
    few = min(most, len(paths) / _FEW_SETS)
    for place, names in loose.items():
        keys[place] = next((name for name in names if 1 < shared[name] <= few), names[0])
    says_nothing = (place for place, names in loose.items() if _NO_LETTER.match(names[0][1]))
    untold = tuple(says_nothing) if plain else ()
    for folder in {places[place][0] for place in untold}:
        mine = [place for place in untold if places[place][0] == folder]
        if len({keys[place] for place in mine}) == 1:  # aug_0_7312: a counter that never counted
            for place in mine:
                keys[place] = places[place]
    numbered = _numbered([stem for _, stem in keys])
    keys = [("", numbered[stem]) if stem in numbered else (home, stem) for home, stem in keys]
    counts = Counter(keys)
    return Origins(
        tuple("/".join(key) if 1 < counts[key] <= most else None for key in keys), untold
    )


def _shorter(stem: str) -> Iterator[str]:
    """Names that ``stem`` may be made from, the likeliest first; itself where it says nothing."""
    bare = _COPY.sub("", stem)
    if (number := re.sub(r" ?\([0-9]+\)$", "", bare)) != bare:
        # Bulk renaming makes "normal (1)", "normal (2)": of one film only where that is there.
        yield from (number, bare)
        return
    if not _CHANGED.search(bare):
        yield bare
        return
    bare = _CHANGED.sub("", bare).strip("_- .")
    yield bare
    if (behind := _FIRST_NUMBER.sub("", bare)) != bare:  # rotate_15_IM-0115-0001
        yield behind
    for _ in range(3):  # aug_IM-0115-0001_0_7312: numbers behind the film's own name
        bare = _LAST_NUMBER.sub("", bare)
        yield bare


def _numbered(keys: Sequence[str]) -> dict[str, str]:
    """Ids of names such as ``case0012_2``, where many films share one; empty where few do."""
    bases = {key: found[1] for key in set(keys) if (found := _NUMBERED.match(key))}
    counts = Counter(bases.values())
    groups = [n for n in counts.values() if n > 1]
    largest = max(groups, default=0)
    # A few large ones are classes, "0-17.png", rather than ids.
    several = len(groups) > _CLASSES or len(groups) > 2 and len(groups) >= largest
    if not several or sum(groups) < _SHARED * len(keys):
        return {}
    if largest > max(_FEWEST, _LARGEST * len(keys)):
        return {}
    return {key: base for key, base in bases.items() if counts[base] > 1}
