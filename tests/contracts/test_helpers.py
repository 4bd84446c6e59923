"""What several tests use lies in ``tests/helpers``; no test imports from another."""

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_tests_import_from_the_helpers_alone() -> None:
    wrong = []
    for file in TESTS.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [
                f"{file.relative_to(TESTS)}:{node.lineno} imports {name}"
                for name in names
                if name.partition(".")[0] in ("tests", "conftest")
                and not name.startswith("tests.helpers")
            ]
    assert not wrong
