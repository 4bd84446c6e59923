"""What every page is made with: the templates, one style sheet and script, sections in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pneumoscope.report.kit import words


class Named(Protocol):
    """A section, whose template bears its name."""

    @property
    def name(self) -> str:
        """The section's anchor, and its template without the ending."""


def render_page(
    page: str,
    folder: str,
    sections: Iterable[tuple[Named, Mapping[str, Any] | None]],
    /,
    **known: Any,
) -> str:
    """The HTML of the template ``page`` with the variables ``known``.

    ``sections`` are (section, its template's variables, or None to leave it out); their templates
    lie under ``folder``. The page has them as ``parts``, (section, markup) in the same order.
    """
    environment = _environment()
    parts = []
    for section, context in sections:
        if context is not None:
            template = environment.get_template(f"{folder}/{section.name}.html.j2")
            parts.append((section, Markup(template.render(**context))))  # noqa: S704 rendered
    return environment.get_template(page).render(parts=parts, **known)


@cache
def _environment() -> Environment:
    """Style, script and disclaimer are there for all."""
    environment = Environment(
        loader=PackageLoader("pneumoscope.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["disclaimer"] = words.DISCLAIMER
    environment.globals["style"] = _asset("report.css")
    environment.globals["script"] = _asset("report.js")
    environment.filters["identifier"] = words.identifier
    environment.filters["split_name"] = words.split_name
    environment.filters["unbroken"] = words.unbroken
    return environment


def _asset(name: str) -> Markup:
    source = Path(__file__).parents[1] / "templates" / name
    return Markup(source.read_text(encoding="utf-8"))  # noqa: S704 our own file
