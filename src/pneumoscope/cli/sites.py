"""Several sets in one command: DATA DATA …, what is said of one of them, and ``sites.yaml``.

A word is a set, ``NAME=DATA`` a set that is given a name, and ``NAME:OPTION=VALUE`` an option of
one set. A file ``*.yaml`` says the same: by the name of each set its path, or a mapping of ``path``
and options.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import combining, normalize

from pneumoscope.cli.options import DataOptions
from pneumoscope.errors import DataNotFound, InputError, nearest
from pneumoscope.records import DataRequest

if TYPE_CHECKING:
    import yaml

_NAME = "[A-Za-z0-9][A-Za-z0-9._@-]*"
_OPTION = re.compile(rf"({_NAME}):([a-z]+)=(.*)", re.DOTALL)
_NAMED = re.compile(rf"({_NAME})=(.+)", re.DOTALL)
_OWN = ("form", "labels", "column", "classes", "readers", "links")
"""What can be said of one set of several; ``keep_ids`` holds for all."""

_AMBIGUOUS = ("form", "labels", "column")
"""Options that are of one set, and so need its name where there are several."""


def request_of(words: Sequence[str], options: DataOptions) -> DataRequest:
    """What was asked of one set, or of several. Raises InputError."""
    data, own = _sites(words)
    if len(data) == 1 and not own:
        return options.request(next(iter(data.values())))
    for site in own:
        if site not in data:
            raise InputError(
                "an option is of a set that is not named",
                got=f"{site}:{own[site][0][0]}={own[site][0][1]}",
                expected=nearest(site, tuple(data)),
                remedy="name each set by its folder, or give it a name: NAME=DATA",
            )
    if len(data) > 1:
        _check_general(options, next(iter(data)))
    requests = {
        site: _laid(options, own.get(site, ())).request(each) for site, each in data.items()
    }
    if len(data) == 1:
        return next(iter(requests.values()))
    return DataRequest.of_sites(requests, keep_ids=options.keep_ids)


def _sites(words: Sequence[str]) -> tuple[dict[str, str], dict[str, list[tuple[str, str]]]]:
    """Each set by its name, and what is said of each, as typed."""
    data: dict[str, str] = {}
    own: dict[str, list[tuple[str, str]]] = {}
    for word in words:
        there = Path(word).exists()
        if not there and (option := _OPTION.fullmatch(word)):
            site, name, value = option.groups()
            _check_own(word, name)
            own.setdefault(site, []).append((name, value))
        elif there and Path(word).suffix in (".yaml", ".yml"):
            for site, (each, said) in _read(Path(word)).items():
                _add(data, site, each)
                own.setdefault(site, []).extend(said)
        elif not there and not word.startswith("hf:") and (named := _NAMED.fullmatch(word)):
            _add(data, *named.groups())
        else:
            _add(data, _name_of(word), word)
    if not data:
        raise InputError("there is no set", got=" ".join(words), expected="DATA")
    return data, {site: said for site, said in own.items() if said}


def _name_of(data: str) -> str:
    """The name of a set: that of its folder or file, in letters that ids and folders may have."""
    named = Path(data).expanduser().absolute() if Path(data).exists() else Path(data)
    # ü is taken apart into u and its dots, which are left out.
    plain = normalize("NFKD", named.stem if named.is_file() else named.name)
    plain = "".join(letter for letter in plain if not combining(letter))
    name = re.sub("[^A-Za-z0-9._@-]+", "-", plain)
    return name.strip("-._") or "set"


def _add(data: dict[str, str], site: str, each: str) -> None:
    if site in data:
        raise InputError(
            "two sets have one name",
            got=f"{site}: {data[site]} and {each}",
            expected="a name for each",
            remedy=f"give them names: one={data[site]} other={each}",
        )
    data[site] = each


def _check_own(word: str, name: str) -> None:
    if name not in _OWN:
        raise InputError(
            "this cannot be said of one set of several",
            got=word,
            expected=nearest(name, _OWN),
        )


def _check_general(options: DataOptions, site: str) -> None:
    """Refuse options that can only be of one set, where none is named."""
    for name in _AMBIGUOUS:
        if value := getattr(options, name):
            first = value[0] if isinstance(value, list) else value
            raise InputError(
                f"--{name} is of one set, and there are several",
                got=f"--{name} {first}",
                remedy=f"say of which: {site}:{name}={first}",
            )


def _laid(options: DataOptions, said: Sequence[tuple[str, str]]) -> DataOptions:
    """The options of one set: those of all, and what is ``said`` of it alone."""
    values: dict[str, Any] = {}
    for name, value in said:
        if name in ("column", "classes", "links"):
            before = values.get(name, list(getattr(options, name) or ()))
            values[name] = [*before, Path(value) if name == "links" else value]
        elif name in values:
            raise InputError(f"{name} is said twice of one set", got=value)
        else:
            values[name] = Path(value) if name == "labels" else value
    return replace(options, **values)


def _read(file: Path) -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """The sets of a ``sites.yaml``, paths taken from its folder. Raises InputError."""
    import yaml

    try:
        text = file.read_text("utf-8")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        _check_once(file, tree)
        found = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(
            f"{file.name} is no YAML", got=f"line {line}: {error.problem}", expected="NAME: PATH"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{file} cannot be read", got=str(error)) from None
    if not isinstance(found, Mapping) or not found:
        raise _bad(file, repr(found))
    return {str(site): _entry(file, str(site), value) for site, value in found.items()}


def _check_once(file: Path, tree: yaml.Node | None) -> None:
    """Refuse a key that is said twice, of which YAML would take the last in silence."""
    import yaml

    pairs = tree.value if isinstance(tree, yaml.MappingNode) else []
    names = [key.value for key, _ in pairs]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InputError(
                f"{file.name} says {name} twice",
                got=f"line {pairs[place][0].start_mark.line + 1}: {name}",
                expected="each name once",
                remedy="give the sets names of their own",
            )
    for _, value in pairs:
        _check_once(file, value)


def _entry(file: Path, site: str, value: object) -> tuple[str, list[tuple[str, str]]]:
    options = dict(value) if isinstance(value, Mapping) else {"path": value}
    path = options.pop("path", None)
    if not re.fullmatch(_NAME, site):
        raise InputError(
            f"a name in {file.name} cannot be that of a set",
            got=site,
            expected="letters A to Z, digits and . _ @ -, for films and folders bear it",
            remedy=f"for example {_name_of(site)}: its path may be any",
        )
    if not isinstance(path, str):
        raise _bad(file, f"{site}: {value!r}")
    said = []
    for name, each in options.items():
        _check_own(f"{site}: {name}", str(name))
        for one in _plain(each):
            said.append((name, _there(file, one) if name in ("labels", "links") else one))
    return _there(file, path), said


def _plain(value: object) -> list[str]:
    """One or more values as typed on a command line."""
    if isinstance(value, Mapping):
        return [f"{key}={each}" for key, each in value.items()]
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _there(file: Path, path: str) -> str:
    """A path as it is meant from the folder of the file; a name stays one. Raises DataNotFound."""
    beside = file.parent / Path(path).expanduser()
    if beside.exists():
        return str(beside)
    if not Path(path).exists():
        _check_named(file, path)
    return path


def _check_named(file: Path, path: str) -> None:
    """Refuse what is neither there nor a set that is known by name. An error later on could not
    tell from where the path was meant."""
    from pneumoscope.sources.detect import NAMES  # readers of films, which a path does not need

    name = path.partition("@")[0]
    if name in NAMES or path.startswith("hf:"):
        return
    expected = "a file or folder that exists"
    if not set("/\\.") & set(path):
        expected += f", or a name, {nearest(name, NAMES)}"
    raise DataNotFound(
        f"{file.name} names what is not there",
        got=path,
        expected=expected,
        remedy=f"check it: paths in {file.name} start at its folder, {file.parent.absolute()}",
    )


def _bad(file: Path, got: str) -> InputError:
    return InputError(
        f"{file.name} is no list of sets",
        got=got,
        expected="NAME: PATH, or NAME: with path, " + ", ".join(_OWN),
        remedy="see docs/data.md, several sets at once",
    )
