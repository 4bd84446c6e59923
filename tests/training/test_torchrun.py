"""What torchrun's first process tells the others, and with what they end."""

import pickle
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import typer
from torch.distributed import HashStore

from pneumoscope.errors import Diverged, InputError, Interrupted, UnreadableData, WorkerLost
from pneumoscope.run import Run
from pneumoscope.training import fit
from pneumoscope.training.parallel import processes, torchrun


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[HashStore]:
    """A store for two processes, which are two threads here: the first one is not the main one."""
    store = HashStore()
    monkeypatch.setattr(torchrun, "_open_store", lambda: store)
    monkeypatch.setattr(torchrun, "launched", lambda: True)
    monkeypatch.setattr(torchrun, "_rank", lambda: 1)
    monkeypatch.setattr(torchrun, "_others", lambda: range(1, 2))
    before = signal.getsignal(signal.SIGINT)
    yield store
    signal.signal(signal.SIGINT, before)


def lead(work: Any) -> None:
    with suppress(Exception), torchrun.rank_zero():
        work()


def failing(error: BaseException) -> Any:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),  # a check, or a run that was trained before
        (InputError("x"), 2),
        (Interrupted("x"), 130),
        (typer.Exit(3), 3),
        (OSError("x"), 1),
    ],
)
def test_without_training_the_others_end_as_the_first_one(
    two: HashStore, error: BaseException | None, code: int
) -> None:
    with ThreadPoolExecutor(1) as first:
        ended = first.submit(lead, failing(error) if error else lambda: None)
        assert torchrun.run_worker_rank() == code
        ended.result(timeout=5)  # which waited no longer than until this one knew


def test_an_error_of_everybodys_is_told_by_the_first_one(
    two: HashStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "train_rank", lambda *_: failing(Diverged("x"))())
    monkeypatch.setattr(torchrun, "use_all_cores", lambda _: 1)
    two.set("job", pickle.dumps((Run(Path()), Job())))
    two.set("end", "2")
    assert torchrun.run_worker_rank() == 2
    assert two.get("ready 1") == b""
    monkeypatch.setattr(torchrun, "_wait", lambda *_: False)  # it is this one's alone
    with pytest.raises(Diverged):
        torchrun.run_worker_rank()


class Job:
    class hardware:  # noqa: N801
        devices = processes = 2


class Unseen:
    def __reduce__(self) -> Any:
        return fail_to_open, ()


def fail_to_open() -> None:
    raise UnreadableData("a machine does not see the prepared set")


def test_what_keeps_another_from_beginning_ends_all(two: HashStore) -> None:
    job: Any = Unseen()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            torchrun.train_as_rank_zero(Run(Path()), job, job, job)
        except UnreadableData as error:
            errors.append(error)
            raise

    with ThreadPoolExecutor(1) as first:
        ended = first.submit(lead, work)
        assert torchrun.run_worker_rank() == 2
        ended.result(timeout=5)
    assert "does not see" in str(errors[0])


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("[gloo/transport/tcp/pair.cc:545] Connection reset by peer"), WorkerLost),
        (RuntimeError("shapes cannot be multiplied"), RuntimeError),
    ],
)
def test_a_broken_connection_is_a_lost_process(
    two: HashStore,
    monkeypatch: pytest.MonkeyPatch,
    error: RuntimeError,
    kind: type[Exception],
) -> None:
    job: Any = Job()
    two.set("ready 1", "")
    monkeypatch.setattr(fit, "fit", lambda *_: failing(error)())
    with pytest.raises(kind) as raised:
        torchrun.train_as_rank_zero(Run(Path("my run")), job, job, job)
    assert type(raised.value) is kind
    if kind is WorkerLost:
        assert "pneumoscope train --resume 'my run'" in str(raised.value)
