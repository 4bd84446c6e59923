"""Command-line options that several verbs share, each declared once.

Nothing heavy is imported here, for ``--help`` loads this module.
"""

# Typer looks at annotations when the program starts: they are values here, not text.
import inspect
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from pneumoscope.errors import InputError, nearest
from pneumoscope.records import READERS, DataRequest

# No square brackets: in help they are markup and would vanish.
_DATA = "A path, hf:owner/name, or pneumoniamnist (or …@64, @128, @224), kermany, phantom"

DataArgument = Annotated[str, typer.Argument(metavar="DATA", help=_DATA)]
DataOrNone = Annotated[str | None, typer.Argument(metavar="[DATA]", help=_DATA)]
_SITES = _DATA + "; several are trained on together: sites.yaml, or each with its own options "
_SITES += "as NAME:labels=FILE"
SitesArgument = Annotated[list[str], typer.Argument(metavar="DATA", help=_SITES)]
SitesOrNone = Annotated[list[str] | None, typer.Argument(metavar="DATA", help=_SITES)]
RecipeOption = Annotated[
    str, typer.Option("--recipe", "-r", metavar="NAME|FILE", help="See: pneumoscope recipes")
]
ChangeOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one key, e.g. train.epochs=4"),
]
SeedOption = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, metavar="N", help="All randomness follows from it")
]
OutOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The run folder itself; else runs/NNN-…")
]
RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="A finished run folder, or one of folds or seeds")
]

_COLUMNS = ("image", "label", "patient", "split")


def out_option(kind: str) -> Any:
    """``--out`` of a verb whose numbered folders are of that kind."""
    return typer.Option(metavar="DIR", help=f"The folder itself; else runs/NNN-{kind}-…")


def command_line() -> str:
    """The command as typed, quoted so that it can be repeated."""
    return shlex.join(["pneumoscope", *sys.argv[1:]])


@dataclass(frozen=True, slots=True)
class DataOptions:
    """What is said of DATA beside its name, as typed."""

    form: Annotated[
        str | None,
        typer.Option(
            metavar="FORM",
            help="What DATA is, where looking does not tell: folder, rsna, labelled, huggingface, "
            "table, medmnist, unlabelled",
        ),
    ] = None
    classes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORD=CLASS|FILE",
            help="What a class word means: normal, pneumonia or ignore; other=… for all others",
        ),
    ] = None
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A table of labels for the films of DATA")
    ] = None
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=NAME", help="The table's column for image, label, patient or split"
        ),
    ] = None
    readers: Annotated[
        str,
        typer.Option(
            metavar="RULE", help="Of several readers of a film: majority, any, all, or strict"
        ),
    ] = "majority"
    links: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="A folder that symbolic links of DATA may lead into"),
    ] = None
    keep_ids: Annotated[
        bool, typer.Option("--keep-ids", help="Keep patient and DICOM ids; else salted hashes")
    ] = False

    def given(self) -> bool:
        """Whether any of them was given."""
        return self != DataOptions()

    def request(self, data: str) -> DataRequest:
        """All that was asked of DATA. Raises InputError."""
        from pneumoscope.sources.meaning.answers import file_to_fill, parse_classes

        if self.readers not in READERS:
            raise InputError(
                "there is no such rule for readers",
                got=repr(self.readers),
                expected=nearest(self.readers, READERS),
            )
        return DataRequest(
            data,
            self.form,
            parse_classes(self.classes or []),
            self.labels,
            _columns(self.column or []),
            self.keep_ids,
            self.readers,
            tuple(self.links or ()),
            file_to_fill(self.classes or []),
        )

    def words(self, *data: str) -> list[str]:
        """The words of the command line that ask the same of ``data``, as they were typed."""
        words = [f"./{each}" if each.startswith("-") else each for each in data]
        words += ["--form", self.form] if self.form else []
        words += _each("--classes", self.classes)
        words += ["--labels", str(self.labels)] if self.labels else []
        words += _each("--column", self.column)
        words += ["--readers", self.readers] if self.readers != READERS[0] else []
        words += _each("--links", self.links)
        return [*words, "--keep-ids"] if self.keep_ids else words


def _each(option: str, values: Sequence[object] | None) -> list[str]:
    # A value that begins with a minus would be read as an option of its own.
    pairs = ((option, str(value)) for value in values or ())
    return [w for o, v in pairs for w in ([f"{o}={v}"] if v.startswith("-") else [o, v])]


def with_data_options(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with the fields of ``DataOptions`` as options of its own, in place of its parameter
    ``data_options``: Typer reads options from a signature and takes no records."""
    fields = list(inspect.signature(DataOptions).parameters.values())
    own = inspect.signature(verb, eval_str=True).parameters.values()
    others = [one for one in own if one.name != "data_options"]
    shown = [one.replace(kind=one.KEYWORD_ONLY) for one in (*others, *fields)]

    def typed(**words: Any) -> None:
        options = DataOptions(**{one.name: words.pop(one.name) for one in fields})
        verb(**words, data_options=options)

    typed.__name__, typed.__doc__ = verb.__name__, verb.__doc__
    typed.__annotations__ = {one.name: one.annotation for one in shown}
    # Where typer, like any other reader of signatures, looks first.
    typed.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    return typed


def _columns(given: list[str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for text in given:
        key, equals, name = (part.strip() for part in text.partition("="))
        if key not in _COLUMNS or not equals or not name or key in columns:
            raise InputError(
                "a column is named in another form",
                got=repr(text),
                expected="KEY=NAME, each KEY once; "
                + (nearest(key, _COLUMNS) if key not in _COLUMNS else f"{key}=NAME"),
                remedy="for example: --column label=Target",
            )
        columns[key] = name
    return columns
