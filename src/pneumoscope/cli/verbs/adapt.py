"""``pneumoscope adapt``: carry a finished model to the films of a new site."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from pneumoscope.cli.options import (
    DataArgument,
    DataOptions,
    command_line,
    out_option,
    with_data_options,
)
from pneumoscope.cli.screen import Screen, short
from pneumoscope.cli.verbs.evaluate import share as as_share


def _asked(text: str) -> float | str:
    """A share as typed, or the word ``estimated``. Raises InputError."""
    return text if text == "estimated" else as_share(text)


@with_data_options
def adapt(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run folder")],
    data: DataArgument,
    without_labels: Annotated[
        bool, typer.Option("--without-labels", help="Use no label, though DATA may have some")
    ] = False,
    share: Annotated[
        str | None,
        typer.Option(
            metavar="P", help="Move probabilities to this share of pneumonia, or to: estimated"
        ),
    ] = None,
    fine_tune: Annotated[
        bool, typer.Option("--fine-tune", help="Try to train the whole network too, which is slow")
    ] = False,
    out: Annotated[Path | None, out_option("adapt")] = None,
    *,
    data_options: DataOptions,
) -> None:
    """Carry a finished RUN to films of a new site; RUN itself is not altered."""
    with Screen() as screen:
        screen.stage("Start")
        from pneumoscope.workflows.adapt.adapt import adapt as work
        from pneumoscope.workflows.adapt.request import AdaptRequest

        asked = None if share is None else _asked(share)
        request = AdaptRequest(
            run, data_options.request(data), not without_labels, asked, fine_tune
        )
        folder = work(request, out=out, command=command_line(), listener=screen)
        _show(folder, [str(run), *data_options.words(data)], screen)


def _show(folder: Path, asked: list[str], screen: Screen) -> None:
    from pneumoscope.evaluation.site.card import read_card
    from pneumoscope.report.site.words import summary, to_label_words
    from pneumoscope.run import Run

    files = Run(folder)
    card = read_card(files.site_file)
    screen.stage("Result")
    for remark in summary(card):
        screen.paragraph(remark.text, remark.lead)
    if card.to_label:
        screen.paragraph(to_label_words(card), "Which films to look at first.")
    place = shlex.quote(short(folder))
    screen.line(f"The model is in {short(folder)}; the one that was carried is not altered")
    screen.line(f"Next: open {short(files.report_file)}, the site card, in a browser")
    if card.to_label and "--labels" not in asked:
        labels = shlex.quote(short(files.to_label_file))
        screen.line(f"  labels filled in: pneumoscope adapt {shlex.join(asked)} --labels {labels}")
    screen.line(f"  new films: pneumoscope predict {place} FILMS")
