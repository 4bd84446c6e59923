"""Problem: why a request is refused, as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from pydantic import BaseModel

from pneumoscope.errors import PneumoscopeError
from pneumoscope.serve.answers import FilmAnswer

MEDIA_TYPE = "application/problem+json"
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
"""As RFC 9110 names them; Python 3.11 has the names of before."""


class ProblemAnswer(BaseModel):
    """What a refused request is answered with; ``detail`` and ``what`` are one sentence."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    what: str
    got: str | None = None
    expected: str | None = None
    remedy: str | None = None
    request: str | None = None
    films: list[FilmAnswer] | None = None


class Problem(Exception):
    """A request is refused with ``status``: what is at fault, what came, what was expected, what
    to do. ``again`` is after how many seconds to ask again, ``films`` what is known of each."""

    def __init__(
        self,
        status: int,
        what: str,
        *,
        got: str | None = None,
        expected: str | None = None,
        remedy: str | None = None,
        headers: Mapping[str, str] | None = None,
        films: Sequence[FilmAnswer] = (),
    ) -> None:
        super().__init__(what)
        self.status, self.what = status, what
        self.got, self.expected, self.remedy = got, expected, remedy
        self.headers = dict(headers or {})
        self.films = list(films)

    @classmethod
    def of(cls, status: int, error: PneumoscopeError) -> Problem:
        """What an error of the package says, as a problem."""
        got = None if error.got is None else str(error.got)
        return cls(status, error.what, got=got, expected=error.expected, remedy=error.remedy)

    def body(self, request: str) -> bytes:
        """As JSON, with the id of the request."""
        answer = ProblemAnswer(
            title=_TITLES.get(self.status) or HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.what,
            what=self.what,
            got=self.got,
            expected=self.expected,
            remedy=self.remedy,
            request=request,
            films=self.films or None,
        )
        return answer.model_dump_json(exclude={"films"} if not self.films else None).encode()


def busy(what: str, seconds: int = 1) -> Problem:
    """503: now is not the time, ``seconds`` later may be."""
    again = {"Retry-After": str(seconds)}
    return Problem(503, what, remedy=f"ask again in {seconds} s", headers=again)
