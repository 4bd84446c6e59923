"""The audit of a data set, from what the user named to a page."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from pneumoscope.audit.audit import Audit, audit
from pneumoscope.data.prepared import PreparedSet
from pneumoscope.recipe import load_recipe
from pneumoscope.records import DataRequest, Listener, Silent
from pneumoscope.report.audit_page import write_audit
from pneumoscope.run import check_new, create_folder, writing
from pneumoscope.workflows.data import prepare_data


def audit_data(
    request: DataRequest,
    against: DataRequest | None = None,
    *,
    out: Path | None = None,
    listener: Listener | None = None,
) -> tuple[Audit, Path]:
    """Every check on ``request``; the audit, and its page in a new folder beside audit.json.

    Films that cannot be read are findings here, however many they are.
    """
    listener = listener or Silent()
    check_new(out)
    _check_writable(out.absolute().parent if out else Path("runs").absolute())
    prepared = _prepared(request, listener)
    other = _prepared(against, listener) if against else None
    found = audit(prepared, other, listener)

    def fill(draft: Path, name: str) -> None:
        write_audit(draft, found.to_json(), prepared, other)

    folder = create_folder(out, f"audit-{found.name}", fill)
    return found, folder / "audit.html"


def _check_writable(folder: Path) -> None:
    """Refuse a closed folder before the work, not after it."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    with writing(folder):
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _prepared(request: DataRequest, listener: Listener) -> PreparedSet:
    """The set as training by the default recipe would prepare it, so that neither waits twice."""
    recipe = load_recipe("default", ["data.most_bad=1.0"])
    return prepare_data(request, recipe, listener, out=None)
