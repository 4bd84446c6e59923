"""By site: the figures of each of several sets, and of all films together beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pneumoscope.evaluation.results import SiteResult
from pneumoscope.formatting import brief, cell, plural
from pneumoscope.readings import Estimate
from pneumoscope.report.evaluated import EvaluatedRun
from pneumoscope.report.groups.table import GroupRow
from pneumoscope.report.kit.catalogue import grouped
from pneumoscope.report.kit.page import Variables
from pneumoscope.report.review.context import ReportContext

POOLED = "all together"


def columns(run: EvaluatedRun) -> list[str]:
    """What the columns of the table are of: each site, then all films."""
    return [*(site.name for site in run.results.sites or ()), POOLED]


def metric_rows(run: EvaluatedRun) -> list[tuple[str, list[GroupRow]]]:
    """Every metric by its group, for each site and for all films."""
    found = run.results
    return rows_of([*(site.metrics for site in found.sites or ()), found.metrics])


def rows_of(each: Sequence[Mapping[str, Estimate]]) -> list[tuple[str, list[GroupRow]]]:
    """Every metric of the last of ``each`` by its group, in a column for each."""
    return [
        (
            title,
            [GroupRow(m, tuple(cell(of[m.key]) for of in each if m.key in of)) for m in metrics],
        )
        for title, metrics in grouped(each[-1])
    ]


def words(run: EvaluatedRun) -> str:
    """The AUROC of each site in one sentence; empty where there is one."""
    said = site_words(run.results.sites or ())
    return f"{said} All together:" if said else ""


def site_words(sites: Sequence[SiteResult]) -> str:
    """The same of these sites."""
    parts = []
    for site in sites:
        auroc = site.metrics["auroc"]
        shown = brief(auroc) if math.isfinite(auroc.value) else "undefined, one class only"
        parts.append(f"{site.name} {shown} on {plural(site.n, 'film')}")
    return f"AUROC by site: {'; '.join(parts)}." if parts else ""


def gather(context: ReportContext) -> Variables | None:
    """What the section prints."""
    run = context.run
    if not run.results.sites:
        return None
    told = run.sites_told
    return {
        "told": f"{told.label_words} {told.film_words}" if told else "",
        "sites": run.results.sites,
        "columns": columns(run),
        "groups": metric_rows(run),
        "calibration": [
            (site.name, cell(site.calibration.slope), cell(site.calibration.in_the_large))
            for site in run.results.sites
        ],
    }
