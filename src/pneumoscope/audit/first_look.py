"""What the table of a prepared set tells at once, without looking at a film."""

from __future__ import annotations

from pneumoscope.audit.counts import count_findings
from pneumoscope.audit.duplicates import Duplicates, duplicate_findings, exact_groups
from pneumoscope.audit.findings import Finding, gravest_first
from pneumoscope.data.prepared import PreparedSet


def first_look(prepared: PreparedSet) -> tuple[Finding, ...]:
    """The findings that the table alone gives, in a moment: labels, splits, patients, hashes."""
    exact = Duplicates(exact_groups(prepared.table), (), "pixel_hash" in prepared.table, True)
    findings = [*count_findings(prepared), *duplicate_findings(exact, prepared.table)]
    return gravest_first(findings)
