"""Documents are whole: no halves of a merge are left in them, and nothing stands in them twice."""

from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_document_is_whole(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not [line for line in text.splitlines() if line.startswith(("<<<<<<<", ">>>>>>>"))]
    long = Counter(part for part in text.split("\n\n") if len(part) > 200)
    assert [part for part, times in long.items() if times > 1] == []
