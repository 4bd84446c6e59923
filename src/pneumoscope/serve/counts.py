"""Counts of the service, as text for Prometheus (its exposition format 0.0.4). No names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Counts:
    """What has been answered since the start: requests by path and status, films by outcome."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.films: Counter[str] = Counter()
        self._within: Counter[float] = Counter()
        self._seconds = 0.0
        self._bytes = 0
        self._answers = 0

    def add(self, path: str, status: int, received: int, seconds: float) -> None:
        """An answered request; ``path`` is one of the service's own, ``-`` for all others."""
        self.requests[path, status] += 1
        self._bytes += received
        self._seconds += seconds
        self._answers += 1
        for bound in _BOUNDS:
            self._within[bound] += seconds <= bound

    def text(self, now: Mapping[str, tuple[str, str, float]]) -> str:
        """All of it, and what is so ``now``: by name kind, words and value."""
        return "\n".join([*self._lines(), *_now(now)]) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from _head("requests_total", "counter", "Answered requests.")
        for (path, status), count in sorted(self.requests.items()):
            yield f'pneumoscope_requests_total{{path="{path}",status="{status}"}} {count}'
        yield from _head("films_total", "counter", "Films, by what was answered.")
        for outcome, count in sorted(self.films.items()):
            yield f'pneumoscope_films_total{{outcome="{outcome}"}} {count}'
        yield from _head("received_bytes_total", "counter", "Bytes of bodies.")
        yield f"pneumoscope_received_bytes_total {self._bytes}"
        yield from _head("request_seconds", "histogram", "Seconds from the head of a request on.")
        for bound in _BOUNDS:
            within = self._within[bound]
            yield f'pneumoscope_request_seconds_bucket{{le="{bound:g}"}} {within}'
        yield f'pneumoscope_request_seconds_bucket{{le="+Inf"}} {self._answers}'
        yield f"pneumoscope_request_seconds_sum {self._seconds:.6f}"
        yield f"pneumoscope_request_seconds_count {self._answers}"


def _now(now: Mapping[str, tuple[str, str, float]]) -> Iterator[str]:
    for name, (kind, words, value) in now.items():
        yield from _head(name, kind, words)
        yield f"pneumoscope_{name} {value:g}"


def _head(name: str, kind: str, words: str) -> Iterator[str]:
    yield f"# HELP pneumoscope_{name} {words}"
    yield f"# TYPE pneumoscope_{name} {kind}"
