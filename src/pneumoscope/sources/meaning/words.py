"""Class words: which mean normal, which pneumonia, and which do not say enough to be believed.

Only words that say *what for* are known. ``positive``, ``sick`` or ``1`` are told apart as vague,
misspelt and qualified ones as near: both are asked about, and never taken for something else.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal

Verdict = Literal["normal", "pneumonia", "ignore"]
"""What a class word means. ``ignore``, which only the user can say, leaves its films out."""

VERDICTS: tuple[Verdict, ...] = ("normal", "pneumonia", "ignore")
LABEL_OF: Mapping[Verdict, int | None] = {"normal": 0, "pneumonia": 1, "ignore": None}

_INTEGER = re.compile(r"([-+]?)0*([0-9]+)(?:\.0*|,0{1,2})?")
_NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]+(?:e[-+]?[0-9]+)?")
# Letters that carry a mark which Unicode does not take apart.
_UNMARKED = str.maketrans("ıłø", "ilo")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")

_NORMAL = """
normal; normals; norm; normality; healthy; health; no finding; no findings; no pneumonia; non
pneumonia; not pneumonia; without pneumonia; pneumonia negative; negative for pneumonia;
pneumonia free; pneumonia absent; control; controls; clear; clear lung; clear lungs; normal
lung; normal lungs; healthy lung; healthy lungs; unremarkable; no abnormality; no
abnormalities; no acute findings; no acute disease; no active disease; nothing abnormal
detected; within normal limits; gesund; normalbefund; kein befund; ohne befund; ohne
pathologischen befund; keine pneumonie; unauffällig; unauffaellig; unauffälliger befund; sin
alteraciones; sin hallazgos patológicos; radiografía normal; rien à signaler; sain; normale;
normales; normaux; sano; sanos; sana; sin hallazgo; sin hallazgos; sin neumonía; sem
pneumonia; saudável; normaal; gezond; normalny; zdrowy; zdrowe; sağlıklı; норма; нормальный;
здоровый; здоровые; 正常; 健康; 정상; bình thường; normalbefunde; gesunde; gesunder; unauffälliger
thorax; sains; saine; saines; normais; sanas; sani; sane; saudáveis; sem alterações; sem
achados; sem achado; sans anomalie; sans anomalies; pas d'anomalie; sans particularité; pas de
pneumonie; sans pneumonie; pas de pneumopathie; sin anomalías; sin patología; sin
bronconeumonía; senza alterazioni; senza polmonite; nessuna polmonite; nessun reperto; nella
norma; polmoni sani; poumons sains; pulmones sanos; geen afwijkingen; geen longontsteking; bez
zmian
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
pneumonia; pneumonias; pneumonic; pneu; pneumonia positive; positive for pneumonia;
pneumonia present; bronchopneumonia; lung opacity; lung opacities; pneumonie; pneumonien;
lungenentzündung; lungenentzuendung; neumonía; polmonite; longontsteking; zapalenie płuc; pnömoni;
zatürre; пневмония; 肺炎; 폐렴; viêm phổi; pneumonies; bronchopneumonie; bronchopneumonien;
lungenentzündungen; neumonías; bronconeumonía; pulmonía; broncopneumonia; broncopneumonias;
polmoniti; broncopolmonite; longontstekingen
"""
# Said of a pneumonia, these leave it one: "atypical pneumonia", "COVID-19 pneumonia (severe)".
_KINDS_OF = """
19; acquired; acute; aspiration; atypical; bacterial; bilateral; brocho; broncho; caused; community;
confirmed; pleuro; covid; covid19; focal; fungal; h1n1; hospital; influenza; interstitial;
klebsiella; left; legionella; lipoid; lobar; mild; moderate; mycoplasma; necrotising; necrotizing;
nosocomial; pediatric; pneumococcal; pneumocystis; right; round; sars; severe; streptococcus;
unilateral; ventilator; associated; viral; virus; bacteria
"""
_VAGUE_PNEUMONIA = """
positive; pos; sick; ill; unhealthy; infected; infection; diseased; disease; abnormal; abnormality;
affected; present; yes; true; 1; +; case; cases; y; t; krank; malade; enfermo; malato; positiv;
positif; positivo; malato; malati; enfermos; kranke; pathologique; patologico; patológico;
auffällig; pathologic; pathological; not normal
"""
_VAGUE_NORMAL = """
negative; neg; uninfected; absent; no; false; 0; n; f; negativ; négatif; negativo
"""
# Kinds of pneumonia by names that do not say so: never offered to be ignored. And what shows one,
# which beside pneumonia itself is a finding of its own.
_KIN = """
covid; covid19; covid 19; sars; sars cov 2; sarscov2; mers; h1n1; influenza; legionella; mycoplasma;
streptococcus; klebsiella; pneumocystis; varicella; typical appearance; atypical appearance;
indeterminate appearance
"""
_SIGNS = """
consolidation; infiltrate; infiltrates; infiltration; opacity; lung infection
"""
# Other findings in the lungs, bones and devices that sets mark beside pneumonia, each in a column.
_FINDINGS = """
atelectasis; cardiomegaly; effusion; pleural effusion; infiltration; mass; nodule; nodule mass;
lung lesion; lesion; pneumothorax; consolidation; edema; oedema; pulmonary edema; emphysema;
fibrosis; pulmonary fibrosis; pleural thickening; pleural other; hernia; fracture; rib fracture;
clavicle fracture; support devices; enlarged cardiomediastinum; aortic enlargement; calcification;
enlarged pa; ild; lung cavity; lung cyst; mediastinal shift; other lesion; other lesions; copd;
lung tumor; tuberculosis; tb; other disease; other diseases; lung opacity; airspace opacity; covid;
covid19; bronchiolitis; bronchitis; asthma; cancer; hyperinflation; granuloma; scoliosis
"""
# "Normal images" and "pneumonia cases" say no more than their first word.
_TAIL = re.compile("(?:images?|imgs?|cases?|patients?|films?|xrays?|cxrs?|radiographs?)$")
_ENDS_TEXT = "chest x ray rays xray xrays cxr cxrs radiograph radiographs image images"
_ENDS = frozenset(_ENDS_TEXT.split())
_NO_PNEUMONIA = re.compile(
    "pneumothora|pneumonitis|pneumoconio|pneumomediast|pneumoperit|pneumonectom|pneumatoc|"
    "bronch?opneumopat"  # what COPD is called in French and Italian
)
_LIKE_PNEUMONIA = re.compile("pneumon|pneumopat")  # "pneumopathie" is said of others too
_NEGATION = re.compile(
    r"\b(no|non|not|without|negative|absent|ruled? out|excluded|free|ohne|kein\w*|sin|sans|sem|"
    r"pas|aucune?|senza|nessun[ao]?|ningun[ao]?|nenhuma?|geen)\b"
)
_DOUBT = re.compile(
    r"\b(uncertain\w*|possibl[ey]|probabl[ey]|suspect\w*|suspicious|equivocal|indeterminate|"
    r"unsure|doubtful|questionable|likely|maybe|susp|suspekt\w*|suspicion|query|presum\w*|r/o|"
    r"rule out|dd|differential\w*|(?:not|cannot be|nicht) (?:excluded|ausgeschlossen)|"
    r"cannot exclude|verdacht\w*|fragl\w*|möglich\w*|wahrscheinlich\w*|"
    r"auszuschliessen|sospech\w*|posible)\b|\bv\.\s?a\.?(?=\s|$)|^va\s|\bz\.\s?a\.|^\s*\?|\?\s*$|\(\?\)"
)
_STATED = re.compile(r"([01])\s*[=:]\s*([^\W\d_]+)")
_NEAR = 0.8
_ANCHORS = ("pneumonia", "normal", "healthy", "bacterial", "viral")
_SICK = frozenset(("sick", "ill", "infected", "infection", "disease", "diseased", "abnormality"))
"""Words that, denied, say normal of any film."""


@lru_cache(maxsize=65_536)
def fold(word: str) -> str:
    """``word`` without case, accents, spaces, punctuation and a leading number.

    ``"0_Normal"`` and ``"NORMAL"`` fold alike. A word that is a number keeps its sign and value:
    ``"1"``, ``"01"``, ``"1.0"`` and ``"1,0"`` fold alike, ``"-1"`` does not; what has no letters,
    such as ``"+"`` or ``"0|1"``, stays as it is but for spaces. Folding twice changes nothing.
    """
    flat = unicodedata.normalize("NFKD", word).strip().casefold()
    if whole := _INTEGER.fullmatch(flat):
        sign = "-" if whole[1] == "-" and whole[2] != "0" else ""
        return sign + whole[2]
    if _NUMBER.fullmatch(flat):
        return flat
    flat = unicodedata.normalize("NFKD", flat).translate(_UNMARKED)
    letters = "".join(c for c in flat if c.isalnum())
    return letters.lstrip("0123456789") or "".join(flat.split())


def known(word: str) -> Verdict | None:
    """What ``word`` means where it says what for; None for every other.

    Covid, tuberculosis, "other" and their like are never guessed, nor is what says that it is not
    sure.
    """
    if doubtful(word):
        return None
    folded = fold(word)
    found = _KNOWN.get(folded) or _KNOWN.get(_TAIL.sub("", folded))
    return (
        found
        or _KNOWN.get(_without_ends(word))
        or ("pneumonia" if _is_kind_of_pneumonia(word) else None)
    )


def vague(word: str) -> Verdict | None:
    """What ``word`` would mean if it were said of pneumonia: positive, sick, yes, 1 and their
    contraries. Of what it is said in truth, only the user or the name of a column knows."""
    folded = fold(word)
    return _VAGUE.get(folded) or _VAGUE.get(_TAIL.sub("", folded))


def misspelt(word: str) -> Verdict | None:
    """What a misspelt or qualified word most likely means, to be offered and never taken:
    ``Pnuemonia``, ``healthy control``, ``normal (adults)``, ``no disease``."""
    folded = fold(word)
    if _NO_PNEUMONIA.search(folded):
        return None
    words = words_of(word)
    denied = bool(_NEGATION.search(" ".join(words)))
    if _LIKE_PNEUMONIA.search(folded):
        return "normal" if denied else "pneumonia"
    if close := _close(folded):
        return close
    if denied and any(one in _SICK for one in words):
        return "normal"
    near = {verdict for one in words if one not in _VAGUE and (verdict := _close(one))}
    near |= {
        "pneumonia" for one in words if one not in _SUBTYPES and _KNOWN.get(one) == "pneumonia"
    }
    if denied and near != {"pneumonia"}:
        return None
    return "normal" if denied else near.pop() if len(near) == 1 else None


def _close(word: str) -> Verdict | None:
    close = difflib.get_close_matches(word, _ANCHORS, 1, _NEAR)
    return _KNOWN[close[0]] if close else None


def kindred(word: str) -> Verdict | None:
    """``"pneumonia"`` for a kind of it whose name does not say so, and for what shows one;
    ``"normal"`` where that is denied."""
    words = words_of(word)
    if fold(word) not in _KIN_WORDS and not any(one in _KIN_WORDS for one in words):
        return None
    return "normal" if _NEGATION.search(" ".join(words)) else "pneumonia"


def is_kind(word: str) -> bool:
    """Whether ``word`` names a kind of pneumonia without saying so, or denies one: COVID-19."""
    return fold(word) in _KIND_WORDS or not _KIND_WORDS.isdisjoint(words_of(word))


def offers(name: str) -> dict[str, Verdict]:
    """What 0 and 1 most likely mean in a column of this name, to be offered and never taken."""
    stated = {digit: known(word) for digit, word in _STATED.findall(name)}
    if set(stated.values()) >= {"normal", "pneumonia"}:
        return {digit: verdict for digit, verdict in stated.items() if verdict}
    rest, denials = _NEGATION.subn(" ", " ".join(words_of(name)))
    named = {known(word) or vague(word) for word in rest.split() if len(word) > 2} - {None}
    if (named == {"normal"}) != bool(denials):
        return {"0": "pneumonia", "1": "normal"}
    return {"0": "normal", "1": "pneumonia"}


def doubtful(word: str) -> bool:
    """Whether ``word`` itself says that it is not sure: uncertain, possible, ``?``."""
    return bool(_DOUBT.search(unicodedata.normalize("NFKC", word).casefold()))


def is_device(word: str) -> bool:
    """Whether ``word`` names what was put into a patient, which may be seen on a normal film."""
    return fold(word) in _DEVICES


def is_finding(word: str) -> bool:
    """Whether ``word`` names something that films are marked with beside pneumonia."""
    return fold(word) in _FINDING_WORDS


def subtype_of(word: str) -> str | None:
    """``"bacterial"`` or ``"viral"`` where the class word says so, else None."""
    folded = fold(word)
    return _SUBTYPES.get(folded) or _SUBTYPES.get(_TAIL.sub("", folded))


def words_of(text: str) -> list[str]:
    """The words of ``text`` in lower case, without accents; ``camelCase`` is two."""
    flat = _CAMEL.sub(" ", text)
    if flat.isascii():  # has no accents: names of 100,000 films are read here
        return _WORD.findall(flat.lower())
    flat = unicodedata.normalize("NFKD", flat).casefold()
    letters = "".join(c for c in flat if not unicodedata.combining(c)).translate(_UNMARKED)
    return _WORD.findall(letters)


def _without_ends(word: str) -> str:
    """``"Normal Chest X-rays"`` without what every film is. Not so in front: "chest-xray-pneumonia"
    is the name of a set."""
    words = words_of(word)
    while words and words[-1] in _ENDS:
        words.pop()
    return "".join(words)


def _is_kind_of_pneumonia(word: str) -> bool:
    words = words_of(word)
    named = [one for one in words if _KNOWN.get(one) == "pneumonia"]
    return (
        len(named) < len(words)
        and any(one not in _SUBTYPES and _KNOWN.get(one) == "pneumonia" for one in named)
        and all(one in _KINDS or one in named for one in words)
    )


def _folded(text: str) -> Iterable[str]:
    return (fold(word) for word in text.split(";"))


_SUBTYPES: Mapping[str, str] = {
    **dict.fromkeys(_folded(_BACTERIAL), "bacterial"),
    **dict.fromkeys(_folded(_VIRAL), "viral"),
}
_KNOWN: Mapping[str, Verdict] = {
    **dict.fromkeys(_folded(_NORMAL), "normal"),
    **dict.fromkeys((*_folded(_PNEUMONIA), *_SUBTYPES), "pneumonia"),
}
_VAGUE: Mapping[str, Verdict] = {
    **dict.fromkeys(_folded(_VAGUE_PNEUMONIA), "pneumonia"),
    **dict.fromkeys(_folded(_VAGUE_NORMAL), "normal"),
}
_KINDS = frozenset(_folded(_KINDS_OF))
_KIND_WORDS = frozenset(_folded(_KIN))
_KIN_WORDS = _KIND_WORDS | frozenset(_folded(_SIGNS))
_DEVICES = frozenset(("supportdevices", "supportdevice", "medicaldevice", "medicaldevices"))
_FINDING_WORDS = frozenset(_folded(_FINDINGS))
