"""What came of an adaptation, in sentences: the same in the terminal and on the site card."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pneumoscope.evaluation.shortcuts import CHANCE
from pneumoscope.evaluation.site.card import SiteCard
from pneumoscope.evaluation.site.local import LocalFigures, LocalResult
from pneumoscope.formatting import (
    brief,
    listed,
    number,
    percent,
    percent_brief,
    plural,
    signed,
    signed_interval,
    written_alike,
)
from pneumoscope.inference.sets import UNLIKE_MEANS
from pneumoscope.inference.sets import words as set_words
from pneumoscope.report.kit.rows import Remark


def summary(card: SiteCard) -> tuple[Remark, ...]:
    """What came, what was changed, what is known here, what is not: a paragraph each."""
    return (
        Remark("What came.", " ".join(_came(card))),
        Remark("What was changed.", changed(card)),
        Remark("What is known here.", " ".join(_known(card))),
        Remark("What is not known.", " ".join(unknown(card))),
    )


def _came(card: SiteCard) -> Iterator[str]:
    films = card.films
    of = f" of {plural(films.patients, 'patient')}" if films.patients else ""
    yield f"{plural(films.used, 'film')}{of} from {films.name}, {films.labelled:,} with a label."
    if films.left_out:
        out = listed([f"{count:,} {reason}" for reason, count in films.left_out.items()])
        yield f"Left out: {out}."
    yield from map(set_words, card.differences or (None,))
    if any(each.unlike for each in card.differences):
        yield UNLIKE_MEANS


def changed(card: SiteCard) -> str:
    """What of the model is another, and what was left."""
    said = f"{'; '.join(card.changed)}." if card.changed else "Nothing."
    said = f"{said[:1].upper()}{said[1:]}"
    if card.statistics.part == "none" and card.local is None:
        said += f" Batch-norm statistics stay: {card.statistics.why}."
    if card.local is not None and not card.local.local_thresholds:
        said += f" Thresholds stay: {card.local.thresholds}."
    return said


def _known(card: SiteCard) -> Iterator[str]:
    if card.local is None:
        yield "How well it reads these films: nothing, for no labelled film judged it here."
    else:
        yield from _local(card.local, len(card.members))
        yield from card.notes
        yield from filter(None, [equal_words(card.local)])
    yield share_words(card)


def _local(local: LocalResult, members: int) -> Iterator[str]:
    was = local.carried
    model = f"mean of {members} models" if members else "model"
    yield (
        f"On {local.films:,} labelled films, {local.positives:,} with pneumonia, the {model} as it "
        f"comes has AUROC {brief(was.auroc)}, sensitivity {brief(was.sensitivity)} and specificity "
        f"{brief(was.specificity)}{_chance(was)}."
    )
    kept = next(each for each in local.candidates if each.kept)
    if not local.local_thresholds and (members or kept is local.candidates[0]):
        yield "No way of adapting it was clearly better on films that had no part in it."
        return
    now, how = local.adapted, "each member by itself" if members else kept.name
    yield (
        f"As adapted ({how}), on films that had no part in it: AUROC {brief(now.auroc)}, "
        f"a difference of {signed(local.gain.value)} ({signed_interval(local.gain)}), sensitivity "
        f"{brief(now.sensitivity)}, specificity {brief(now.specificity)}."
    )


def _chance(was: LocalFigures) -> str:
    """What a reader must hear where the model as it comes ranks these films no better than a coin
    does; else empty."""
    if was.auroc.high < CHANCE:
        return ": worse than a guess (AUROC 0.5)"
    return ": not shown to be better than a guess (AUROC 0.5)" if was.auroc.low <= CHANCE else ""


def equal_words(local: LocalResult) -> str:
    """What is said where two ways have one and the same row, for a slope that both hold at 0;
    empty where none have."""
    line, statistics = (
        next((each for each in local.candidates if each.name == name), None)
        for name in ("temperature and offset", "statistics")
    )
    if line is None or statistics is None or line.loss != statistics.loss:
        return ""
    return (
        "“statistics” has the row of “temperature and offset”: with either, a higher score means "
        "less pneumonia, the slope is held at 0, and every film gets one probability, the share "
        "of pneumonia among the labelled films. What the statistics do cannot show there."
    )


def share_words(card: SiteCard) -> str:
    """What is told of the share of pneumonia among the films."""
    share = card.share
    if share.told is None:
        return (
            f"The share of pneumonia among these films cannot be told from the scores: "
            f"{share.refused}."
        )
    said = (
        f"If these films differ from the validation films in nothing but their share of pneumonia, "
        f"it is {percent_brief(share.told)} here; there it is {percent(share.trained)}."
    )
    if card.moved is None:
        said += " Probabilities were not moved to it."
    return said


def unknown(card: SiteCard) -> Iterator[str]:
    """What these films cannot tell."""
    if card.local is None:
        yield (
            "Sensitivity and specificity at this site, and whether the thresholds suit it: the "
            "operating points are not validated here."
        )
    else:
        yield "How it does on films of a later year or another machine of this site."
        if math.isfinite(card.local.adapted.auroc.high):
            yield f"The intervals are of {card.local.films:,} films."
    if card.films.patients is None:
        yield "Whether films share a patient: patient ids are not known."
    yield "Whether a patient of these films is among those that it learnt from."


def needed_words(local: LocalResult) -> str:
    """How many labelled films make the figures precise."""
    parts = [
        f"{each.measure} of {number(each.value, 2)}: {each.of_class:,} films of that class, about "
        f"{each.films:,} films of this site"
        for each in local.needed
    ]
    return f"To know it to ± 5 points with 95%: {'; '.join(parts)} (Buderer 1996)."


def curve_words(local: LocalResult) -> str:
    """What more labelled films would bring, by the curve."""
    if len(local.curve) < 2:
        return "There are too few labelled films to say what more of them would bring."
    few, most = local.curve[-2:]
    step = most.auroc - few.auroc
    if written_alike(few.auroc, most.auroc):
        return (
            f"“{local.curve_of}” fitted on {most.films:,} labelled films has the AUROC that it "
            f"has on {few.films:,}, {number(most.auroc)}."
        )
    beyond = "more" if step > max(few.deviation, most.deviation) else "no more"
    return (
        f"“{local.curve_of}” fitted on {few.films:,} labelled films has AUROC "
        f"{number(few.auroc)}, on {most.films:,} {number(most.auroc)}: {signed(step)}, which is "
        f"{beyond} than what another draw of films moves it."
    )


def to_label_words(card: SiteCard) -> str:
    """Which films to label first."""
    chosen, every = card.to_label, sum(card.to_label.values())
    if not every:
        return "Every film has a label."
    return (
        f"{every:,} films are listed in to_label.csv: {chosen.get('random', 0):,} drawn at random, "
        f"which alone tell how good the model is here, and {chosen.get('uncertain', 0):,} that it "
        "is least sure of, which teach it most. Figures of the latter are of difficult films."
    )
