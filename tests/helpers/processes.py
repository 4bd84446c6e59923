"""Python in a process of its own, which is not waited for without end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

PATIENCE = 120.0
"""Seconds, where a second or two are usual."""


def python(
    code: str, *words: object, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """How ``code`` ends that is given these words, and what it prints."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=env,
        check=False,
    )
