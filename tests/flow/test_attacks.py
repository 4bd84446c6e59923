"""What a hostile user, a full disk or a second process does to prepare and audit."""

from __future__ import annotations

import os
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from PIL import Image
from tests.helpers.commands import run
from tests.helpers.processes import PATIENCE, python

from pneumoscope.cli.options import DataOptions
from pneumoscope.data.prepare import prepare
from pneumoscope.errors import InputError, OutputNotWritable
from pneumoscope.records import Film, InputSpec, Record, Source
from pneumoscope.run import check_new, check_output, create_folder
from pneumoscope.storage import draft_folder

COMMAND = Path(sys.executable).with_name("pneumoscope")


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """12/4/4 films of noise, as many of each class."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 4), ("test", 4)):
        for i in range(count):
            file = tmp_path / "films" / split / ("NORMAL", "PNEUMONIA")[i % 2] / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (80, 80), np.uint8)).save(file)
    return tmp_path / "films"


Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Exit code, what was printed, and the message, of a command."""

    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(monkeypatch, *map(str, words))
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return code, printed.out, printed.err

    return call


def followed(printed: str) -> list[list[str]]:
    """The commands after ``Next:``, as words."""
    line = next(line for line in printed.splitlines() if line.startswith("Next: "))
    return [shlex.split(part) for part in line.removeprefix("Next: ").split("; ")]


def test_the_next_commands_take_the_words_that_they_are_shown_with(films: Path, say: Say) -> None:
    """Not --size or --out, which audit and train have not or may not use again."""
    _, printed, _ = say(
        *("prepare", films, "--size", 16, "--out", "set", "--classes", "NORMAL=normal"),
        *("--set", "data.most_bad=0.2", "--recipe", "demo"),
    )
    audit, train = followed(printed)
    same = [str(films), "--classes", "NORMAL=normal"]
    assert audit == ["pneumoscope", "audit", *same]
    assert train[1:] == ["train", *same, "--recipe", "demo", "--set", "data.most_bad=0.2"]
    assert say(*audit[1:])[0] == 0


def test_training_is_not_proposed_on_films_without_both_classes(films: Path, say: Say) -> None:
    shutil.rmtree(films / "train" / "NORMAL")
    for place in (films / "train", films / "train" / "PNEUMONIA"):
        assert followed(say("prepare", place)[1]) == [["pneumoscope", "audit", str(place)]]


def test_what_is_proposed_next_keeps_the_words_as_typed() -> None:
    given = DataOptions(
        "table", ["COVID 19=ignore", "words.csv", "-1=ignore"], Path("l.csv"), ["label=My Label"],
        "any", [Path("l")], True,
    )  # fmt: skip
    said = ["--form", "table", "--classes", "COVID 19=ignore", "--classes", "words.csv"]
    said += ["--classes=-1=ignore", "--labels", "l.csv", "--column", "label=My Label"]
    said += ["--readers", "any", "--links", "l", "--keep-ids"]
    assert given.words("-films") == ["./-films", *said]
    assert DataOptions().words("films") == ["films"]


def test_what_is_proposed_next_stands_in_one_line_on_a_narrow_screen(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    for verb in ("recipes", "models"):
        proposed = next(line for line in say(verb)[1].splitlines() if line.startswith("Next: "))
        assert len(proposed) > 40


@pytest.mark.parametrize("columns", [60, 80])
def test_a_message_is_as_wide_as_the_terminal_and_its_command_in_one_line(
    columns: int, films: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    names = [path.relative_to(films).as_posix() for path in sorted(films.rglob("*.png"))]
    rows = [f"{name},{'AB'[i % 2]},x" for i, name in enumerate(names)]
    Path("l.csv").write_text("\n".join(["image,dx,other", *rows]))
    code, _, message = say("prepare", films, "--labels", "l.csv")
    *said, command = message.splitlines()
    assert code == 2 and command.startswith("  command: ") and "--column label=dx" in command
    assert max(map(len, said)) <= columns < len(command)
    point = said.index(next(line for line in said if line.startswith("  1. ")))
    below = [line for line in said[point + 1 :] if not line.startswith("  2. ")]
    assert all(line.startswith("     ") for line in below)


def test_an_option_without_meaning_is_refused_not_passed_over(films: Path, say: Say) -> None:
    Path("l.csv").write_text("id,label\n0,1\n")
    for words in (
        [films, "--column", "label=x"],
        [films, "--form", "folder", "--labels", "l.csv"],
        [films, "--form", "unlabelled", "--classes", "x=normal"],
        ["phantom", "--labels", "l.csv"],
        ["pneumoniamnist", "--column", "label=x"],
    ):
        code, _, message = say("prepare", *words)
        assert code == 2 and "an option has no meaning" in message, words


def test_all_films_unreadable_says_so_without_useless_advice(films: Path, say: Say) -> None:
    for file in films.rglob("*.png"):
        file.write_bytes(b"nothing")
    for verb in ("prepare", "audit"):
        code, _, message = say(verb, films)
        assert code == 2 and "20 of 20 films" in message and "dropped.csv" in message
        assert "most_bad" not in message and "100%" not in message


def test_the_advice_for_many_bad_films_is_enough(films: Path, say: Say) -> None:
    for file in (films / "train" / "NORMAL").iterdir():
        file.write_bytes(b"nothing")
    _, _, message = say("prepare", films)
    advice = next(word for word in message.replace(";", " ").split() if "most_bad=" in word)
    assert advice == "data.most_bad=0.3"
    assert say("prepare", films, "--set", advice)[0] == 0


def test_a_present_folder_that_is_gone(films: Path, say: Say, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    try:
        for verb in ("prepare", "audit"):
            code, _, message = say(verb, films)
            assert code == 2 and "the present folder is no longer there" in message
    finally:
        os.chdir(tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a shell")
def test_no_standard_output_at_all_and_no_utf8(films: Path) -> None:
    os.rename(films / "train/NORMAL/0.png", films / "train/NORMAL/röntgen-肺.png")
    words = [str(COMMAND), "prepare", str(films), "--out", "set"]
    locale = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        ["sh", "-c", f"{shlex.join(words)} >&-"],
        env={**os.environ, **locale},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    names = pd.read_parquet("set/table.parquet")["image_id"]
    assert len(names) == 20 and names.str.contains("ntgen").sum() == 1


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_place_where_no_file_can_be_made_ends_at_once(films: Path, say: Say) -> None:
    """Not even root makes a file there; the lock would be waited for without end."""
    code, _, message = say("prepare", films, "--out", "/proc/set")
    assert code == 2 and "OutputNotWritable" in message


def test_a_closed_place_is_refused_before_the_work(
    tmp_path: Path, films: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    for out in (["--out", "out"], []):
        code, printed, message = say("audit", films, *out)
        assert code == 2 and "OutputNotWritable" in message
        assert "Look at every film" not in printed
    with pytest.raises(OutputNotWritable):
        check_new(tmp_path / "heatmaps")
    check_new(None)


def test_what_a_killed_process_left_half_made_goes_after_a_day(tmp_path: Path) -> None:
    left = draft_folder(tmp_path)  # hidden, and under no name that anything reads
    (left / "model.onnx").write_bytes(b"half")
    create_folder(tmp_path / "export", "export", lambda draft, name: None)
    assert left.is_dir()  # whose it is may still be at work
    os.utime(left, (0, 0))
    create_folder(tmp_path / "another", "export", lambda draft, name: None)
    assert {place.name for place in tmp_path.iterdir()} == {"export", "another"}


def test_a_file_is_no_folder_for_results(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputNotWritable, match="cannot be made"):
        check_output(tmp_path / "file" / "new")
    check_output(tmp_path / "not yet" / "there" / "new")
    assert not (tmp_path / "not yet").exists()


def toy(count: int, read: Callable[[int], Film]) -> Source:
    records = [Record(f"f{i}", read, label=i % 2) for i in range(count)]
    return Source("toy", "toy", "a test", "f00d", count, 8, records)


def grey(side: int) -> Film:
    return Film(np.zeros((8, 8), np.uint8), 8, 8)


def test_a_second_process_says_that_it_waits(tmp_path: Path) -> None:
    waits = threading.Event()
    made: list[int] = []

    def second() -> None:
        place = tmp_path / "set"
        made.append(len(prepare(toy(4, grey), InputSpec(8, 8), place, waiting=waits.set).table))

    with FileLock(tmp_path / ".set.lock"):
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(60)
        assert not made
    thread.join(60)
    assert made == [4]


def test_an_interrupt_while_films_are_read(films: Path, say: Say) -> None:
    """Exit code 130, how to go on, and a draft that is gone on with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pneumoscope.data.draft.Draft.finish", interrupted)
        code, _, message = say("prepare", films)
    assert code == 130
    assert message.startswith("Interrupted: preparing was stopped, and the films read so far are")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pneumoscope.imaging.read.read_film", interrupted)
        assert say("prepare", films)[0] == 0


def test_an_interrupt_of_a_verb_that_keeps_nothing(tmp_path: Path, films: Path, say: Say) -> None:
    """Exit code 130 and a sentence here, too, and no folder half written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pneumoscope.workflows.audit.write_audit", interrupted)
        code, _, message = say("audit", films, "--out", tmp_path / "new" / "page")
    assert code == 130
    assert message == "Interrupted: stopped before it was done\n  remedy:   start it again\n"
    assert not list((tmp_path / "new").glob("*"))


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("moment", [5, 40, 41, 100])
def test_a_kill_in_the_midst_leaves_what_the_next_call_completes(
    films: Path, moment: int, say: Say
) -> None:
    """A real SIGKILL when so many films were asked for."""
    code = f"""
import os, signal, sys
from pneumoscope.sources.places import files
count, real = 0, files.read.read_film
def read(*words):
    global count
    count += 1
    if count == {moment}:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*words)
files.read.read_film = read
sys.argv = ["pneumoscope", "prepare", sys.argv[1], "--size", "8", "--out", "set"]
from pneumoscope.cli.main import run
run()
"""
    for i in range(100):
        shutil.copy(films / "train" / "NORMAL" / "0.png", films / "train" / "NORMAL" / f"x{i}.png")
    done = python(code, films)
    assert done.returncode == -signal.SIGKILL and not Path("set").exists()
    for out in ("set", "whole"):
        assert say("prepare", films, "--size", "8", "--out", out)[0] == 0
    for file in Path("whole").iterdir():
        assert file.read_bytes() == Path("set", file.name).read_bytes()
    assert len(list(Path("set").iterdir())) == len(list(Path("whole").iterdir()))


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
    yield master, slave
    os.close(master)


def test_a_terminal_shows_each_finding_whole(films: Path, terminal: tuple[int, int]) -> None:
    """The bar must not wipe the half of a line that was printed before it."""
    master, slave = terminal
    running = subprocess.Popen([COMMAND, "prepare", films], stdout=slave, stderr=slave)
    os.close(slave)
    raw = b""
    try:
        while chunk := _read(master):
            raw += chunk
        assert running.wait(PATIENCE) == 0
    finally:
        running.kill()
        running.wait()
    shown = [line.rsplit("\x1b[2K", 1)[-1] for line in raw.decode().split("\n")]
    assert any("FEW-VALIDATION" in line and "The official validation" in line for line in shown)


def _read(descriptor: int) -> bytes:
    assert select.select([descriptor], [], [], PATIENCE)[0], "the command says nothing"
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # the other end was closed
        return b""


def test_words_that_are_no_request_are_refused() -> None:
    with pytest.raises(InputError):
        DataOptions(classes=["a=b=normal"]).request("x")
