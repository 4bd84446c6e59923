"""Manifest: the keys of ``run.json``, ``prepared.json`` and ``model.json``, with their types.

A key may be missing: a run begins without what it finds out later, and older versions did not
record everything. What must be there, ``run.open_run`` checks.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, Required, TypedDict


class RequestEntry(TypedDict):
    """``DataRequest.to_json``."""

    data: str
    form: str | None
    classes: dict[str, str]
    labels: str | None
    columns: dict[str, str]
    keep_ids: bool
    readers: NotRequired[Literal["majority", "any", "all", "strict"]]
    links: NotRequired[list[str]]
    assumed: NotRequired[dict[str, str]]
    sites: NotRequired[dict[str, RequestEntry]]


class WordEntry(TypedDict):
    """``Word.to_json``: what a word of the data was taken for."""

    word: str
    meaning: str
    films: int
    said: bool


class SourceEntry(TypedDict):
    """``Source.to_json``: all but the records."""

    name: str
    form: str
    why: str
    fingerprint: str
    count: int
    native_size: int
    notes: list[str]
    passed_over: dict[str, int]
    words: NotRequired[list[WordEntry]]
    patients: NotRequired[str]
    readers: NotRequired[str]
    lost: NotRequired[dict[str, dict[str, int]]]
    sites: NotRequired[dict[str, SourceEntry]]


class Choice(TypedDict):
    """Something that was chosen automatically."""

    what: str
    choice: str
    why: str


class ReasonCount(TypedDict):
    """How many films were dropped for one reason."""

    reason: str
    count: int


class SplitCount(TypedDict):
    """The films of a split; ``patients`` is None where some are unknown."""

    n: int
    positives: int
    patients: int | None


class PreparedFlow(TypedDict):
    """Films on their way into a prepared set."""

    found: int
    kept: int
    dropped: list[ReasonCount]
    dropped_by_class: NotRequired[dict[str, dict[str, int]]]
    boxes_lost: NotRequired[int]


class Flow(PreparedFlow, total=False):
    """Films on their way into the splits: see ``data.prepared.flow``."""

    patients_known: bool
    patients_divided: int
    patient_each_film: bool
    splits: dict[str, SplitCount]
    in_no_split: int


class Environment(TypedDict):
    """What a run was computed with."""

    python: str
    torch: str
    system: str
    threads: int


class PrecisionEntry(TypedDict):
    """What was computed in, and why."""

    name: Literal["float32", "bf16"]
    why: str


class EpochsEntry(TypedDict):
    """How many epochs fit into the recipe's minutes, and why."""

    number: int
    why: str


class WeightsEntry(TypedDict):
    """The weights that a network began from, where they lay on this machine: a local file by its
    absolute path, or an installed package by name and version; the SHA-256 of the file's bytes;
    the sets of chest films that a file was trained on, where they are known (``models.seen``)."""

    file: NotRequired[str]
    package: NotRequired[str]
    sha256: str
    films: NotRequired[list[str]]


class HardwareEntry(TypedDict):
    """``Hardware`` in plain data."""

    accelerator: str
    devices: int
    nodes: int


class SpecEntry(TypedDict, total=False):
    """``InputSpec`` in plain data; ``margin`` and ``local_contrast`` came later than the others."""

    stored: Required[int]
    network: Required[int]
    fit: Literal["squash", "pad", "crop"]
    interpolation: Literal["bilinear"]
    margin: float
    local_contrast: int


# As a call, for one of the keys is a word of Python.
Population = TypedDict("Population", {"youngest": float, "oldest": float, "from": str}, total=False)
"""Whom a model knows: the ages in years of the patients of its training films, and how it is known
that they are; empty where they are not."""


class Lineage(TypedDict, total=False):
    """What a model was trained on and how; ``weights_sha256`` is of the file that it began from,
    and ``weights_package`` the package, with its version, that the file came in. Of a model that
    was adapted to a site ``parent_sha256`` is the digest of the model that it was, ``site`` the
    fingerprint of the films, and ``changed`` says what of it is another."""

    recipe: str
    data: str
    fingerprint: str
    best_epoch: int
    epochs: int
    monitor: str
    population: Population
    weights_sha256: str
    weights_package: str
    parent_sha256: str
    site: str
    changed: list[str]


class Normalisation(TypedDict):
    """Mean and standard deviation of full scale."""

    mean: float
    std: float


class CertificateEntry(TypedDict):
    """What an export was held against: the run in torch, float32. ``tolerance`` is the largest
    difference of a logit that was allowed; ``checks`` are ``export.certificate.Check`` in plain
    data; ``not_tried`` says what could not be compared, and why. ``bf16_difference`` is that of
    the run's own answers in bf16, where it was trained in that and the machine has it."""

    tolerance: float
    checks: list[dict[str, Any]]
    not_tried: list[str]
    bf16_difference: float | None


class OpenVinoEntry(TypedDict):
    """What the same file was held against in OpenVINO of this ``version``: ``checks`` as those of
    the certificate, ``int8`` as that of the export."""

    version: str
    checks: list[dict[str, Any]]
    int8: dict[str, Any] | None


class ExportEntry(TypedDict):
    """An export: ``title`` names the model, ``members`` counts those that answer, ``notes`` are
    (what, choice, why) of what was settled on loading. ``sha256`` is of the graph's file,
    ``bundles`` of the weights and ``model.json`` of each member. ``int8`` is an
    ``export.quantise.Int8`` in plain data, or None; the certificate is then of the graph before it
    was quantised. ``openvino`` is None where that was not asked for; exports made before it lack
    it."""

    title: str
    members: int
    notes: list[list[str]]
    opset: int
    versions: dict[str, str]
    created: str
    sha256: str
    bundles: list[str]
    certificate: CertificateEntry
    int8: dict[str, Any] | None
    openvino: OpenVinoEntry | None


class ModelManifest(TypedDict, total=False):
    """``model.json``: see ``models.bundle.Bundle``. The last three of a bundle are records in
    plain data, or None; ``scale`` names the scale that their thresholds are on. ``export`` is of
    an export alone."""

    schema: int
    scale: str
    backbone: str
    outputs: int
    parameters: int
    weights: str
    input: SpecEntry
    normalisation: Normalisation
    classes: list[str]
    flip_average: bool
    turn_average: float
    precision: str
    lineage: Lineage
    operating_points: list[dict[str, Any]]
    calibration: dict[str, Any] | None
    conformal: dict[str, Any] | None
    export: ExportEntry


class SharedEntry(TypedDict):
    """Of films of other data, which are of the model's own set: how many were looked for, how many
    lie in each of its splits, whether those are most of them, and whether films that it has seen
    were kept among those judged."""

    looked: int
    found: dict[str, int]
    related: bool
    kept: bool


class AdaptedEntry(TypedDict):
    """Of a model that was adapted to a site: the parent by name, the digest of its model, the
    films that it was adapted to by name, fingerprint and number, and what was changed."""

    parent: str
    parent_sha256: str
    data: str
    fingerprint: str
    films: int
    labelled: int
    changed: list[str]


class Manifest(TypedDict, total=False):
    """``run.json``: what was asked, found, chosen and measured.

    ``door`` is a ``data.door.Door`` in plain data. Of the films that are judged ``known_set`` is a
    ``sources.known_sets.KnownSet``, or null where the set is not known, ``people`` are
    ``audit.people.SplitPeople``, ``baselines`` ``audit.baselines.JudgedBaseline``; ``sites`` is an
    ``audit.sites.SitesTold`` of the training films of several sets; ``trained_on``
    is the ``known_set`` of the model where it is judged on other films than its own.
    ``judges``, ``members``, ``external`` and ``shared`` stand in the folder of an evaluation,
    ``adapted`` in that of a model that was carried to a site.
    """

    schema: int
    name: str
    version: str
    created: str
    command: str
    data: str
    request: RequestEntry
    seed: int
    source: SourceEntry
    choices: list[Choice]
    environment: Environment
    timing: dict[str, float]
    warnings: list[str]
    hardware: HardwareEntry
    weights: WeightsEntry
    content: str
    flow: Flow
    shifts: list[dict[str, Any]]
    sites: dict[str, Any]
    door: dict[str, Any]
    known_set: dict[str, Any] | None
    trained_on: dict[str, Any] | None
    people: list[dict[str, Any]]
    baselines: list[dict[str, Any]]
    precision: PrecisionEntry
    epochs: EpochsEntry
    judges: str
    members: int
    external: bool
    shared: SharedEntry
    adapted: AdaptedEntry


class PreparedManifest(TypedDict, total=False):
    """``prepared.json``."""

    schema: int
    spec: SpecEntry
    fingerprint: str
    content: str
    source: SourceEntry
    flow: PreparedFlow
    unreached: list[int]
    chains: list[tuple[int, list[tuple[int, int]]]]
