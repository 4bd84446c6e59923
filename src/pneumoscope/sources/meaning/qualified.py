"""Qualifiers beside pneumonia: suspected, earlier, or of a place or kind. Only what stands alone or
with a place, side or kind is offered as pneumonia; whatever else is said of it may take it back."""

from __future__ import annotations

import difflib
import re
import unicodedata

from pneumoscope.sources.meaning.words import Verdict, fold, is_finding, kindred, known, words_of

_EARLIER = re.compile(
    r"\bz\.?\s?n\.?(?=\s)|\bzustand nach\b|\bstatus post\b|\bs/p\b|\bs\.p\.|\bhistory\b|\bh/o\b|"
    r"\bprevious\w*|\bold\b|\bresolved\b|\btreated\b|\bprior\b|\bformer\w*|\bpast\b|\bhealed\b|"
    r"\bcured\b|\brecovered\b|\bpost\W?(?=pneumon|covid)|\balte[rs]?\b|\bfrüher\w*|\behemalig\w*|"
    r"\babgeheilt\w*|\bantecedente\w*|\bprevi[ao]s?\b|\bancien\w*|\bantigua\b|\bresuelt[ao]\b"
)
_GRADES = frozenset(f"{grade}appearance" for grade in ("typical", "indeterminate", "atypical"))
_PLACES_TEXT = """
left right bilateral unilateral both sided side upper lower middle lobe lobes lobar lung lungs base
bases basal apical apex hilar perihilar central peripheral segment segmental zone field lingula
retrocardiac rul rml rll lul lll li re links rechts linke rechte beidseits bds beidseitig ul ol ml
uf of mf unterlappen oberlappen mittellappen unterfeld oberfeld mittelfeld basale zentral izquierda
derecha derecho izquierdo superior inferior lobulo lobo droite gauche
"""
_KINDS_TEXT = """
acute aspiration atypical bacterial bacteria viral virus fungal interstitial lobar focal multifocal
confirmed severe mild moderate community hospital acquired associated ventilator covid sars mers
influenza round necrotizing necrotising mycoplasma legionella klebsiella pneumococcal bronchial
typical classic infection infectious organizing organising infectieuse
staphylococcus staphylococcal streptococcus streptococcal haemophilus hemophilus influenzae
pseudomonas pneumoniae escherichia coli adenoviral parainfluenza chlamydial hypostatic congenital
bacterienne virale aigue lobaire broncho brocho bronco pleuro
"""
_FILLING_TEXT = """
chest x ray rays xray xrays cxr cxrs radiograph radiographs image images img imgs film films case
cases patient patients class set data type folder with and in the of a an on by due to mit im in der
und con y en de la el or other lungenentzundung unspecified organism organisms specified unsp nos
diseases classified elsewhere
"""
_PLAIN = frozenset(f"{_PLACES_TEXT} {_KINDS_TEXT} {_FILLING_TEXT}".split())
_QUALIFIERS = frozenset(f"{_PLACES_TEXT} {_KINDS_TEXT}".split()) - {"lung", "lungs", "infection"}
_PNEUMONIA = ("pneumonia", "pneumonie", "neumonia", "polmonite", "bacterial", "viral")
_NEAR = 0.75
_SHORT_NORMAL = frozenset(("ob", "nad", "wnl", "ras", "unauff", "opb"))
"""Folded: what is written for a normal film in short, ``o.B.``, and may mean something else."""

_NOTHING_ABNORMAL = "without abnormal findings"
"""How ICD-10 ends what it calls a visit in good health (Z00.00)."""
_FILLING_PARTS = """
unspecified; unspecified organism; organism unspecified; organism nos; nos; unspecified cause;
not elsewhere classified; unspecified type; unspecified site
"""
_FILLING = frozenset(fold(part) for part in _FILLING_PARTS.split(";"))


def earlier(word: str) -> bool:
    """Whether ``word`` speaks of what a patient had: ``Z.n. Pneumonie``, ``old pneumonia``."""
    return bool(_EARLIER.search(unicodedata.normalize("NFKC", word).casefold()))


def short_normal(word: str) -> Verdict | None:
    """``"normal"`` for what is written for a film, or a visit, without findings: ``o.B.``, ``NAD``,
    ``examination without abnormal findings``."""
    short = fold(word) in _SHORT_NORMAL or _NOTHING_ABNORMAL in word.casefold()
    return "normal" if short else None


def is_filling(part: str) -> bool:
    """Whether a part of a diagnosis, behind a comma, says nothing of its own: ``unspecified``."""
    return fold(part) in _FILLING


def is_qualifier(part: str) -> bool:
    """Whether a part of a diagnosis only says where, or of which kind, what stands before it is."""
    words = words_of(part)
    return bool(words) and all(one in _QUALIFIERS for one in words)


def plain(word: str) -> bool:
    """Whether a word for pneumonia stands alone, or with no more than a place, side, kind
    or another finding."""
    return all(
        one in _PLAIN
        or len(one) == 1
        or one.isdecimal()
        or is_finding(one)
        or "pneumon" in one
        or "pneumopat" in one
        or known(one) == "pneumonia"
        or kindred(one) == "pneumonia"
        or bool(difflib.get_close_matches(one, _PNEUMONIA, 1, _NEAR))
        for one in words_of(word)
    )


def is_grade(word: str) -> bool:
    """Whether ``word`` says how typical of COVID-19 a pneumonia looks, ``Atypical Appearance``:
    three words of one scale, of which none says that there is no pneumonia."""
    return fold(word) in _GRADES
