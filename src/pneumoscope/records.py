"""Records of data that travel between packages: films, sources, requests, input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:  # every verb's module loads the records, and --help has no use for numpy
    import numpy as np
    from numpy.typing import NDArray

from pneumoscope.manifest import RequestEntry, SourceEntry, WordEntry

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
EXTERNAL: Literal["external"] = "external"
"""The split that films of another data set are evaluated as."""
RELATED: Literal["related"] = "related"
"""The same where they are of the model's own data set, most of them, or where it has seen some."""
OWN: Literal["own"] = "own"
"""Where one of several sites is judged, the test films of those that the model learnt from."""
CLASSES: tuple[str, str] = ("normal", "pneumonia")
"""Class names by label: 0 is normal, 1 is pneumonia, everywhere."""

Grey: TypeAlias = "NDArray[np.uint8]"
"""Grey levels, uint8, 0–255, air dark and bone bright."""


Facts = Mapping[str, str | float | int]
"""What is known of a film beside its pixels: view, age (years), sex, subtype, mode, bytes …"""

Readers = Literal["majority", "any", "all", "strict"]
READERS: tuple[Readers, ...] = ("majority", "any", "all", "strict")
"""Whose word counts where several read a film."""

FORMS = ("medmnist", "folder", "rsna", "labelled", "huggingface", "table", "names", "unlabelled",
         "phantom")  # fmt: skip
"""The forms that data comes in; ``--form`` takes one of these words."""


@dataclass(frozen=True, slots=True)
class Film:
    """One radiograph, read.

    ``pixels`` are uint8 (H, W), 0–255, air dark. ``height`` and ``width`` are the native size in
    pixels; ``pixels`` may be smaller, where the decoder reduced them. ``patient_id`` is the one
    that the file itself names. ``facts`` are those found in the file.
    """

    pixels: Grey
    height: int
    width: int
    patient_id: str | None = None
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """One radiograph of a source, not yet read.

    ``read(side)`` gives the Film, or raises ``UnreadableImage``; ``side`` is that of the square
    that will be made of it, so a decoder may reduce the film as far as that loses nothing.
    It is called from several threads. ``mask`` gives bool (H, W), true where the abnormality is,
    when the truth is known. ``boxes`` are (x, y, width, height), origin top left, in native pixels
    or, where ``boxes_drawn_on`` is not 0, in those of a square of that side that the whole film was
    drawn on. ``label`` is 1 pneumonia, 0 normal, None unknown. ``private`` says that the ids may
    name a person: they are then kept only as salted hashes, unless the user asks for them.
    ``origin`` is the same for pictures that were made from one film, as far as names tell.
    """

    image_id: str
    read: Callable[[int], Film]
    label: int | None
    patient_id: str | None = None
    split: Split | None = None
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    mask: Callable[[], NDArray[np.bool_]] | None = None
    facts: Facts = field(default_factory=dict)
    private: bool = False
    boxes_drawn_on: int = 0
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """What a word of the data was taken for: ``meaning`` is normal, pneumonia or ignore, ``films``
    how many have it, ``said`` whether the user said so."""

    word: str
    meaning: str
    films: int
    said: bool = False

    def to_json(self) -> WordEntry:
        return {
            "word": self.word,
            "meaning": self.meaning,
            "films": self.films,
            "said": self.said,
        }


@dataclass(frozen=True, slots=True)
class Source:
    """A data set as found: what it is, how that was seen, and its records in a fixed order.

    ``fingerprint`` changes when the content changes. ``native_size`` is the longest side in
    pixels of a typical image. ``records`` may be iterated more than once. ``passed_over`` counts
    the files that are no records, by reason. ``words`` are what each class word was taken for,
    ``patients`` says how patients are known, empty where nothing but a film's own header could say
    it. ``lost`` counts films that are no records though they should be, by reason and class.
    ``readers`` says whose word counted where several read a film, and how often they disagreed.
    Of several sets at once ``sites`` has the source of each by its name, and the records; all else
    is of them together.
    """

    name: str
    form: str
    why: str
    fingerprint: str
    count: int
    native_size: int
    records: Iterable[Record]
    notes: tuple[str, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)
    words: tuple[Word, ...] = ()
    patients: str = ""
    lost: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    readers: str = ""
    sites: Mapping[str, Source] = field(default_factory=dict)

    def to_json(self) -> SourceEntry:
        """All but the records."""
        found: SourceEntry = {
            "name": self.name,
            "form": self.form,
            "why": self.why,
            "fingerprint": self.fingerprint,
            "count": self.count,
            "native_size": self.native_size,
            "notes": list(self.notes),
            "passed_over": dict(self.passed_over),
            "words": [word.to_json() for word in self.words],
            "patients": self.patients,
            "readers": self.readers,
            "lost": {reason: dict(counts) for reason, counts in self.lost.items()},
        }
        if self.sites:
            found["sites"] = {name: each.to_json() for name, each in self.sites.items()}
        return found


_TAKEN: Mapping[str, str] = {
    **dict.fromkeys(("positive", "pos", "1", "true", "yes"), "pneumonia"),
    **dict.fromkeys(("negative", "neg", "0", "false", "no"), "normal"),
}
"""What version 0.1.0 took words to mean that do not say what for."""


@dataclass(frozen=True, slots=True)
class DataRequest:
    """The data as the user named it, and what the user said about how to read it.

    ``data`` is a path or a name; ``form`` one of FORMS, None to find out by looking. ``classes``
    maps a class name of the data, as ``sources.meaning.words`` folds it, to normal, pneumonia or
    ignore.
    ``labels`` is a table of labels beside the films. ``columns`` names table columns by what they
    hold: image, label, patient, split. ``keep_ids`` keeps ids as they are. ``readers`` says whose
    word counts where several read a film. ``links`` are further folders that symbolic links may
    lead into. ``fill_in`` is a new file for class words that have to be asked about.
    ``assumed`` are meanings that a run of version 0.1.0 took without asking, so that it goes on.
    Of several sets at once ``sites`` has the request for each by its name; then ``data`` only says
    which they are, and of the other fields ``keep_ids`` alone counts.
    """

    data: str
    form: str | None = None
    classes: Mapping[str, str] = field(default_factory=dict)
    labels: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    keep_ids: bool = False
    readers: Readers = "majority"
    links: tuple[Path, ...] = ()
    fill_in: Path | None = None
    assumed: Mapping[str, str] = field(default_factory=dict)
    sites: Mapping[str, DataRequest] = field(default_factory=dict)

    @classmethod
    def of_sites(cls, sites: Mapping[str, DataRequest], *, keep_ids: bool = False) -> DataRequest:
        """The request for several sets at once, each by its name."""
        return cls(" + ".join(each.data for each in sites.values()), keep_ids=keep_ids, sites=sites)

    @property
    def meanings(self) -> Mapping[str, str]:
        """What class words mean beside what they say themselves, by the user or by assumption."""
        return {**self.assumed, **self.classes}

    def to_json(self) -> RequestEntry:
        """JSON-ready, with paths made absolute, so that it can be asked again from anywhere."""
        path = Path(self.data).expanduser()
        entry: RequestEntry = {
            "data": str(path.absolute()) if path.exists() else self.data,
            "form": self.form,
            "classes": dict(self.classes),
            "labels": str(self.labels.expanduser().absolute()) if self.labels else None,
            "columns": dict(self.columns),
            "keep_ids": self.keep_ids,
            "readers": self.readers,
            "links": [str(link.expanduser().absolute()) for link in self.links],
            "assumed": dict(self.assumed),
        }
        if self.sites:
            entry["sites"] = {name: each.to_json() for name, each in self.sites.items()}
            entry["data"] = " + ".join(each["data"] for each in entry["sites"].values())
        return entry

    @classmethod
    def from_json(cls, value: RequestEntry) -> DataRequest:
        """The request that ``to_json`` wrote."""
        return cls(
            data=value["data"],
            form=value.get("form"),
            classes=value.get("classes", {}),
            labels=Path(labels) if (labels := value.get("labels")) else None,
            columns=value.get("columns", {}),
            keep_ids=value.get("keep_ids", False),
            readers=value.get("readers", "majority"),
            links=tuple(map(Path, value.get("links", ()))),
            # A request without readers was written by 0.1.0, which did not ask.
            assumed=value.get("assumed", {} if "readers" in value else _TAKEN),
            sites={name: cls.from_json(each) for name, each in value.get("sites", {}).items()},
        )


@dataclass(frozen=True, slots=True)
class Hardware:
    """What trains: ``accelerator`` auto, cpu or gpu; ``devices`` on each of ``nodes`` machines."""

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1

    @property
    def processes(self) -> int:
        """How many processes train together, one for each device."""
        return self.devices * self.nodes


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How any film becomes the network's input; prepared set and model must agree.

    ``stored`` is the side in pixels of the square uint8 image on disk, ``network`` the side the
    backbone sees; the network's first layers cut ``margin`` off (half of it on each side, as part
    of the stored side) and enlarge what is left. They even out brightness and contrast over a grid
    of ``local_contrast`` cells a side; 0 leaves both as they are.
    """

    stored: int
    network: int
    fit: Literal["squash", "pad", "crop"] = "squash"
    interpolation: Literal["bilinear"] = "bilinear"
    margin: float = 0.0
    local_contrast: int = 0

    @property
    def visible(self) -> int:
        """Side in stored pixels of the centre square that is judged: as much is left out on each
        side."""
        return self.stored - 2 * round(self.stored * self.margin / 2)
