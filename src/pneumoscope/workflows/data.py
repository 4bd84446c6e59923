"""Data of a workflow: the prepared set of what the user named, or of a finished run.

No torch here, so that ``prepare`` and ``audit`` start at once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from pneumoscope.data.door import Door
from pneumoscope.data.lost import MOST_BAD
from pneumoscope.data.prepare import cache_folder, prepare, prepared_name
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.data.split import with_splits
from pneumoscope.data.together.sites import REPEATED, join_sets, joined_name
from pneumoscope.errors import DiskFull, Interrupted, OutputNotWritable, UnreadableData
from pneumoscope.formatting import plural
from pneumoscope.listener import Listener
from pneumoscope.recipe import Recipe, stored_recipe
from pneumoscope.records import DataRequest, InputSpec, Source
from pneumoscope.report.kit.door import door_lines
from pneumoscope.run import Run, check_new
from pneumoscope.sources.sites import open_data
from pneumoscope.storage import read_json

_AUTO = 64
_WAITING = "Another process is preparing the same data: waiting for it."


def find_data(request: DataRequest, listener: Listener) -> Source:
    """The source that the user named; its form, how that was seen, and its remarks are said."""
    source = open_data(request, cache_folder(), listener)
    for site, each in source.sites.items() or (("", source),):
        of = f", which is {site}" if site not in ("", each.name) else ""
        listener.stage(f"Found {plural(each.count, 'film')} in {each.name}{of}")
        listener.choice("form", each.form, each.why)
        for reason, count in each.passed_over.items():
            listener.choice("passed over", f"{count:,}", reason)
        for note in each.notes:
            listener.note(note)
    return source


def tell_door(
    door: Door, listener: Listener, title: str = "What is learnt from what", kept: str = "run.json"
) -> None:
    """Say what is learnt from what; ``kept`` is the file that will hold all of it."""
    lines = door_lines(door, kept)
    # A screen has no room for colours in a log: a mark tells what is wrong from what is so.
    rows = [(f"! {line.title}" if line.warning else line.title, line.text) for line in lines]
    listener.facts(title, rows)


def prepare_data(
    request: DataRequest,
    recipe: Recipe,
    listener: Listener,
    *,
    source: Source | None = None,
    side: int = 0,
    out: Path | None = None,
) -> PreparedSet:
    """The prepared set of ``request`` in the cache folder or in ``out``; ``side`` in pixels, 0
    for the one that training by ``recipe`` would take. ``source`` is given where it was found
    already."""
    check_new(out)  # before a source of gigabytes is read
    source = source or find_data(request, listener)
    # Of a side that is asked for, the whole film, for any use.
    spec = InputSpec(side, side, recipe.input.fit) if side else None
    try:
        return prepared_for(request, source, recipe, listener, spec=spec, folder=out)
    except KeyboardInterrupt:
        raise Interrupted(
            "preparing was stopped, and the films read so far are kept",
            remedy="the same command goes on from there",
        ) from None


def prepared_for(
    request: DataRequest,
    source: Source,
    recipe: Recipe,
    listener: Listener,
    *,
    spec: InputSpec | None = None,
    folder: Path | None = None,
) -> PreparedSet:
    """The prepared set of ``source``, found for ``request``, that training by ``recipe`` takes, or
    one of another ``spec``; in the cache folder unless ``folder`` is named."""
    return prepare_source(
        source,
        spec or stored_spec(source, recipe),
        listener,
        folder=folder,
        keep_ids=request.keep_ids,
        most_bad=recipe.data.most_bad,
    )


def prepare_source(
    source: Source,
    spec: InputSpec,
    listener: Listener,
    *,
    folder: Path | None = None,
    keep_ids: bool = False,
    most_bad: float = MOST_BAD,
) -> PreparedSet:
    """The prepared set of ``source``, with progress told; in the cache folder unless named. Of
    several sets each is prepared by itself, as it would be alone, and then joined to the others."""
    if source.sites:
        one = partial(_prepare_site, spec=spec, listener=listener, keep_ids=keep_ids,
                      most_bad=most_bad, beside=folder)  # fmt: skip
        return _join({site: one(each, site) for site, each in source.sites.items()}, source,
                     listener, folder)  # fmt: skip
    listener.stage(f"Prepare {source.name} at {spec.stored} px")
    start, last = time.monotonic(), 0

    def advance(done: int, total: int) -> None:
        nonlocal start, last
        if done < last:  # all films are read, and comparing them takes long
            listener.stage("Look for copies among the films")
            start = time.monotonic()
        last = done
        rate = done / max(time.monotonic() - start, 1e-3)
        listener.progress(done, total, "film", f"{rate:,.0f} films/s")

    place = folder or cache_folder() / "prepared" / prepared_name(source, spec, keep_ids=keep_ids)
    waiting = partial(listener.note, _WAITING)
    return prepare(
        source, spec, place, advance, keep_ids=keep_ids, most_bad=most_bad, waiting=waiting
    )


def _prepare_site(
    source: Source,
    site: str,
    *,
    spec: InputSpec,
    listener: Listener,
    keep_ids: bool,
    most_bad: float,
    beside: Path | None,
) -> PreparedSet:
    """One set of several: in the cache folder, else ``beside`` the folder of the joined one."""
    try:
        return prepare_source(source, spec, listener, keep_ids=keep_ids, most_bad=most_bad)
    except DiskFull:
        raise
    except OutputNotWritable:
        if beside is None:
            raise
        folder = beside.with_name(f"{beside.name}-{site}")
        return prepare_source(
            source, spec, listener, folder=folder, keep_ids=keep_ids, most_bad=most_bad
        )


def _join(
    sets: Mapping[str, PreparedSet], source: Source, listener: Listener, folder: Path | None
) -> PreparedSet:
    listener.stage(f"Join {' and '.join(sets)}")
    place = folder or cache_folder() / "prepared" / joined_name(sets, source)
    joined = join_sets(sets, source, place, partial(listener.note, _WAITING))
    if again := joined.about["source"]["passed_over"].get(REPEATED):
        listener.note(f"{plural(again, 'film')} of later sets left out: {REPEATED}.")
    return joined


def data_of_run(run: Run, listener: Listener, data: str | None = None) -> PreparedSet:
    """The prepared set of a finished run, with its splits; ``data`` names the place where it lies
    now. Raises InputError where it cannot be had, or has changed."""
    raw = unsplit_data_of_run(run, listener, data)
    return with_splits(raw, stored_recipe(run.recipe_file).data)[0]


def unsplit_data_of_run(run: Run, listener: Listener, data: str | None = None) -> PreparedSet:
    """As ``data_of_run``, with the official splits instead of the run's."""
    manifest = run.manifest()
    request = DataRequest.from_json(manifest["request"])
    if data:
        # What its words meant to the run: another name of the same data may say less.
        words = {word["word"]: word["meaning"] for word in manifest["source"].get("words", [])}
        request = replace(request, data=data, assumed={**words, **request.assumed}, sites={})
    prepared = prepared_for(
        request,
        find_data(request, listener),
        stored_recipe(run.recipe_file),
        listener,
        spec=InputSpec(**read_json(run.model_file)["input"]),
        folder=run.local_data if run.local_data.exists() else None,
    )
    if manifest.get("content", prepared.content) != prepared.content:
        raise UnreadableData("the data has changed since the run began")
    return prepared


def stored_spec(source: Source, recipe: Recipe) -> InputSpec:
    """How films are stored: at the network's size and its margin, or at their own where smaller.

    So shrinking happens once, antialiased, in ``imaging.geometry``; what is left to the device
    is enlarging, where training's resample and the network's own resize are the same bilinear.
    """
    side, _ = network_side(source, recipe)
    margin = recipe.input.margin
    stored = round(side / (1 - margin))
    return InputSpec(min(source.native_size, stored), side, recipe.input.fit, margin=margin)


def check_recipe(recipe: Recipe, source: Source) -> None:
    """Refuse, before any film is read, a backbone, weights or a frozen part that will not do for
    films of ``source``. Raises UnknownBackbone, WeightsNotFound, BadWeights, BadRecipe."""
    from pneumoscope.models.weights import check_model  # timm takes seconds to import

    side, _ = network_side(source, recipe)
    model = recipe.model
    check_model(model.backbone, model.weights, side, model.freeze, recipe.train.views)


def network_side(source: Source, recipe: Recipe) -> tuple[int, str]:
    """Side of the network's input in pixels, and why."""
    if recipe.input.size != "auto":
        return recipe.input.size, "the recipe says so"
    return _AUTO, "more epochs gained more than 112 px did in the same time: docs/log.md"
