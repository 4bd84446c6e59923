"""Known data sets: whom they show, who labelled them, and what others reached on their splits.

A set is recognised by what its films and names say, never by the name of its folder. What is not
known of a set is not guessed: a field is then empty, and a page says *not known*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pneumoscope.manifest import SourceEntry, SplitCount
from pneumoscope.sources.together.names import KAGGLE_NOTE, MENDELEY_NOTE

_NIH_NAMES = "NIH ChestX-ray14 ("
"""In the note on names from which patients were read: see ``sources.assemble``."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a system reached on the official test split, as its authors report it; NaN where they
    give none."""

    system: str
    auroc: float
    accuracy: float
    source: str


@dataclass(frozen=True, slots=True)
class KnownSet:
    """What is known of a data set beside its films.

    ``ages`` are the youngest and the oldest in years where all are known to lie between, ``adults``
    says that nearly all are. ``published`` holds for the ``test`` split of so many films, and of
    these so many with pneumonia, and for no other cut of the same films.
    """

    title: str
    whom: str
    place: str = ""
    year: str = ""
    labels: str = ""
    licence: str = ""
    source: str = ""
    ages: tuple[float, float] | None = None
    adults: bool = False
    test: tuple[int, int] | None = None
    published: tuple[Published, ...] = ()


_MEDMNIST = "Yang et al. 2023, MedMNIST v2, Scientific Data 10:41"
_ON_KERMANYS_TEST = (
    Published("InceptionV3, ImageNet weights", 0.968, 0.928, "Kermany et al. 2018, Cell 172:1122"),
    Published("ResNet-18 from scratch, 28 px", 0.944, 0.854, _MEDMNIST),
    Published("ResNet-18 from scratch, 224 px", 0.956, 0.864, _MEDMNIST),
    Published("ResNet-50 from scratch, 28 px", 0.948, 0.854, _MEDMNIST),
    Published("ResNet-50 from scratch, 224 px", 0.962, 0.884, _MEDMNIST),
    Published("auto-sklearn", 0.942, 0.855, _MEDMNIST),
    Published("AutoKeras", 0.947, 0.878, _MEDMNIST),
    Published("Google AutoML Vision", 0.991, 0.946, _MEDMNIST),
)

KERMANY = KnownSet(
    title="Kermany 2018, chest-xray-pneumonia on Kaggle",
    whom="children of one to five years",
    place="Guangzhou Women and Children’s Medical Center, China",
    year="not stated; published in 2018",
    labels="two physicians graded each film; a third checked the test films",
    licence="CC BY 4.0",
    source="Kermany et al. 2018, Cell 172:1122; Mendeley Data, doi:10.17632/rscbjbr9sj",
    ages=(1.0, 5.0),
    test=(624, 390),
    published=_ON_KERMANYS_TEST,
)
PNEUMONIAMNIST = replace(
    KERMANY,
    title="PneumoniaMNIST, the films of Kermany 2018 made small",
    source=f"{_MEDMNIST}; films of Kermany et al. 2018, Cell 172:1122",
)
KEREMBERKE = replace(
    KERMANY,
    title="keremberke/chest-xray-classification, the films of Kermany 2018 split anew",
    source="huggingface.co/datasets/keremberke/chest-xray-classification; films of Kermany et al. "
    "2018, Cell 172:1122",
    test=None,
    published=(),
)
RSNA = KnownSet(
    title="RSNA Pneumonia Detection Challenge 2018",
    whom="mostly adults",
    place="NIH Clinical Center, Bethesda, USA",
    year="1992 to 2015",
    labels="radiologists drew boxes around opacities that may be pneumonia; pneumonia is a film "
    "with a box",
    licence="the rules of the challenge",
    source="Shih et al. 2019, Radiology: Artificial Intelligence 1:e180041; films of NIH "
    "ChestX-ray14",
    adults=True,
)
NIH = KnownSet(
    title="NIH ChestX-ray14",
    whom="mostly adults",
    place="NIH Clinical Center, Bethesda, USA",
    year="1992 to 2015",
    labels="mined from radiologists’ reports by a program; no one read the films for them",
    licence="free to use with attribution",
    source="Wang et al. 2017, ChestX-ray8, CVPR",
    adults=True,
)
PHANTOM = KnownSet(
    title="synthetic films, drawn by pneumoscope",
    whom="no patient",
    place="the films are drawn",
    year="drawn when they are asked for",
    labels="drawn with the film",
    licence="that of pneumoscope",
)

_KEREMBERKES = {"train": 4077, "val": 1165, "test": 582}
_PNEUMONIAMNISTS = (
    {"train": 4708, "val": 524, "test": 624},
    {"train": 3882, "val": 524, "test": 624},
)


def recognise(source: SourceEntry, official: Mapping[str, SplitCount]) -> KnownSet | None:
    """The set that ``source`` is, or a part of it; None where it is none of these, or several.

    ``official`` counts the films of the splits that the data has.
    """
    if source.get("sites"):
        return None
    counts = {name: split["n"] for name, split in official.items() if split["n"]}
    notes = " ".join(source["notes"])
    if source["form"] == "phantom":
        return PHANTOM
    if source["form"] == "rsna":
        return RSNA
    if KAGGLE_NOTE in notes or MENDELEY_NOTE in notes:
        return KEREMBERKE if counts == _KEREMBERKES else KERMANY
    if source["form"] == "medmnist" and counts in _PNEUMONIAMNISTS:
        return PNEUMONIAMNIST
    return NIH if _NIH_NAMES in notes else None


def numbers_start_anew(notes: tuple[str, ...] | list[str]) -> bool:
    """Whether the numbers of patients may start anew in each split, so that one number in two
    splits need not be one child. Nothing that was published on Kaggle's set says whether."""
    return KAGGLE_NOTE in notes
