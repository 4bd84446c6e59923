"""Pages: a self-contained HTML file from an ordered table of sections, each with its template.

Every page has one style sheet and one script, and is written by ``Page.render``. To add a section
to a page, add a template in the page's folder and a line to its table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Generic, TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from pneumoscope.errors import printable
from pneumoscope.formatting import plural, split_name
from pneumoscope.report.repeat import repeating

DISCLAIMER = "Research use only. Not a medical device."

Variables = Mapping[str, object]
"""What a template prints, by name."""
C = TypeVar("C")
"""All that the sections of one page may draw on."""


@dataclass(frozen=True, slots=True)
class PageSection(Generic[C]):
    """One part of a page: its anchor and template, its title, and what gives the template's
    variables, or None to leave the section out."""

    name: str
    title: str
    gather: Callable[[C], Variables | None]


@dataclass(frozen=True, slots=True)
class Page(Generic[C]):
    """A kind of page. ``templates/NAME.html.j2`` is the whole, ``templates/NAME/SECTION.html.j2``
    each of its sections, in this order."""

    name: str
    sections: tuple[PageSection[C], ...]

    def render(self, context: C, /, **variables: object) -> str:
        """The HTML: sections by ``context``, all that stands around them by ``variables``."""
        environment = _environment()
        parts = []
        for section in self.sections:
            found = section.gather(context)
            if found is not None:
                template = environment.get_template(f"{self.name}/{section.name}.html.j2")
                parts.append((section, Markup(template.render(found))))  # noqa: S704 rendered
        return environment.get_template(f"{self.name}.html.j2").render(variables, parts=parts)


def unbroken(text: str) -> Markup:
    """``text`` with its number ranges, and what follows ±, held on one line by word joiners
    (U+2060) and no-break spaces."""
    joined = re.sub(r"(?<=\d)–(?=\d)", "\u2060–\u2060", escape(printable(text)))
    return Markup(joined.replace("± ", "±\u00a0"))  # noqa: S704 escaped


def lines(text: str) -> Markup:
    """``text`` of several lines, each as it would be shown alone."""
    return Markup("\n").join(map(printable, text.split("\n")))


def _finalize(value: object) -> object:
    """Control characters, and marks that turn the direction of reading, appear as escapes in all
    that a template shows: a file's name must not pass for another."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "\u00a0".join(map(printable, value.split("\u00a0")))  # our own no-break spaces stay


def identifier(name: str) -> str:
    """``name`` as an HTML id: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


@cache
def _environment() -> Environment:
    """Style, script and disclaimer are there for all."""
    environment = Environment(
        loader=PackageLoader("pneumoscope.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["disclaimer"] = DISCLAIMER
    environment.globals["style"] = _asset("report.css")
    environment.globals["script"] = _asset("report.js")
    environment.filters["identifier"] = identifier
    environment.filters["lines"] = lines
    environment.filters["plural"] = plural
    environment.filters["repeating"] = repeating
    environment.filters["split_name"] = split_name
    environment.filters["unbroken"] = unbroken
    return environment


def _asset(name: str) -> Markup:
    source = Path(__file__).parents[1] / "templates" / name
    return Markup(source.read_text(encoding="utf-8"))  # noqa: S704 our own file
