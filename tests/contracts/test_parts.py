"""Two distributions of one package: what the runtime has, and that it needs nothing else."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest
from tests.helpers.parts import (
    PACKAGE,
    ROOT,
    SETTINGS,
    in_runtime,
    install_runtime,
    package_files,
)
from tests.helpers.processes import python

WHOLE = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONTRACT = "The runtime needs nothing of the whole"

IMPORTED_AS = {"pillow": "PIL", "python-gdcm": "gdcm", "pylibjpeg-openjpeg": "openjpeg",
               "python-multipart": "python_multipart"}  # fmt: skip
"""Where it is not the name of the distribution."""


def _name(requirement: str) -> str:
    return re.split(r"[<>=\[ ]", requirement)[0]


def _imports(node: ast.AST) -> Iterator[str]:
    """What is imported, late or at once; what only type checkers see is left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            dots, module = "." * child.level, child.module or ""
            yield from (f"{dots}{module}.{alias.name}" for alias in child.names)
        yield from _imports(child)


def _module(name: str) -> Path | None:
    """The file of this package that is imported by that name, or by its beginning."""
    parts = name.split(".")[1:]
    for end in range(len(parts), -1, -1):
        place = PACKAGE.joinpath(*parts[:end])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None


def _crossings(file: Path) -> Iterator[str]:
    """Imports of a module that an environment with the runtime alone does not satisfy."""
    there = {IMPORTED_AS.get(_name(d), _name(d)) for d in SETTINGS["project"]["dependencies"]}
    package = ".".join(file.relative_to(PACKAGE.parent).parts[:-1])
    for imported in _imports(ast.parse(file.read_text("utf-8"))):
        name = resolve_name(imported, package)
        top = name.partition(".")[0]
        if top == "pneumoscope":
            found = _module(name)
            if found is None or not in_runtime(found):
                yield name
        elif top not in sys.stdlib_module_names and top not in there:
            yield name


def test_the_runtime_needs_nothing_of_the_whole() -> None:
    """But in verbs, which say that it is missing, and where the contract names it."""
    (contract,) = (c for c in WHOLE["tool"]["importlinter"]["contracts"] if c["name"] == CONTRACT)
    known = [re.split(" -> ", line) for line in contract["ignore_imports"]]
    for file in filter(in_runtime, package_files()):
        module = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
        if file.suffix != ".py" or module.startswith("pneumoscope.cli."):
            continue
        allowed = tuple(target for source, target in known if source == module)
        unknown = [name for name in _crossings(file) if not name.startswith(allowed or ("-",))]
        assert not unknown, f"{module} imports what the runtime has not"


def test_no_dependency_is_listed_twice() -> None:
    mine = {_name(d) for d in SETTINGS["project"]["dependencies"]}
    assert not mine & {_name(d) for d in WHOLE["project"]["dependencies"]}
    assert SETTINGS["project"]["scripts"] == WHOLE["project"]["scripts"]


def test_what_the_runtime_cannot_do_is_said(tmp_path: Path) -> None:
    code = install_runtime(tmp_path) + (
        "from pneumoscope.cli import main\n"
        "sys.argv = ['pneumoscope', 'train', 'kermany']\n"
        "assert main._run() == 2\n"
        "sys.argv = ['pneumoscope', 'doctor']\n"
        "sys.exit(main._run())"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert "only the runtime is installed here" in done.stderr
    assert "pneumoscope train kermany" in done.stderr and "Traceback" not in done.stderr
    assert "the runtime alone" in done.stdout and "Next: pneumoscope predict" in done.stdout


def test_onnx_runtime_keeps_no_record_of_its_user(tmp_path: Path) -> None:
    """Its wheels write one at home, to be sent to its maker, from the moment of loading."""
    told = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    homes = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    done = python("import pneumoscope, onnxruntime", env=told | homes)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())


def test_images_are_made_of_files_that_are_there_and_run_as_nobody() -> None:
    lines = (ROOT / "Containerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
    kept = (ROOT / ".containerignore").read_text("utf-8").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--" not in line]
    names = [name for line in copied for name in line]
    assert all((ROOT / name).exists() for name in names)
    assert kept[1] == "*" and {f"!{name}" for name in names} == {k for k in kept if k[0] == "!"}
    assert re.match(
        r"FROM docker\.io/library/python:3\.\d+\.\d+-slim-\w+ AS", lines[lines.index("") + 1]
    )
    for stage in " ".join(lines).split("FROM ")[-2:]:  # what is run
        assert "USER 10001:10001" in stage and 'ENTRYPOINT ["pneumoscope"]' in stage
    linter = shutil.which("hadolint")
    assert (
        not linter or subprocess.run([linter, ROOT / "Containerfile"], timeout=60).returncode == 0
    )


@pytest.mark.slow
def test_the_wheels_share_no_file_and_lose_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = pytest.importorskip("hatchling.builders.wheel")

    def build(project: Path, version: str = "standard") -> zipfile.ZipFile:
        builder = wheels.WheelBuilder(str(project))
        return zipfile.ZipFile(next(builder.build(directory=str(tmp_path), versions=[version])))

    def metadata(wheel: zipfile.ZipFile) -> str:
        (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
        return wheel.read(name).decode()

    runtime, whole = build(ROOT / "runtime"), build(ROOT)
    mine, theirs = (
        {name for name in wheel.namelist() if ".dist-info/" not in name}
        for wheel in (runtime, whole)
    )
    assert not mine & theirs
    assert mine | theirs == {str(f.relative_to(PACKAGE.parent)) for f in package_files()}
    assert any(name.endswith("/LICENSE") for name in runtime.namelist())
    # From a checkout no index is asked; what is published asks for the same version.
    beside = (ROOT / "runtime").as_uri()
    assert f"Requires-Dist: pneumoscope-runtime @ {beside}\n" in metadata(whole)
    monkeypatch.setenv("PNEUMOSCOPE_RELEASE", "1")
    assert re.search(r"Requires-Dist: pneumoscope-runtime==[0-9.]+\n", metadata(build(ROOT)))
    # The source has the files once, and both wheels are made of it.
    sources = pytest.importorskip("hatchling.builders.sdist").SdistBuilder(str(ROOT))
    with tarfile.open(next(sources.build(directory=str(tmp_path), versions=["standard"]))) as tar:
        below = {name.split("/")[1] for name in tar.getnames()}
    assert {"src", "runtime"} <= below and "pneumoscope" not in below
    # The checkout is found before a copy of the runtime.
    editable = build(ROOT, "editable")
    assert "pneumoscope-runtime" not in metadata(editable)
    assert "Requires-Dist: onnxruntime" in metadata(editable)
    line = editable.read("_pneumoscope_first.pth").decode()
    monkeypatch.setattr(sys, "path", ["first", "/venv/lib/site-packages", "last"])
    exec(line, {}, {})
    assert sys.path == ["first", str(ROOT / "src"), "/venv/lib/site-packages", "last"]
