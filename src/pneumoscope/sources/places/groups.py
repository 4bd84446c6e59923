"""Groups of films that a table names instead of the films: the folders that they lie in (accession,
study, patient), or the ids in their DICOM headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pneumoscope.errors import UnreadableImage
from pneumoscope.imaging.dicom.header import Tag, read_header
from pneumoscope.sources.places.match import NOWHERE, SHARED, Hit, Met, Names

_IDS = (Tag.SOP_INSTANCE, Tag.ACCESSION, Tag.STUDY, Tag.PATIENT_ID)
"""The ids of a header, that of the fewest films first."""
_FEWEST, _MOSTLY, _SAMPLE, _ONE_EACH = 5, 0.5, 256, 1.1


class Groups(Names):
    """Films below one folder, of which each is in the groups ``of`` it, the narrowest first.
    ``told`` says what the groups are."""

    def __init__(self, paths: Sequence[str], of: Sequence[Sequence[str]], told: str) -> None:
        self.paths, self.of, self.told = paths, of, told
        self._first = {group: film for film in reversed(range(len(of))) for group in of[film]}
        self._groups = Names(list(self._first))

    def find(self, key: str) -> Hit | None:
        """The first film of the group that ``key`` names; several where it names several."""
        hit = self._groups.find(key)
        if hit is None:
            return None
        films = [self._first[self._groups.paths[group]] for group in hit.films]
        return Hit(films, hit.rule, hit.length, hit.whole)

    def trimmed(self, keys: Sequence[str]) -> tuple[Names, Sequence[str], str]:
        """Ids of groups are met as they are."""
        return self, keys, ""

    def column(self, columns: Mapping[str, Sequence[str]]) -> str:
        """Which of ``columns``, given their distinct cells, names the groups of most films, by
        one id each, and of those the narrowest; empty where none names them of most."""
        best, name_of_best = (_MOSTLY, 0), ""
        for name, keys in columns.items():
            met = self._by_group(keys)
            ids = len({place for places in met.values() for place in places})
            if len(met) < _FEWEST or ids > _ONE_EACH * len(met):
                continue
            some = self.of[:: max(1, len(self.of) // _SAMPLE)]
            share = sum(any(group in met for group in groups) for groups in some) / len(some)
            if (share, len(met)) > best:
                best, name_of_best = (share, len(met)), name
        return name_of_best

    def meet_all(self, keys: Sequence[str]) -> Met:
        """The key of each film: that of its narrowest group which one names. A key that names
        several groups says nothing of any, nor do two keys of one group."""
        met = self._by_group(keys)
        places = np.full(len(self.paths), NOWHERE, dtype=np.int64)
        for film, groups in enumerate(self.of):
            found = next((met[group] for group in groups if group in met), None)
            if found:
                places[film] = found[0] if len(found) == 1 else SHARED
        count = int((places >= 0).sum())
        return Met(places, (f"Films are met by {self.told}: {count:,} of {len(places):,}.",))

    def _by_group(self, keys: Sequence[str]) -> dict[str, list[int]]:
        """The places of the keys that name each group; a key of several groups stands there twice,
        so that it is none's."""
        met: dict[str, list[int]] = {}
        for place, key in enumerate(keys):
            hit = self._groups.find(key)
            for group in hit.films if hit else ():
                times = 1 if hit and len(hit.films) == 1 else 2
                met.setdefault(self._groups.paths[group], []).extend([place] * times)
        return met


def by_folder(paths: Sequence[str]) -> Groups:
    """Films by the folders that they lie in, the nearest first."""
    return Groups(paths, [_folders(path) for path in paths], "the folders that they lie in")


def by_header(root: Path, paths: Sequence[str]) -> Groups:
    """Films by the ids in their DICOM headers; a film without one is in no group."""
    ids = [_ids(root / path) for path in paths]
    return Groups(paths, ids, "the ids in their DICOM headers")


def _folders(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]


def _ids(file: Path) -> list[str]:
    try:
        with file.open("rb") as stream:
            header = read_header(stream)
    except (OSError, UnreadableImage):
        return []
    return list(dict.fromkeys(filter(None, (header.text(tag).strip(" \0") for tag in _IDS))))
