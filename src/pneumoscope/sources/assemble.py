"""From films as listed to a source: patients by names, what a class lost, and what is said."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pneumoscope.errors import UnreadableData
from pneumoscope.records import CLASSES, DataRequest, Source, Word
from pneumoscope.sources.film.views import LATERAL, is_lateral
from pneumoscope.sources.listed import About, Column, Films, Records
from pneumoscope.sources.meaning.filenames import against
from pneumoscope.sources.places.files import LINKS, Listing
from pneumoscope.sources.together.ids import OF_STUDIES
from pneumoscope.sources.together.names import KERMANYS_FILMS, Names, read_names, read_origins

MOST_LOST = 0.05
"""Part of the films that may be links which are not followed."""

_LINKS = "links that lead out of the folder"


@dataclass(frozen=True, slots=True)
class Listed:
    """What a form found: its ``films``, what is known ``about`` them, and what is to be said.

    ``patients`` says how patients are known, where a form knows them, ``studies`` that these are of
    studies, of which a patient may have several, ``readers`` whose word
    counted where several read a film. ``links`` are symbolic links that were not followed, by
    class. ``kept`` are the places of what is a film at all, None for all of them.
    """

    form: str
    name: str
    why: str
    films: Films
    about: About
    fingerprint: str
    native_size: int
    words: tuple[Word, ...] = ()
    notes: tuple[str, ...] = ()
    passed: Mapping[str, int] = field(default_factory=dict)
    patients: str = ""
    studies: bool = False
    readers: str = ""
    lost: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    drawn_on: int = 0
    kept: Sequence[int] | None = None
    unlabelled: bool = False


def assemble(listed: Listed) -> Source:
    """The source of these films: patients and origins are read from names where nothing else
    says them."""
    about, names = with_names(listed.films, listed.about, studies=listed.studies)
    records = Records(listed.films, about, listed.drawn_on, _hidden(listed))
    notes = [note for note in listed.notes if not (names.forms and note.startswith(OF_STUDIES))]
    if names.kermany:
        notes.insert(0, names.kermany)
    elif names.forms:
        notes.append(_patients_note(names))
    if names.untold:
        notes.append(_untold_note([listed.films.paths[place] for place in names.untold]))
    # A part of the set goes by the name of its own folder.
    whole = names.kermany and len(records) == KERMANYS_FILMS
    if count := against(listed.films.paths, about.label.tolist()):
        notes.append(
            f"{count:,} films have names that say another class than their label: look at them."
        )
    return Source(
        name="kermany" if whole and listed.form == "folder" else listed.name,
        form=listed.form,
        why="; ".join(filter(None, (listed.why, about.splits))),
        fingerprint=listed.fingerprint,
        count=len(records),
        native_size=listed.native_size,
        records=records,
        notes=(*notes, *_class_notes(records, unlabelled=listed.unlabelled)),
        passed_over=dict(records.passed_over() + Counter(listed.passed) - _told_as_lost(listed)),
        words=listed.words,
        patients="film names" if names.forms else listed.patients,
        lost=listed.lost,
        readers=listed.readers,
    )


def _untold_note(paths: Sequence[str]) -> str:
    homes = list(dict.fromkeys(path.rpartition("/")[0].rpartition("/")[2] for path in paths))
    way = f": --classes {homes[0]}=ignore" if len(homes) == 1 and homes[0] else ""
    return (
        f"{len(paths):,} films are copies that were made of others, by their names, which do not "
        "say of which: a copy of a test film may be among the training films. Leave the copies "
        f"out{way}."
    )


def _told_as_lost(listed: Listed) -> Counter[str]:
    """Links out of the folder, which the listing passed over too: each is counted once."""
    return Counter({LINKS: sum(listed.lost.get(_LINKS, {}).values())})


def _hidden(listed: Listed) -> NDArray[np.bool_]:
    hidden = np.zeros(len(listed.about), dtype=bool)
    if listed.kept is not None:
        hidden[:] = True
        hidden[list(listed.kept)] = False
    return hidden


def with_names(films: Films, about: About, *, studies: bool = False) -> tuple[About, Names]:
    """``about`` with the patients, origins and subtypes that names say, where they are unknown or
    where the column of patients is one of ``studies`` of theirs.

    A DICOM file names its patient itself, more surely than its name does.
    """
    labels = [label if label in (0, 1) else None for label in about.label.tolist()]
    names = read_names(films.paths, labels)
    if studies and _holds(names.patient, about.patient):
        patient = Column.of(names.patient)
    elif about.patient.known:
        patient = about.patient
        names = replace(names, forms={})
    else:
        kept = zip(names.patient, films.has_header, strict=True)
        patient = Column.of([None if hidden else found for found, hidden in kept])
    names = replace(names, patient=tuple(patient.at(i) for i in range(len(about))))
    origin = None
    if None in names.patient:  # films of a known patient stay together anyway
        origins = read_origins(films.paths, labels)
        pairs = zip(origins.names, names.patient, strict=True)
        loose = [one if patient is None else None for one, patient in pairs]
        names = replace(names, untold=origins.untold)
        origin = Column.of(loose) if any(loose) else None
    facts = dict(about.facts)
    if any(lateral := [is_lateral(path) for path in films.paths]):
        facts["view"] = _views(lateral, about, films.has_header)
    if names.kermany:
        facts["subtype"] = _subtypes(names, about)
    return replace(about, patient=patient, origin=origin, facts=facts), names


def _holds(patients: Sequence[str | None], studies: Column) -> bool:
    """Whether names tell the patient of every film that has a study, and each study is of one."""
    pairs = {(studies.at(i), one) for i, one in enumerate(patients) if studies.codes[i] >= 0}
    known = all(patient is not None for _, patient in pairs)
    return bool(pairs) and known and len({study for study, _ in pairs}) == len(pairs)


def _views(lateral: Sequence[bool], about: About, has_header: Sequence[bool]) -> Column:
    """Views by name where nothing else says them; a DICOM file says its own in its header."""
    before = about.facts.get("view") or Column.empty(len(about))
    known = [before.at(place) for place in range(len(about))]
    by_name = [LATERAL if found and not own else None
               for found, own in zip(lateral, has_header, strict=True)]  # fmt: skip
    return Column.of([one or other for one, other in zip(known, by_name, strict=True)])


def _subtypes(names: Names, about: About) -> Column:
    """Bacterial or viral by name where that agrees with the label, else as it was known."""
    before = about.facts.get("subtype")
    found = []
    for place, (subtype, label) in enumerate(zip(names.subtype, about.label.tolist(), strict=True)):
        agrees = subtype is not None and (subtype != "none") == (label == 1)
        known = before.at(place) if before else None
        found.append("none" if label == 0 else subtype if agrees else known)
    return Column.of(found)


def _patients_note(names: Names) -> str:
    count = len(names.patient)
    forms = ", ".join(f"{form} ({n:,})" for form, n in names.forms.items())
    return f"Patients are read from the names of {names.read:,} of {count:,} films: {forms}."


def _class_notes(records: Records, *, unlabelled: bool) -> Iterable[str]:
    about = records.about
    fine = about.usable
    labels = set(about.label[fine].tolist()) & {0, 1}
    if len(labels) == 1 and not unlabelled:
        yield f"All films are {CLASSES[labels.pop()]}: a model learns from both."


def check_links(
    listing: Listing, found: int, classes: Mapping[str, int]
) -> dict[str, dict[str, int]]:
    """The links of ``listing`` that were not followed, as what is lost by class, beside ``found``
    films. Raises UnreadableData with the command that follows them where they are many."""
    if not listing.links:
        return {}
    lost = len(listing.links)
    if lost > MOST_LOST * (lost + found):
        home = _common([target for _, target in listing.links])
        by_class = ", ".join(f"{n:,} {name}" for name, n in classes.items())
        raise UnreadableData(
            "films are symbolic links that lead out of the folder",
            got=f"{lost:,} links beside {found:,} films in {listing.root} ({by_class})",
            expected="films, or links that stay in the folder",
            remedy=f"name the folder that they may lead into: --links {home}",
            answer=("--links", str(home)),
        )
    return {_LINKS: dict(classes)}


def _common(targets: Iterable[Path]) -> Path:
    """The folder that holds all targets."""
    parents = [target if target.is_dir() else target.parent for target in targets]
    common = parents[0]
    for parent in parents[1:]:
        while not parent.is_relative_to(common):
            common = common.parent
    return common


def told(request: DataRequest) -> str:
    """What the user said of classes, columns, readers and links; the same as ever for the first
    two alone."""
    said: dict[str, object] = {
        "classes": dict(request.classes),
        "columns": dict(request.columns),
    }
    if request.readers != "majority":
        said["readers"] = request.readers
    if request.links:
        said["links"] = [str(link) for link in request.links]
    return json.dumps(said, sort_keys=True)
