"""Pseudonyms: ids that may name a person are kept as salted hashes only.

The salt is drawn once for this user and lies in the cache folder, readable by its owner alone. So
an id has the same hash in every set prepared here, which joins a patient's films, and cannot be
found again by hashing all ids of a hospital.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

_SALT_BYTES = 32
_DIGEST_BYTES = 8

Pseudonym = Callable[[str], str]
"""From an id to what is kept of it."""


def salted(salt: bytes) -> Pseudonym:
    """16 hex digits of an id: BLAKE2b keyed with ``salt``."""

    def pseudonym(identity: str) -> str:
        data = identity.encode("utf-8", "surrogateescape")
        return hashlib.blake2b(data, key=salt, digest_size=_DIGEST_BYTES).hexdigest()

    return pseudonym


def load_salt(folder: Path) -> bytes:
    """The salt kept in ``folder``, drawn when there is none. Raises OSError."""
    file = folder / "salt"
    with contextlib.suppress(FileNotFoundError):
        return file.read_bytes()
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".salt.{secrets.token_hex(4)}.tmp"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(secrets.token_bytes(_SALT_BYTES))
        # Of two processes that draw one at the same time, the first wins for both.
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)
    return file.read_bytes()
