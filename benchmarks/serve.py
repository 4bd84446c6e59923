"""What the service holds: beside reading in one process, under a flood, and under attack.

    python benchmarks/serve.py clients MODEL FILMS          # 8 clients beside in-process reading
    python benchmarks/serve.py flood MODEL FILMS            # 50 clients x 40 films, held to predict
    python benchmarks/serve.py memory MODEL FILMS           # 5,000 requests beside 500
    python benchmarks/serve.py body MODEL                   # a body of 200 MB
    python benchmarks/serve.py damaged MODEL FILMS          # 10,000 damaged films, slow connections

MODEL is a run or an export, FILMS a folder of JPEG, PNG or DICOM. Each starts a service of its own
on a free port and prints what was asked and what was reached. Options take less of everything.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

MIB = 1 << 20


@dataclass(frozen=True)
class Serving:
    """A service in a process of its own, and its log."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()

    def memory(self) -> tuple[float, float]:
        """MiB of the service, and of its decoders together (Linux)."""
        own, *decoders = (resident(pid) for pid in [self.process.pid, *self.decoders()])
        return own, sum(decoders)

    def processor(self) -> float:
        """Seconds that its processes have used of the processor (Linux)."""
        return sum(used(pid) for pid in [self.process.pid, *self.decoders()])

    def decoders(self) -> list[int]:
        place = Path(f"/proc/{self.process.pid}/task")
        return [
            int(pid) for task in place.iterdir() for pid in (task / "children").read_text().split()
        ]


def resident(pid: int) -> float:
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024
    return 0.0


def used(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def serving(model: Path, *words: str) -> Iterator[Serving]:
    """A service of ``model`` on a free port, ended at the end by SIGTERM."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as work:
        log = Path(work) / "log"
        command = [sys.executable, "-m", "pneumoscope", "serve", str(model), "--port", str(port)]
        with log.open("wb") as out:
            process = subprocess.Popen([*command, *words], stdout=out, stderr=out)
        try:
            for _ in range(600):
                with contextlib.suppress(OSError):
                    if asked(port, "GET", "/readyz")[0] == 200:
                        break
                time.sleep(0.1)
            else:
                raise SystemExit(log.read_text())
            yield Serving(process, port, log)
            process.send_signal(signal.SIGTERM)
            print(f"ended by SIGTERM with {process.wait(90)}")
        finally:
            process.kill()
            process.wait()


def asked(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Status and body of one request on a connection of its own."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        line.request(method, path, body)
        answer = line.getresponse()
        return answer.status, answer.read()
    finally:
        line.close()


def films_of(folder: Path, count: int) -> list[bytes]:
    """``count`` films, those of the folder again and again."""
    kinds = (".jpeg", ".jpg", ".png", ".dcm")
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in kinds)
    chosen = random.Random(0).sample(files, min(count, len(files)))  # noqa: S311 no secret
    read = [file.read_bytes() for file in chosen]
    return [read[number % len(read)] for number in range(count)]


def from_clients(
    port: int, films: Sequence[bytes], clients: int
) -> list[tuple[int, dict[str, object]]]:
    """Status and answer of every film, asked by so many clients, each on one connection."""
    waiting: SimpleQueue[int] = SimpleQueue()
    for number in range(len(films)):
        waiting.put(number)
    answers: list[tuple[int, dict[str, object]]] = [(0, {})] * len(films)

    def client() -> None:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        while True:
            try:
                number = waiting.get_nowait()
            except Exception:
                break
            try:
                line.request("POST", "/v1/read", films[number])
                answer = line.getresponse()
                answers[number] = answer.status, json.loads(answer.read())
            except (OSError, http.client.HTTPException) as error:
                answers[number] = 0, {"error": type(error).__name__}
                line.close()
        line.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def clients(model: Path, folder: Path, films: int, count: int, turns: int) -> None:
    """Films a second, the service and this process in turns."""
    from pneumoscope.inference.classifier import Classifier
    from pneumoscope.inference.films import FilmInput
    from pneumoscope.workflows.serve import opened

    given = films_of(folder, films)
    # Threads and memory as ``predict`` sets them.
    classifier = Classifier(opened(model).model)
    seconds: dict[str, list[float]] = {"service": [], "in process": []}
    processor: dict[str, list[float]] = {"service": [], "in process": []}
    with serving(model) as service:
        ways: dict[str, tuple[Callable[[], object], Callable[[], float]]] = {
            "service": (lambda: from_clients(service.port, given, count), service.processor),
            "in process": (
                lambda: list(classifier.stream(FilmInput("", film) for film in given)),
                time.process_time,
            ),
        }
        for turn in range(turns + 1):
            for name, (way, busy) in ways.items():
                start, before = time.perf_counter(), busy()
                way()
                seconds[name] += [time.perf_counter() - start] if turn else []
                processor[name] += [busy() - before] if turn else []
    rates = {name: films / statistics.median(each) for name, each in seconds.items()}
    each = {name: statistics.median(each) / films * 1000 for name, each in processor.items()}
    for name, rate in rates.items():
        print(f"{name:<12} {rate:7.1f} films/s, {each[name]:.1f} ms of the processor for each")
    print(f"asked .7, reached {rates['service'] / rates['in process']:.2f}; by the processor's "
          f"seconds, without the clients', {each['in process'] / each['service']:.2f}")  # fmt: skip


def flood(model: Path, folder: Path, count: int, each: int) -> None:
    """Every answer is 200 or 503, and what was read is what ``predict`` reads."""
    from pneumoscope.inference.classifier import Classifier
    from pneumoscope.inference.films import FilmInput

    given = films_of(folder, count * each)
    wanted = list(Classifier.load(model).stream(FilmInput("", film) for film in given))
    with serving(model) as service:
        start = time.perf_counter()
        answers = from_clients(service.port, given, count)
        seconds = time.perf_counter() - start
    statuses = Counter(status for status, _ in answers)
    differences, decisions = [0.0], 0
    for (status, answer), reading in zip(answers, wanted, strict=True):
        if status == 200:
            (film,) = answer["films"]
            differences.append(abs(film["probability"] - reading.probability))
            decisions += film["outcome"] != reading.outcome
    print(f"{count} clients, {len(given):,} films in {seconds:.1f} s: {dict(statuses)}")
    print(f"asked {len(given):,} answers of 200 or 503, reached {statuses[200] + statuses[503]:,}")
    print(f"asked 1e-5, reached {max(differences):.1e}; {decisions} other decisions")


def memory(model: Path, folder: Path, few: int, many: int) -> None:
    given = films_of(folder, min(few, 500))
    with serving(model) as service:
        found, done = {}, 0
        for until in (few, many):
            while done < until:
                part = [given[(done + n) % len(given)] for n in range(min(500, until - done))]
                assert {status for status, _ in from_clients(service.port, part, 8)} <= {200, 422}
                done += len(part)
            found[until] = service.memory()
            print(f"after {until:,} requests: service {found[until][0]:.0f} MiB, "
                  f"decoders {found[until][1]:.0f} MiB")  # fmt: skip
    own, both = (sum(found[many][:n]) / sum(found[few][:n]) for n in (1, 2))
    print(f"asked 1.1, reached {own:.3f} (with decoders {both:.3f})")


def body(model: Path, megabytes: int) -> None:
    """A body that is too large: chunked, with its length, and as a form."""
    boundary = b"--b\r\ncontent-disposition: form-data; name=film\r\n\r\n"
    size = megabytes * 1_000_000
    kinds = {
        "chunked": "transfer-encoding: chunked\r\ncontent-type: application/dicom\r\n",
        "with its length": f"content-length: {size}\r\ncontent-type: application/dicom\r\n",
        "a chunked form": "transfer-encoding: chunked\r\n"
        "content-type: multipart/form-data; boundary=b\r\n",
    }
    with serving(model) as service:
        before = service.memory()[0]
        for name, head in kinds.items():
            sent, said = sent_until_refused(service.port, head, boundary, size)
            taken = int(re.findall(r" (\d+) bytes", service.lines()[-1])[0])
            status = said.split(b"\r\n")[0].decode() or "closed without an answer"
            print(f"{name:<16} {status}; {sent / MIB:.1f} MiB left this end, "
                  f"{taken / MIB:.2f} MiB were taken (asked at most 65)")  # fmt: skip
        print(f"memory {before:.0f} MiB before, {service.memory()[0]:.0f} MiB after")


def sent_until_refused(port: int, head: str, first: bytes, size: int) -> tuple[int, bytes]:
    piece = bytes(1 << 16)
    with socket.create_connection(("127.0.0.1", port), 60) as line:
        line.sendall(f"POST /v1/read HTTP/1.1\r\nhost: localhost\r\n{head}\r\n".encode())
        sent, said = 0, b""
        chunked = "chunked" in head
        with contextlib.suppress(OSError):
            while sent < size:
                data = first if chunked and "form" in head and not sent else piece
                line.sendall(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
                sent += len(data)
        with contextlib.suppress(OSError):
            while part := line.recv(1 << 16):
                said += part
    return sent, said


def damaged(model: Path, folder: Path, films: int, connections: int) -> None:
    """Damaged films, half-open and slow connections, and decoders killed in flight."""
    whole = films_of(folder, 40)
    chance = random.Random(1)  # noqa: S311 no secret
    given = [broken(chance.choice(whole), chance) for _ in range(films)]
    over = threading.Event()
    with serving(model) as service:
        others = [
            threading.Thread(target=half_open, args=(service.port, connections, over)),
            threading.Thread(target=slow, args=(service.port, connections, over)),
            threading.Thread(target=killer, args=(service, over)),
        ]
        for thread in others:
            thread.start()
        start = time.perf_counter()
        answers = from_clients(service.port, given, 16)
        seconds = time.perf_counter() - start
        over.set()
        for thread in others:
            thread.join()
        statuses = Counter(status for status, _ in answers)
        print(f"{films:,} damaged films in {seconds:.0f} s: {dict(statuses)}")
        time.sleep(1)
        alive, _ = asked(service.port, "GET", "/readyz")
        good, said = asked(service.port, "POST", "/v1/read", whole[0])
        print(f"afterwards: ready {alive}, a good film {good}")
        text = asked(service.port, "GET", "/metrics")[1].decode()
        print(re.findall(r"decoder_restarts_total \d+", text)[0])
        faults = sum(n for status, n in statuses.items() if status in (0, 500))
        print(f"asked 0 of 500 or without an answer, reached {faults}")


def broken(film: bytes, chance: random.Random) -> bytes:
    """The film cut, with bytes changed, with a part left out, or noise under its first bytes."""
    data = bytearray(film)
    kind = chance.randrange(4)
    if kind == 0:
        return bytes(data[: chance.randrange(len(data))])
    if kind == 1:
        for _ in range(chance.choice((1, 10, 100))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        return bytes(data)
    if kind == 2:
        start = chance.randrange(len(data))
        del data[start : start + chance.randrange(1, 2000)]
        return bytes(data)
    return bytes(data[:200]) + chance.randbytes(2000)


def half_open(port: int, count: int, over: threading.Event) -> None:
    """Connections that say nothing, or half a head, and go away without a word."""
    lines: list[socket.socket] = []
    while not over.wait(0.05):
        with contextlib.suppress(OSError):
            line = socket.create_connection(("127.0.0.1", port), 5)
            line.sendall(b"" if len(lines) % 2 else b"POST /v1/read HTTP/1.1\r\nhost: loc")
            lines.append(line)
        if len(lines) > count:
            lines.pop(0).close()
    for line in lines:
        line.close()


def slow(port: int, count: int, over: threading.Event) -> None:
    """Bodies that come a byte a second."""
    lines: list[socket.socket] = []
    head = b"POST /v1/read HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9000\r\n\r\n"
    while not over.wait(1.0):
        if len(lines) < count:
            with contextlib.suppress(OSError):
                lines.append(socket.create_connection(("127.0.0.1", port), 5))
                lines[-1].sendall(head)
        for line in list(lines):
            try:
                line.sendall(b"x")
            except OSError:
                lines.remove(line)
    for line in lines:
        line.close()


def killer(service: Serving, over: threading.Event) -> None:
    """Kill a decoder every two seconds."""
    while not over.wait(2.0):
        with contextlib.suppress(OSError, IndexError):
            os.kill(service.decoders()[0], signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    sizes: dict[str, tuple[Callable[..., None], dict[str, int]]] = {
        "clients": (clients, {"films": 500, "count": 8, "turns": 5}),
        "flood": (flood, {"count": 50, "each": 40}),
        "memory": (memory, {"few": 500, "many": 5000}),
        "body": (body, {"megabytes": 200}),
        "damaged": (damaged, {"films": 10_000, "connections": 40}),
    }
    for name, (_, options) in sizes.items():
        verb = verbs.add_parser(name)
        verb.add_argument("model", type=Path)
        if name != "body":
            verb.add_argument("folder", metavar="films", type=Path)
        for option, value in options.items():
            verb.add_argument(f"--{option}", type=int, default=value)
    given = vars(parser.parse_args())
    # So that the service is ended too, whoever ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sizes[given.pop("verb")][0](**given)


if __name__ == "__main__":
    main()
