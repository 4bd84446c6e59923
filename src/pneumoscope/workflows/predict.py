"""Prediction on new films: find them, read them in a stream, write rows as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.errors import DataNotFound, InputError, Interrupted, NotARun
from pneumoscope.formatting import plural
from pneumoscope.inference.classifier import Classifier
from pneumoscope.inference.exported import is_export, open_export
from pneumoscope.inference.films import FilmInput, find_films
from pneumoscope.inference.image_warnings import withholding
from pneumoscope.inference.model import Model
from pneumoscope.inference.output import (
    STDOUT,
    AddReading,
    check_new_text,
    csv_rows,
    json_rows,
)
from pneumoscope.inference.sets import SetCheck, words
from pneumoscope.listener import Listener, Silent
from pneumoscope.metrics.shift.distance import LEAST, SetDifference
from pneumoscope.readings import OperatingPoint, Reading
from pneumoscope.run import Run, check_new, no_run

if TYPE_CHECKING:  # it draws, which is seldom asked for
    from pneumoscope.workflows.explain.pictures import HeatPictures

UNSURE = "UNSURE"
"""Why a film is withheld of which both labels are plausible."""

SCREENFUL = 40
"""Rows that fit a screen; of more films only those are shown that somebody should look at."""


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """What the user asked for. ``csv`` and ``json`` name new files, ``-`` is standard output;
    ``point`` an operating point, ``device`` as ``Classifier.load`` takes it; ``heatmaps`` a new
    folder for pictures. ``decide_all`` decides on what is withheld as no frontal chest film too."""

    run: Path
    films: tuple[str, ...]
    csv: str | None = None
    json: str | None = None
    point: str | None = None
    device: str = "auto"
    decide_all: bool = False
    heatmaps: Path | None = None


@dataclass
class Summary:
    """What came of it, without the rows. ``shown`` are all rows where they fit a screen, else the
    first with errors or findings; ``odd`` counts those there are. ``as_a_set`` says how far all
    films together are from the training films; None for one film, or where that is not known."""

    total: int
    point: OperatingPoint | None = None
    done: int = 0
    read: int = 0
    odd: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    withheld: Counter[str] = field(default_factory=Counter)
    as_a_set: SetDifference | None = None
    shown: list[Reading] = field(default_factory=list)

    def add(self, reading: Reading) -> None:
        """Count one row, and keep it where it is to be shown."""
        odd = bool(reading.error or reading.findings)
        self.done += 1
        self.odd += odd
        self.findings.update(reading.findings)
        if reading.error is not None:
            self.errors[reading.error] += 1
        else:
            self.read += 1
            self.decisions[reading.outcome] += 1
            if reading.abstained:
                self.withheld[withholding(reading.findings) or UNSURE] += 1
        if (odd or self.total <= SCREENFUL) and len(self.shown) < SCREENFUL:
            self.shown.append(reading)


def predict(request: PredictRequest, *, listener: Listener | None = None) -> Summary:
    """Read every film of ``request`` and write the rows that it asks for.

    Raises OutputExists, OutputNotWritable, NotARun, BadWeights and InputError before any film is
    read; what is wrong with a film is in its row. Raises Interrupted when the user stops it.
    """
    listener = listener or Silent()
    _check_outputs(request)
    _check_folder(request.run.expanduser(), request.films)
    found = find_films(request.films)
    count = len(found.files)
    there = sum(film.error is None for film in found.files)
    listener.stage(f"Found {plural(there, 'film')}")
    for reason, passed in found.passed_over.items():
        listener.choice("passed over", f"{passed:,}", reason)
    summary = Summary(count)
    try:
        _answer(request, found.files, summary, listener)
    except KeyboardInterrupt:
        raise _stopped(request, summary) from None
    return summary


def _answer(
    request: PredictRequest, files: Sequence[FilmInput], summary: Summary, listener: Listener
) -> None:
    """Read ``files`` one by one into ``summary`` and the files that were asked for."""
    with ExitStack() as outputs:
        # Opened before the model is loaded: a closed folder is said at once.
        takers: list[AddReading] = [summary.add]
        if request.csv:
            takers.append(outputs.enter_context(csv_rows(request.csv)))
        if request.json:
            takers.append(outputs.enter_context(json_rows(request.json)))
        listener.stage("Load the model")
        classifier, heat = _load(request)
        for note in classifier.notes:
            listener.choice(*note)
        summary.point = classifier.point(request.point)
        listener.stage(f"Read on {classifier.device}")
        check = SetCheck(classifier.reference)
        readings = classifier.stream(
            files, point=request.point, decide_all=request.decide_all, seen=check.add
        )
        told = False
        for done, reading in enumerate(readings, 1):
            for add in takers:
                add(reading)
            if not told and check.count >= LEAST and done < len(files):
                told = True  # of the first films, for those who can stop here
                if (first := check.verdict) and first.unlike:
                    listener.note(words(first))
            if done % 16 == 0 or done == len(files):
                listener.progress(done, len(files), "film")
        summary.as_a_set = check.verdict if check.count > 1 else None
    # Films are read anew: the rows are whole first, and no film waits in memory to be drawn.
    if heat and request.heatmaps and summary.read:
        heat.write(files, request.heatmaps, listener)


def _load(request: PredictRequest) -> tuple[Classifier, HeatPictures | None]:
    """The model, and what draws its heatmaps where they are asked for."""
    folder = request.run.expanduser()
    if is_export(folder):
        model = open_export(folder, request.device)
        return Classifier(model), _heat_of_export(model) if request.heatmaps else None
    # torch takes seconds to load, and what was said before this does not need it.
    from pneumoscope.devices import choose_device, use_all_cores
    from pneumoscope.inference.members import load_members
    from pneumoscope.training.allocator import keep_freed_memory

    keep_freed_memory()
    use_all_cores()
    device = choose_device(request.device)
    members = load_members(folder)
    heat = None
    if request.heatmaps:
        from pneumoscope.workflows.explain.pictures import pictures_of_run

        # Of the networks as they were trained: those of the classifier give no gradients.
        heat = pictures_of_run(members, device)
    return Classifier(members.ready(device)), heat


def _heat_of_export(model: Model) -> HeatPictures:
    from pneumoscope.workflows.explain.pictures import pictures_of_export

    return pictures_of_export(model)


def _stopped(request: PredictRequest, summary: Summary) -> Interrupted:
    """What to say when the user has stopped the reading."""
    what = f"the reading was stopped after {summary.done:,} of {summary.total:,} films"
    left = "nothing is written: a file of rows is there when it is whole"
    if summary.done == summary.total and request.heatmaps:
        what, left = "the drawing of heatmaps was stopped", "every row is written, no heatmap"
    elif STDOUT in (request.csv, request.json):
        left = "the rows until there were printed"
    elif not (request.csv or request.json):
        left = "nothing is lost but the table"
    return Interrupted(
        what,
        got=left,
        remedy="start it again; folder by folder, what is done is kept",
    )


def _check_folder(folder: Path, films: Sequence[str]) -> None:
    """Refuse, before films are looked for, a folder that is not there, or a run that was named
    after the films. Raises NotARun."""
    swapped = next((name for name in films if Run(Path(name)).model_file.is_file()), None)
    if swapped is not None and not Run(folder).model_file.is_file():
        raise NotARun(
            "this is no run, and a run stands among the films: is it the other way round?",
            got=folder,
            remedy=f"pneumoscope predict {swapped} {folder}",
        )
    if not folder.is_dir():
        raise no_run(folder)


def check_read(summary: Summary) -> None:
    """Raise DataNotFound where not one film could be read."""
    if not summary.read:
        reasons = "; ".join(f"{n:,} × {reason}" for reason, n in summary.errors.most_common(5))
        raise DataNotFound(
            "no film could be read",
            got=reasons or "no file and no folder",
            expected="JPEG, PNG, TIFF, BMP, WebP or DICOM files, or folders of them",
        )


def _check_outputs(request: PredictRequest) -> None:
    if request.csv and request.csv == request.json:
        raise InputError(
            "CSV and JSON cannot go to the same place", got=request.csv, expected="two names"
        )
    for name in filter(None, (request.csv, request.json)):
        check_new_text(name)
    check_new(request.heatmaps)
