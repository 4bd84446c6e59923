"""The options that several verbs share, each declared once. Nothing heavy is imported here."""

# Typer looks at annotations when the program starts: they are values here, not text.
import inspect
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pneumoscope.records import DataRequest

# No square brackets: in help they are markup and would vanish.
_DATA = "A path, hf:owner/name, or pneumoniamnist (or …@64, @128, @224), kermany, phantom"

DataArgument = Annotated[str, typer.Argument(metavar="DATA", help=_DATA)]
DataOrNone = Annotated[str | None, typer.Argument(metavar="[DATA]", help=_DATA)]
RecipeOption = Annotated[
    str, typer.Option("--recipe", "-r", metavar="NAME|FILE", help="See: pneumoscope recipes")
]
ChangeOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one key, e.g. train.epochs=4"),
]
SeedOption = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="All randomness follows from it")
]
OutOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The run folder itself; else runs/NNN-…")
]
RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="A finished run folder, or one of folds or seeds")
]


def out_option(kind: str) -> Any:
    """``--out`` of a verb whose numbered folders are of that kind."""
    return typer.Option(metavar="DIR", help=f"The folder itself; else runs/NNN-{kind}-…")


@dataclass(frozen=True, slots=True)
class AboutData:
    """What is said of DATA beside its name, as typed."""

    form: Annotated[
        str | None,
        typer.Option(
            metavar="FORM",
            help="What DATA is, where looking does not tell: folder, rsna, dicom, huggingface, "
            "table, medmnist, unlabelled",
        ),
    ] = None
    classes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORD=CLASS", help="What a class word means: normal, pneumonia or ignore"
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
    keep_ids: Annotated[
        bool, typer.Option("--keep-ids", help="Keep patient and DICOM ids; else salted hashes")
    ] = False

    def said(self) -> bool:
        """Whether any of them was given."""
        return any(astuple(self))

    def request(self, data: str) -> "DataRequest":
        """All that was asked of DATA. Raises InputError."""
        from pneumoscope.cli.request import request_of

        return request_of(data, self.form, self.classes, self.labels, self.column, self.keep_ids)


def about_data(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with the options of ``AboutData`` in place of its parameter ``about``."""
    options = list(inspect.signature(AboutData).parameters.values())
    own = inspect.signature(verb, eval_str=True).parameters.values()
    others = [one.replace(kind=one.KEYWORD_ONLY) for one in own if one.name != "about"]
    shown = [*others, *(one.replace(kind=one.KEYWORD_ONLY) for one in options)]

    def typed(**words: Any) -> None:
        about = AboutData(**{one.name: words.pop(one.name) for one in options})
        verb(**words, about=about)

    typed.__name__, typed.__doc__ = verb.__name__, verb.__doc__
    typed.__annotations__ = {one.name: one.annotation for one in shown}
    # Where typer, like any other reader of signatures, looks first.
    typed.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    return typed
