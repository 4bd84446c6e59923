"""From a class word of the data to normal or pneumonia; what is not certain is never guessed."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Literal, cast

from pneumoscope.errors import BadLabels, InputError, nearest, printable

Verdict = Literal["normal", "pneumonia", "ignore"]
"""What a class word means. ``ignore``, which only the user can say, leaves its films out."""

VERDICTS: tuple[Verdict, ...] = ("normal", "pneumonia", "ignore")
LABEL_OF: Mapping[Verdict, int | None] = {"normal": 0, "pneumonia": 1, "ignore": None}

_NO_CLASSES: Mapping[str, str] = {}
_FEW = 8
_INTEGER = re.compile(r"([-+]?)0*([0-9]+)(?:\.0*)?")
_NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]+(?:e[-+]?[0-9]+)?")
# Letters that carry a mark which Unicode does not take apart.
_UNMARKED = str.maketrans("ıłø", "ilo")

_NORMAL = """
normal; normals; norm; normality; healthy; health; no finding; no findings; no pneumonia;
non pneumonia; not pneumonia; pneumonia negative; negative; neg; control; controls; clear;
clear lung; clear lungs; normal lung; normal lungs; healthy lung; healthy lungs; unremarkable;
gesund; kein befund; ohne befund; keine pneumonie; unauffällig; sain; normale; normales; normaux;
sano; sanos; sana; sin neumonía; sem pneumonia; saudável; normaal; gezond; normalny; zdrowy; zdrowe;
sağlıklı; норма; нормальный; здоровый; здоровые; 正常; 健康; 정상; bình thường
"""
_BACTERIAL = """
bacterial; bacteria; bacterial pneumonia; pneumonia bacterial; bacteria pneumonia;
pneumonia bacteria; bakteriell; bakterielle pneumonie; pneumonie bactérienne; neumonía bacteriana;
pneumonia bacteriana; polmonite batterica; 细菌性肺炎
"""
_VIRAL = """
viral; virus; viral pneumonia; pneumonia viral; virus pneumonia; pneumonia virus; virale pneumonie;
pneumonie virale; neumonía viral; polmonite virale; 病毒性肺炎
"""
_PNEUMONIA = """
pneumonia; pneumonias; pneumonic; pneu; pneumonia positive; positive; pos;
lung opacity; lung opacities; pneumonie; pneumonien; lungenentzündung; lungenentzuendung; neumonía;
polmonite; longontsteking; zapalenie płuc; pnömoni; zatürre; пневмония; 肺炎; 폐렴; viêm phổi
"""
_NUMBERS: Mapping[str, Verdict] = {
    "0": "normal",
    "false": "normal",
    "no": "normal",
    "1": "pneumonia",
    "true": "pneumonia",
    "yes": "pneumonia",
}
# "Normal images" and "pneumonia cases" say no more than their first word.
_TAIL = re.compile("(?:images?|imgs?|cases?|patients?|films?|xrays?|cxrs?|radiographs?)$")


def fold(word: str) -> str:
    """``word`` without case, accents, spaces, punctuation and a leading number.

    ``"0_Normal"`` and ``"NORMAL"`` fold alike. A word that is a number keeps its sign and value:
    ``"1"``, ``"01"`` and ``"1.0"`` fold alike, ``"-1"`` does not; what has no letters, such as
    ``"+"`` or ``"0|1"``, stays as it is. Folding twice changes nothing.
    """
    flat = unicodedata.normalize("NFKD", word).strip().casefold()
    if whole := _INTEGER.fullmatch(flat):
        sign = "-" if whole[1] == "-" and whole[2] != "0" else ""
        return sign + whole[2]
    if _NUMBER.fullmatch(flat):
        return flat
    flat = unicodedata.normalize("NFKD", flat).translate(_UNMARKED)
    letters = "".join(c for c in flat if c.isalnum())
    return letters.lstrip("0123456789") or flat


def class_of(
    word: str, classes: Mapping[str, str] = _NO_CLASSES, *, numbers: bool = False
) -> Verdict | None:
    """What ``word`` means; None when it is no class word or one that cannot be known.

    ``classes`` is what the user said (keys as ``fold`` gives them, see ``parse_classes``) and
    wins. ``numbers`` takes 0/1, true/false and yes/no too: right for the values of a table's label
    column, wrong for folders. Covid, tuberculosis, "other" and their like are never guessed.
    """
    folded = fold(word)
    if folded in classes:
        return cast(Verdict, classes[folded])
    if numbers and folded in _NUMBERS:
        return _NUMBERS[folded]
    return _KNOWN.get(folded) or _KNOWN.get(_TAIL.sub("", folded))


def subtype_of(word: str) -> str | None:
    """``"bacterial"`` or ``"viral"`` where the class word says so, else None."""
    folded = fold(word)
    return _SUBTYPES.get(folded) or _SUBTYPES.get(_TAIL.sub("", folded))


def classes_of(
    words: Iterable[str],
    classes: Mapping[str, str] = _NO_CLASSES,
    *,
    numbers: bool = False,
    where: str = "",
) -> dict[str, Verdict]:
    """What each of the distinct ``words`` means; ``where`` they stand is named in the message.

    Raises BadLabels that names every word that cannot be known.
    """
    found = {word: class_of(word, classes, numbers=numbers) for word in words}
    if unknown := [word for word, verdict in found.items() if verdict is None]:
        raise unknown_classes(unknown, where)
    return {word: verdict for word, verdict in found.items() if verdict is not None}


def unknown_classes(words: Iterable[str], where: str = "") -> BadLabels:
    """The error to raise for class words that ``class_of`` does not know."""
    names = sorted(set(words))
    named = ", ".join(repr(name) for name in names[:_FEW])
    if len(names) > _FEW:
        named += f" and {len(names) - _FEW} more"
    one = len(names) == 1
    ways = " ".join("--classes " + shlex.quote(f"{printable(name)}=ignore") for name in names[:3])
    return BadLabels(
        f"{'a class name is' if one else 'class names are'} neither normal nor pneumonia",
        got=named + (f" in {where}" if where else ""),
        expected="normal and pneumonia, in one of their common spellings",
        remedy=f"say what {'it means' if one else 'each of them means'}, normal, pneumonia or "
        f"ignore, for example: {ways}",
    )


def parse_classes(said: Iterable[str]) -> dict[str, str]:
    """From ``["COVID=pneumonia", "Other=ignore"]`` to ``{"covid": "pneumonia", …}``, keys folded.

    Raises InputError for another form, an unknown meaning, and a word that is said twice.
    """
    classes: dict[str, str] = {}
    for text in said:
        word, equals, meaning = (part.strip() for part in text.partition("="))
        key, verdict = fold(word), meaning.casefold()
        if not equals or not key or "=" in meaning:
            raise InputError(
                "--classes cannot be read",
                got=repr(text),
                expected="WORD=normal, WORD=pneumonia or WORD=ignore, once for each word",
            )
        if verdict not in VERDICTS:
            raise InputError(
                f"--classes gives {word!r} an unknown meaning",
                got=repr(meaning),
                expected=nearest(verdict, VERDICTS),
            )
        if key in classes:
            again = "twice" if classes[key] == verdict else f"as {classes[key]} and as {verdict}"
            raise InputError(
                f"--classes names {word!r} {again}",
                got=repr(text),
                expected="each word once; case, accents and leading numbers do not count",
            )
        classes[key] = verdict
    return classes


def _words(text: str) -> tuple[str, ...]:
    return tuple(fold(word) for word in text.split(";"))


_SUBTYPES: Mapping[str, str] = {
    **dict.fromkeys(_words(_BACTERIAL), "bacterial"),
    **dict.fromkeys(_words(_VIRAL), "viral"),
}
_KNOWN: Mapping[str, Verdict] = {
    **dict.fromkeys(_words(_NORMAL), "normal"),
    **dict.fromkeys((*_words(_PNEUMONIA), *_SUBTYPES), "pneumonia"),
}
