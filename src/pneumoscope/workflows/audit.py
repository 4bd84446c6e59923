"""Audit of a data set, from what the user named to a page."""

from __future__ import annotations

from pathlib import Path

from pneumoscope.audit.audit import Audit, audit
from pneumoscope.listener import Listener, Silent
from pneumoscope.recipe import load_recipe
from pneumoscope.records import DataRequest
from pneumoscope.report.audit.page import write_audit
from pneumoscope.run import check_output, create_folder
from pneumoscope.workflows.data import find_data, prepare_data, tell_door

AUDIT_SIDE = 112
"""Side in pixels of the films that are audited: what the detectors were measured at."""


def audit_data(
    request: DataRequest,
    against: DataRequest | None = None,
    *,
    out: Path | None = None,
    command: str = "",
    listener: Listener | None = None,
) -> tuple[Audit, Path]:
    """Every check on ``request``; the audit, and its page in a new folder beside audit.json.

    ``against`` names a second set of films that are looked for in the first. Films that cannot
    be read are findings here, however many they are.
    """
    listener = listener or Silent()
    check_output(out)
    recipe = load_recipe("default", ["data.most_bad=1.0", f"input.size={AUDIT_SIDE}"])
    asked = [request, against] if against else [request]
    # Both are looked for before the first is read: a slip in the second name shows at once.
    sources = [(each, find_data(each, listener)) for each in asked]
    sets = [prepare_data(each, recipe, listener, source=source) for each, source in sources]
    prepared, other = sets[0], sets[1] if against else None
    found = audit(prepared, other, listener)
    if found.door:
        tell_door(found.door, listener, "What the data holds", "audit.json")

    def fill(draft: Path, name: str) -> None:
        write_audit(draft, found, prepared, other, command=command)

    folder = create_folder(out, f"audit-{found.name}", fill)
    return found, folder / "audit.html"
