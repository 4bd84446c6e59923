"""Several sets at once: each is opened as it would be alone, and films keep the site they are from.

A site is a set by the name that the user gave it, or that of its folder.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pneumoscope.errors import InputError
from pneumoscope.formatting import plural
from pneumoscope.listener import Listener
from pneumoscope.records import DataRequest, Source
from pneumoscope.sources.asked import joined
from pneumoscope.sources.detect import open_source


def open_data(request: DataRequest, downloads: Path, listener: Listener) -> Source:
    """The source that ``request`` names, of one set or of several. Raises as ``open_source``; what
    has to be asked of several sets is asked in one error."""
    if not request.sites:
        return open_source(request, downloads, listener)
    sources, asked = {}, []
    for site, each in request.sites.items():
        try:
            sources[site] = open_source(each, downloads, listener)
        except InputError as error:
            error.what = f"{site}: {error.what}"
            if not error.answer:
                raise
            error.answer = tuple(_words_of(site, error.answer))
            asked.append(error)
    if asked:
        raise joined(asked, None)
    _check_apart(sources)
    return _together(sources)


def qualified(site: str, name: str) -> str:
    """The id of a film or a patient among several sets: number 1 of two hospitals is not one
    child."""
    return f"{site}/{name}"


def _words_of(site: str, answer: Iterable[str]) -> Iterable[str]:
    """The words of a command line that answer for one set of several: ``--labels FILE`` is
    ``SITE:labels=FILE``."""
    words = iter(answer)
    for word in words:
        option, equals, value = word.partition("=")
        yield f"{site}:{option.removeprefix('--')}={value if equals else next(words)}"


def _check_apart(sources: Mapping[str, Source]) -> None:
    names: dict[str, str] = {}
    for site, source in sources.items():
        if other := names.setdefault(source.fingerprint, site):
            if other == site:
                continue
            raise InputError(
                "one set is named twice",
                got=f"{other} and {site} are the same films",
                expected="sets of different films",
                remedy="leave one of them out",
            )


def _together(sources: Mapping[str, Source]) -> Source:
    """What several sources are as one. It has no records: each is prepared by itself."""
    told = "".join(f"{site}\n{source.fingerprint}\n" for site, source in sources.items())
    each = sources.items()
    return Source(
        name="+".join(sources),
        form="sites",
        why=f"{plural(len(sources), 'set')} at once: {', '.join(sources)}",
        fingerprint=hashlib.sha256(told.encode()).hexdigest(),
        count=sum(source.count for source in sources.values()),
        native_size=max(source.native_size for source in sources.values()),
        records=(),
        notes=tuple(f"{site}: {note}" for site, source in each for note in source.notes),
        passed_over=sum((Counter(source.passed_over) for _, source in each), Counter()),
        words=tuple(
            replace(word, word=qualified(site, word.word))
            for site, source in each
            for word in source.words
        ),
        patients=_said({site: source.patients for site, source in each}),
        lost=_lost(sources.values()),
        readers=_said({site: source.readers for site, source in each}),
        sites=sources,
    )


def _said(by_site: Mapping[str, str]) -> str:
    """What is said of each set, once where it is one thing for all."""
    if len(set(by_site.values())) == 1:
        return next(iter(by_site.values()))
    return "; ".join(f"{site}: {text}" for site, text in by_site.items() if text)


def _lost(sources: Iterable[Source]) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for source in sources:
        for reason, counts in source.lost.items():
            found.setdefault(reason, Counter()).update(counts)
    return {reason: dict(counts) for reason, counts in found.items()}
