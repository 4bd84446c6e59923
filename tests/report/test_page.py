"""Pages: what a template shows is escaped, on one line, and broken only where it may be."""

from __future__ import annotations

import pytest
from jinja2 import DictLoader
from markupsafe import Markup

from pneumoscope.report.kit import page as kit
from pneumoscope.report.kit.page import Page, PageSection, lines, unbroken
from pneumoscope.report.kit.rows import whisker


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page[str]:
    """A page of two sections, the second of which is left out where the context is empty."""
    templates = {
        "kind.html.j2": "<h1>{{ title }}</h1>"
        "{% for s, body in parts %}{{ s.name }}:{{ body }}{% endfor %}",
        "kind/first.html.j2": "<p>{{ text }}</p>",
        "kind/second.html.j2": "<pre>{{ text|lines }}</pre>",
    }
    monkeypatch.setattr(kit._environment(), "loader", DictLoader(templates))
    return Page(
        "kind",
        (
            PageSection("first", "First", lambda text: {"text": text}),
            PageSection("second", "Second", lambda text: {"text": text} if text else None),
        ),
    )


def test_a_section_without_variables_is_left_out(page: Page[str]) -> None:
    assert page.render("", title="x") == "<h1>x</h1>first:<p></p>"


def test_a_hostile_name_is_text_and_stays_on_its_line(page: Page[str]) -> None:
    said = page.render("a\u202eb\n<i>\x1b", title="1\u00a0s")
    assert said.startswith("<h1>1\u00a0s</h1>")  # our own no-break spaces stay
    assert r"<p>a\u202eb\n&lt;i&gt;\x1b</p>" in said
    assert "<pre>a\\u202eb\n&lt;i&gt;\\x1b</pre>" in said


def test_ranges_and_deviations_are_not_broken() -> None:
    assert unbroken("0.9 (0.8–1.0) ± 0.1, A–B") == "0.9 (0.8\u2060–\u20601.0) ±\u00a00.1, A–B"
    assert unbroken("<b>") == Markup("&lt;b&gt;") and lines("<b>\n") == Markup("&lt;b&gt;\n")


def test_a_whisker_lies_on_its_scale() -> None:
    assert whisker(0.7, 0.75, 0.8) == pytest.approx((70, 75, 80))
    assert whisker(-0.1, 0.5, 1.0) == pytest.approx((0, 50, 100))
    assert whisker(0.1, 0.4, 0.6, start=0.5) is None
