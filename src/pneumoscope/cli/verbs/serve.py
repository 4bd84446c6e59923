"""``pneumoscope serve``: a model as a service for single films, over HTTP, and its page."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pneumoscope.cli.screen import Screen

if TYPE_CHECKING:
    from pneumoscope.serve.service import Service


def serve(
    model: Annotated[
        Path, typer.Argument(metavar="RUN|EXPORT", help="A finished run, or an export of one")
    ],
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Where to listen; beyond this machine with a token")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0: a free one")] = 8000,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file with the word that clients send")
    ] = None,
    max_mb: Annotated[
        int, typer.Option("--max-mb", min=1, max=1024, metavar="N", help="MiB of films at once")
    ] = 64,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Another name that clients use, as of a proxy"),
    ] = None,
) -> None:
    """Answer over HTTP for single films, with a page to try it on."""
    with ExitStack() as loading:
        screen = loading.enter_context(Screen())
        screen.stage("Start")  # the imports below take seconds
        from pneumoscope.workflows.serve import ServeRequest
        from pneumoscope.workflows.serve import serve as work

        request = ServeRequest(model, host, port, token_file, max_mb, tuple(allowed_host or ()))

        def told(address: str, service: Service) -> None:
            loading.close()  # else the bar would move below the log
            _show(address, service, request.token_file, screen)

        work(request, told=told, listener=screen)
        screen.line("Stopped: every film that waited was answered")


def _show(address: str, service: Service, token_file: Path | None, screen: Screen) -> None:
    about = service.about
    for what in service.missing:
        screen.note(f"this system sets no limit to: {what}")
    token = f'-H "Authorization: Bearer $(cat {token_file})" ' if token_file else ""
    screen.facts(
        f"Ready: {about.title}, {about.input['network']} px, on {about.device}",
        [
            ("page", address),
            ("stop", f"Ctrl-C, or: kill {os.getpid()}"),
            ("log", "a line a request follows: id, form, bytes, ms, status, and no name"),
        ],
    )
    screen.line(f"Try: curl {token}-F film=@FILM {address}/v1/read")
    screen.line("Research use only: not a medical device.")
