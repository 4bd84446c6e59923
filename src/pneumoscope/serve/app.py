"""App: the paths of the service, by FastAPI, behind the guard."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from typing import Any, Literal

from fastapi import FastAPI, Query
from fastapi import Request as WebRequest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from pneumoscope import __version__
from pneumoscope.errors import InputError, UnreadableImage
from pneumoscope.imaging.read import FORMATS, form_of
from pneumoscope.serve import counts
from pneumoscope.serve.answers import Answer, FilmAnswer, ModelAnswer
from pneumoscope.serve.border.body import MULTIPART, check_type, films_of
from pneumoscope.serve.border.guard import PATHS, READ, REQUEST, Access, Guard, failed
from pneumoscope.serve.border.request import Gone, Request
from pneumoscope.serve.border.room import full
from pneumoscope.serve.problem import MEDIA_TYPE, Problem, ProblemAnswer
from pneumoscope.serve.reader import Wanted
from pneumoscope.serve.service import READY, Service

_REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemAnswer, "description": words}
    for status, words in (
        (401, "The token is missing, or another one"),
        (408, "The body comes too slowly"),
        (413, "The body is too large, or holds too many films"),
        (415, "The body is of a type that is not read"),
        (422, "No film can be read, or a parameter has another value"),
        (503, "Loading, draining, or more waits than is held"),
    )
}
_KNOWN = f"one of: {', '.join(sorted(PATHS))}"
_BODY = {
    "required": True,
    "content": {
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        MULTIPART: {
            "schema": {
                "type": "object",
                "properties": {
                    "film": {
                        "type": "array",
                        "items": {"type": "string", "format": "binary"},
                        "maxItems": 16,
                    }
                },
            }
        },
    },
}


def application(service: Service, access: Access) -> ASGIApp:
    """The whole service: what uvicorn is given."""
    app = FastAPI(
        title="pneumoscope",
        version=__version__,
        description="Readings of chest films. Research use only: not a medical device.",
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_answers(app, service)
    _add_states(app, service)
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    return Guard(app, service, access)


def _add_answers(app: FastAPI, service: Service) -> None:
    @app.post(READ, responses=_REFUSED, response_model=Answer, openapi_extra={"requestBody": _BODY})
    async def read(
        request: WebRequest,
        point: str | None = Query(None, max_length=64, description="An operating point"),
        heatmap: Literal["png"] | None = Query(None, description="Where the model looks"),
        film: Literal["png"] | None = Query(None, description="The film as the model takes it"),
    ) -> Response:
        """The readings of 1 to 16 films: the body is one film, or a form of them."""
        wanted = _wanted(service, point, heatmap is not None, film is not None)
        mine: Request = request.scope[REQUEST]
        headers = mine.headers
        boundary = check_type(headers.get("content-type"), headers.get("content-encoding"))
        films = await films_of(_chunks(mine), boundary, service.limits.films)
        mine.forms = [_form(each) for each in films]
        if service.reader.waiting + len(films) > service.limits.waiting:
            raise full()
        found = await service.reader.answers(films, wanted)
        service.counts.films.update(each.outcome for each in found)
        _check_read(found)
        answer = Answer(request=mine.id, films=found)
        return Response(answer.model_dump_json(), media_type="application/json")

    @app.get("/v1/model", responses={k: _REFUSED[k] for k in (401, 503)})
    async def model() -> ModelAnswer:
        """What is known of the model."""
        return service.about


def _add_states(app: FastAPI, service: Service) -> None:
    page, policy = _page()

    @app.head("/", include_in_schema=False)
    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        return Response(page, media_type="text/html", headers={"content-security-policy": policy})

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz")
    async def health() -> dict[str, str]:
        """Whether the process lives."""
        return {"status": "alive"}

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", responses={503: {"description": "Loading or draining"}})
    async def ready() -> JSONResponse:
        """Whether films are read: a built-in one got its known answer."""
        status = 200 if service.state == READY else 503
        again = {} if status == 200 else {"retry-after": "2"}
        return JSONResponse({"status": service.state}, status, headers=again)

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Counts and times, for Prometheus."""
        return Response(service.counts.text(service.now()), media_type=counts.MEDIA_TYPE)


def _wanted(service: Service, point: str | None, heatmap: bool, film: bool) -> Wanted:
    try:
        decided_at = service.reader.classifier.point(point)
    except InputError as error:
        raise Problem.of(422, error) from None
    if heatmap and not service.reader.draws:
        raise Problem(
            422,
            "this model draws no heatmaps",
            got="heatmap=png",
            expected='a model of which /v1/model says "heatmap": true',
            remedy="leave heatmap out",
        )
    return Wanted(decided_at, heatmap, film)


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await request.receive()
        more = message.get("more_body", False)
        yield message.get("body", b"")


def _form(film: bytes) -> str:
    try:
        return form_of(film[:132])
    except UnreadableImage:
        return "none"


def _check_read(films: list[FilmAnswer]) -> None:
    if all(each.error is not None for each in films):
        what = "the film cannot be read" if len(films) == 1 else "no film can be read"
        raise Problem(
            422,
            f"{what}: {films[0].error}",
            expected=FORMATS,
            remedy="send files as they lie on disk",
            films=films,
        )


def _page() -> tuple[bytes, str]:
    """The page, and a policy that lets it run what stands in it and ask its own origin only."""
    text = (files("pneumoscope.serve") / "page.html").read_text("utf-8")
    scripts = " ".join(_digests(text, "script")) or "'none'"
    styles = " ".join(_digests(text, "style")) or "'none'"
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; connect-src 'self'; "
        "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return text.encode(), policy


def _digests(text: str, tag: str) -> list[str]:
    parts = re.findall(rf"<{tag}(?:\s[^>]*)?>(.*?)</{tag}>", text, re.DOTALL)
    digests = [hashlib.sha256(part.encode()).digest() for part in parts]
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


def _refusal(request: WebRequest, problem: Problem) -> Response:
    mine: Request = request.scope[REQUEST]
    headers = problem.headers
    return Response(problem.body(mine.id), problem.status, headers, MEDIA_TYPE)


async def _on_problem(request: WebRequest, error: Exception) -> Response:
    return _refusal(request, error if isinstance(error, Problem) else failed())


async def _on_http(request: WebRequest, error: Exception) -> Response:
    """What the framework refuses: an unknown path, another method."""
    assert isinstance(error, HTTPException)
    if error.status_code != 405:
        return _refusal(
            request, Problem(error.status_code, "there is no such path", expected=_KNOWN)
        )
    allowed = (error.headers or {}).get("Allow")
    what = "the path does not take this method"
    return _refusal(request, Problem(405, what, expected=allowed, headers=error.headers))


async def _on_parameter(request: WebRequest, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fault = error.errors()[0]
    name = str(fault["loc"][-1])
    problem = Problem(
        422,
        f"the parameter {name} has a value that is not taken",
        expected=str(fault.get("ctx", {}).get("expected", fault["msg"])),
        remedy="see /openapi.json",
    )
    return _refusal(request, problem)


async def _on_gone(request: WebRequest, error: Exception) -> Response:
    return Response(status_code=499)  # nobody is there to take it


_HANDLERS: dict[type[Exception], Callable[[WebRequest, Exception], Awaitable[Response]]] = {
    Problem: _on_problem,
    HTTPException: _on_http,
    RequestValidationError: _on_parameter,
    Gone: _on_gone,
    Exception: _on_problem,
}
