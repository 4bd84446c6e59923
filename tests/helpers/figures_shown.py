"""Figures as shown: every number of a page, a card or the terminal carries its key in the store,
and is rounded by one rule. What is exempt, and why, stands in ``EXEMPT``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from tests.helpers.keyed import numbers_of, unmarked
from tests.helpers.keyed_files import IN_WORDS, Heard

EXEMPT = {
    "dates and releases": (r"\d{4}[-‑]\d\d[-‑]\d\d", r"\b\d+\.\d+\.\d+(\+\w+)?\b"),
    "names of films, runs, folds and data": (
        r"\bfilm-\d+|\brow \d+|…[\w-]+",
        r"[\w/-]*(IM-\d+-\d+|person\d+_\w+_\d+)\.\w+",
        r"\b(seed|fold)-\d+",
        r"\b(Run|fold-\d+ of) \d+( of \d+)?\b.*",
        r"“\d”",
        r"\b[0-9a-f]{32}\b",
    ),
    "names and sources of known sets, which are words": (
        r"Kermany(:| et al\.)? 2018|Cell 172:1122|doi:[\w./]+|published in 2018|CC BY 4\.0",
    ),
    "what was once measured elsewhere, which is a sentence": (
        r"\b1,000 films\b|\b0\.41, worse\b|^0\.5\. No film\b",
    ),
    "headings are numbered": (r"^\d+ [A-Z][^|.]*$",),
    "levels, bounds and rules, which are fixed in the code": (
        r"\b95 ?%",
        r"[<>≥]=? ?0\.\d+|chance 0\.5|^0\.5\.$|Chance \| 0\.500\b",
        r"\b8 × 8\b|\bthumbnails of 8$|^× 8 cells",
        r"\d+ (resamples|bootstrap)",
        r"best is \d|a slope of 1|−1 to 1|given 0\.8|probability of 0\.2|threshold of 0\.5",
        r"0–255|at 200 dpi|less than 64 pixels|fewer than 25 films|\b0\.\d+% are named here.*",
        r"up to 1% are named here|above 0\.6, 0\.1 beyond|more than 90%",
        r"\((Adebayo|Selvaraju|Zeiler|\w+) (et al\. )?\d{4}\)|correlation below 0\.50",
        r"moves accuracy by \d+\.\d points",
        r"\bcost [\d.]+:1\b",
        r"counts as \d+ false alarms|0\.5 is (by chance|a guess)|: 0\.5 is by chance",
        r"\b(under )?\d+(–\d+)? (years|and over)\b",
    ),
    "scales of graphs": (
        r"scale (from|runs from|begins at) [\d.]+",
        r"(to|a guess, to) 1\.?$|to 1\. Over|to 1$",
        r"\| 0(chance|\.5)?1$|AUROC \| 0\.51 \||\b01$|−10\+1$|0chance1",
        r"grows from .* films on",
    ),
    "told while at work, before there is a file": (
        r"^(Found|Judge|Look|Read|Prepare|Compare|Heatmaps)\b.*",
        r"^ *(ensemble|passed over|test split|val split): .*",
        r"No member was .* these \d+ films",
        r"a table of \d+ rows|^input size \| \d+ px|^\d+ px$",
    ),
    "commands, recipes and code": (r"\bpneumoscope [a-z]+ .*", r"^name: .*", r".*\.read\(.*"),
    "how many there are of what stands there": (
        r"\d+ (runs|models|members|seeds|folds|groups|groups|bins|findings|pairs)\b",
        r"over \d+ (runs|models|seeds)|Trained \d+ times|as a table \(\d+\)|all \d+ runs",
        r"decisions differ in \d+ films|^\d+ films, \d+ in favour|over \d+ epochs|^\d+ of \d+$",
        r"^\d+ films? read: .*?(at|$)|the mean of the marks of \d+ training films",
        r"\| 0$|And \d+ more|\d+ most confident|of \d+ members|seeds? \d+(, \d+)*",
        r"\d+ severe findings, .*|of \d+ groups|in \d+ bins",
    ),
    "a cell that is cut where the line ends": (r"[\d.]*\d…",),
    "history.csv as a table": (r"^\d+( \| [\d.e-]+){5,}$",),
    "counted from a CSV or the prepared table, for a graph or a table beside it": (
        r"^\d+$",
        r"^\S[^|]*( \| [\d,]+( \d+\.\d%)?){2}$",
        r"^(normal|pneumonia), \d+$|^(Normal|Pneumonia) \d+ of \d+$",
        r"Native height against width.*|by class median and 5–95%",
        r"file size \(bytes\) [\d,]+",
    ),
}
"""Numbers that are no figures of the store, by the reason."""

THREE = (".value", ".low", ".high", ".threshold", ".temperature", ".probability", ".mean", ".sd")
"""Ends of keys of figures that are written with three places, or in per cent."""

_EXEMPT = [re.compile(each) for patterns in EXEMPT.values() for each in patterns]


def faults(heard: Heard) -> Iterator[str]:
    """What is wrong with the numbers of these texts, a line each."""
    said: dict[tuple[str, bool], dict[str, str]] = defaultdict(dict)
    for place, text in heard.items():
        for line in text.splitlines():
            yield from _without_key(place, line)
            for number in numbers_of(line):
                if number.figure and not number.figure.key.endswith(IN_WORDS):
                    form = number.figure.key, number.text.endswith("%")
                    said[form].setdefault(number.text.lstrip("+−"), place)
    for (key, percent), texts in said.items():
        for text, place in texts.items():
            if key.endswith(THREE) and not percent and not re.search(r"\.\d{3}$", text):
                yield f"{place}: {text} has not three places: {key}"
        if len(texts) > 1:
            forms = ", ".join(f"{text} ({place})" for text, place in texts.items())
            yield f"{key} is rounded in two ways: {forms}"


def _without_key(place: str, line: str) -> Iterator[str]:
    bare = unmarked(line.replace("\u2060", "")).strip()
    shift = len(unmarked(line)) - len(unmarked(line).lstrip())
    exempt = [found.span() for pattern in _EXEMPT for found in pattern.finditer(bare)]
    for number in numbers_of(line):
        if number.figure is None:
            at, end = number.start - shift, number.end - shift
            if not any(start <= at and end <= stop for start, stop in exempt):
                around = bare[max(0, at - 60) : end + 30]
                yield f"{place}: {number.text} carries no key: …{around}…"
