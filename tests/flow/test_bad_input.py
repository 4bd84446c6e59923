"""Bad input through the command line: exit code 2, one message, no traceback, nothing left."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from filelock import FileLock

from pneumoscope.cli import interrupts
from pneumoscope.cli import main as cli
from pneumoscope.data.prepare import prepare, prepared_name
from pneumoscope.recipe import load_recipe
from pneumoscope.records import DataRequest
from pneumoscope.run import create_run
from pneumoscope.sources.forms.arrays import arrays_source
from pneumoscope.training.checkpoint import CheckpointCallback
from pneumoscope.workflows.data import stored_spec

Usage = namedtuple("Usage", "total used free")
COMMAND = Path(sys.executable).with_name("pneumoscope")
LITTLE = [
    *("train.epochs=1", "train.batch_size=16", "input.size=32", "train.precision=float32"),
    "model.backbone=test_resnet",  # timm's smallest
]
SPLITS = ("train", "val", "test")


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    films = {f"{s}_images": rng.integers(0, 256, (16, 28, 28), np.uint8) for s in SPLITS}
    return films | {f"{s}_labels": np.arange(16, dtype=np.uint8) % 2 for s in SPLITS}


def save(path: Path, **changed: np.ndarray | None) -> Path:
    made = {key: value for key, value in (arrays() | changed).items() if value is not None}
    with path.open("wb") as file:
        np.savez(file, **made)
    return path


@pytest.fixture
def films(tmp_path: Path) -> Path:
    return save(tmp_path / "pneumonia.npz")


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr("sys.argv", ["pneumoscope", *map(str, words)])
    try:
        return cli._run()
    except SystemExit as exit_:
        return int(exit_.code or 0)


def little(*changes: str) -> list[str]:
    return [word for change in (*LITTLE, *changes) for word in ("--set", change)]


def leftovers(folder: Path) -> set[str]:
    """What lies there, but for folders that hold nothing, locks, the salt, and prepared sets that
    are whole or that the next process goes on with."""
    found = {p for p in folder.rglob("*") if not p.is_dir() or p.name.startswith(".")}
    whole = [p.parent for p in folder.glob("cache/prepared/*/prepared.json")]
    whole += folder.glob("*/prepared/.*.tmp")
    kept = {p for p in found if not any(p.is_relative_to(w) for w in whole)}
    return {str(p.relative_to(folder)) for p in kept if p.suffix != ".lock" and p.name != "salt"}


Refused = Callable[..., str]


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refused:
    """Run the words: exit code 2, one message, and nothing new on disk. Gives the message."""

    def check(*words: object, code: int = 2) -> str:
        before = leftovers(tmp_path)
        folders = {p.name for p in tmp_path.iterdir()}
        capsys.readouterr()
        assert run(monkeypatch, *words) == code
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        assert not re.search(r"^\w+: ", printed.out, re.MULTILINE)
        assert len(re.findall(r"^[A-Z]\w+: ", printed.err, re.MULTILINE)) == 1, printed.err
        assert all(re.match(r"[A-Z]\w+: |  \w+:", line) for line in printed.err.splitlines())
        assert leftovers(tmp_path) == before
        assert {p.name for p in tmp_path.iterdir()} <= folders | {"cache", "runs"}
        return printed.err

    return check


# ---- the data ------------------------------------------------------------------------------


def objects() -> np.ndarray:
    return np.array([print] * 16, dtype=object)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"val_images": None, "test_labels": None},
            ["no array 'val_images', and 1 more", "expected"],
        ),
        ({"train_images": np.zeros((16, 28, 28), np.float32)}, ["float32", "expected", "uint8"]),
        ({"train_images": np.zeros((16, 784), np.uint8)}, ["(16, 784)", "(N, S, S)"]),
        ({"val_labels": np.zeros((16, 14), int)}, ["BadLabels", "(16, 14)", "(16,) or (16, 1)"]),
        ({"val_labels": np.arange(16) % 3}, ["BadLabels", "first 2", "0 normal, 1 pneumonia"]),
        ({"val_labels": np.full(16, np.nan)}, ["BadLabels", "16 of 16, first nan"]),
        ({"test_labels": np.ones(16, int)}, ["test split", "one class", "16 × 1"]),
        (
            {"test_images": np.zeros((0, 28, 28), np.uint8), "test_labels": np.zeros(0, int)},
            ["test split is empty"],
        ),
        ({"train_images": objects()}, ["pickled objects, which are never loaded", "remedy"]),
        ({"train_labels": objects()}, ["pickled objects, which are never loaded", "remedy"]),
    ],
)
def test_arrays_that_will_not_do(
    tmp_path: Path, refused: Refused, changed: dict[str, Any], words: list[str]
) -> None:
    data = save(tmp_path / "pneumonia.npz", **changed)
    message = refused("train", data, *little(), "--out", tmp_path / "out")
    for word in [*words, str(data)]:
        assert word in message


def test_files_that_are_no_archive(tmp_path: Path, films: Path, refused: Refused) -> None:
    assert "'none.npz' is neither a path" in refused("train", "none.npz")
    whole = films.read_bytes()
    for content in (b"", b"no zip", whole[:-1], whole[: len(whole) // 2], whole[:40]):
        films.write_bytes(content)
        message = refused("train", films, "--out", tmp_path / "out")
        assert "not a whole .npz archive" in message
        assert "download it again" in message


def test_a_file_damaged_in_the_middle(tmp_path: Path, films: Path, refused: Refused) -> None:
    """Found only when the pixels are unpacked, after the run folder was made."""
    content = bytearray(films.read_bytes())
    content[content.index(arrays()["test_images"].tobytes()) + 99] ^= 1
    films.write_bytes(content)
    assert "CRC" in refused("train", films, *little(), "--out", tmp_path / "out")
    assert "CRC" in refused("train", films, *little())


def test_a_prepared_set_damaged_in_the_cache(tmp_path: Path, films: Path, refused: Refused) -> None:
    source = arrays_source(DataRequest(str(films)))
    spec = stored_spec(source, load_recipe("default", LITTLE))
    folder = tmp_path / "cache" / "prepared" / prepared_name(source, spec)
    prepare(source, spec, folder)
    for name, content in (("images.npy", b"x"), ("table.parquet", b""), ("prepared.json", b"[")):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(content)
        message = refused("train", films, *little(), "--out", "out")
        assert "the prepared set is damaged" in message
        assert "delete that folder" in message
        (folder / name).write_bytes(whole)


def test_names_of_data(tmp_path: Path, refused: Refused) -> None:
    assert "nearest: 'pneumoniamnist'" in refused("train", "pneumoniamnst")
    assert "28, 64, 128, 224" in refused("train", "pneumoniamnist@32")
    assert "neither a path" in refused("train", "")
    assert "no film" in refused("train", tmp_path)


# ---- the recipe ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("train.epoch=3", ["unknown key 'train.epoch'", "nearest: 'epochs'"]),
        ("train.batch-size=3", ["unknown key 'train.batch-size'", "nearest: 'batch_size'"]),
        ("epochs=3", ["unknown key 'epochs'", "nearest: 'train.epochs'"]),
        ("trian.epochs=3", ["unknown key 'trian'", "nearest: 'train'"]),
        ("train.int=3", ["unknown key 'train.int'"]),
        ("train={1: 2}", ["unknown key 'train.1'"]),
        ("train.epochs=0", ["'train.epochs'", "got:      0", "a whole number from 1 to 10000"]),
        ("train.epochs=nan", ["got:      'nan'", "a whole number from 1 to 10000"]),
        ("train.ema=.nan", ["got:      nan", "a number from 0 to below 1"]),
        ("train.epochs=2001-99-99", ["'2001-99-99'"]),
        ("train.epochs=0b_", ["'0b_'"]),
        ("train.epochs=" + "9" * 5000, ["a whole number from 1 to 10000"]),
        ("train.epochs=" + "[" * 3000, ["a whole number from 1 to 10000"]),
        ("input.size=foo", ["'foo'", "auto or a whole number from 16 to 1024"]),
        ("input.size=8", ["got:      8", "auto or a whole number from 16 to 1024"]),
        ("loss.name=mse", ["'mse'", "bce, cross_entropy"]),
        ("decide.flip_average=perhaps", ["true or false"]),
        ("train=5", ["'train'", "keys below it: epochs, minutes"]),
        ("train.epochs", ["a change has another form", "section.key=value", "train.epochs=4"]),
        (
            "model.backbone=resnet5",
            ["UnknownBackbone", "nearest: 'resnet50'", "pneumoscope models"],
        ),
        ("model.backbone=qqqqqqqq", ["UnknownBackbone", "names"]),
    ],
)
def test_changes_that_will_not_do(
    films: Path, refused: Refused, change: str, words: list[str]
) -> None:
    message = refused("train", films, "--set", change, "--out", "out")
    for word in words:
        assert word in message
    assert len(message) < 600


def test_recipes_that_will_not_do(tmp_path: Path, films: Path, refused: Refused) -> None:
    assert "nearest: 'default'" in refused("train", films, "--recipe", "defualt")
    assert "nearest: 'demo'" in refused("recipes", "dem")
    file = tmp_path / "mine.yaml"
    laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    for content, words in (
        (b"train: {epochs: 3, epochz: 4}", "nearest: 'epochs'"),
        (b"- a list", "a mapping of sections"),
        (b"", "a mapping of sections"),
        (b"train: [", "not valid YAML"),
        (b"train: {epochs: 2001-99-99}", "not valid YAML"),
        (b"[" * 100_000, "not valid YAML"),
        (b"a: !!python/object/apply:os.abort []", "not valid YAML"),
        (b"\xff\xfe\xff", "in UTF-8"),
        (laughs.encode(), "unknown key 'a'"),
    ):
        file.write_bytes(content)
        assert words in refused("train", films, "--recipe", file)
    assert "cannot be read" in refused("train", films, "--recipe", tmp_path / "none.yaml")
    assert "cannot be read" in refused("train", films, "--recipe", f"{tmp_path}/")


@pytest.mark.parametrize("words", [["--seed", "-1"], ["--seed", "9" * 20], ["--sed", "1"]])
def test_options_that_will_not_do(
    films: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, words: list[str]
) -> None:
    assert run(monkeypatch, "train", films, *words, "--out", "out") == 2
    printed = capsys.readouterr().err
    assert words[0] in printed
    assert "Traceback" not in printed
    assert not Path("out").exists()


# ---- the weights ---------------------------------------------------------------------------


class Hostile:
    """Unpickling this makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def test_weights_that_will_not_do(tmp_path: Path, films: Path, refused: Refused) -> None:
    def message(name: object) -> str:
        return refused("train", films, *little(f"model.weights={name}"), "--out", "out")

    assert "no such weights file" in message(tmp_path / "none.pth")
    mark = tmp_path / "mark"
    (tmp_path / "hostile.pth").write_bytes(pickle.dumps(Hostile(mark)))
    torch.save({"state_dict": Hostile(mark)}, tmp_path / "hostile2.pth")
    torch.save({"conv1.weight": torch.zeros(2, 2)}, tmp_path / "other.pth")
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    (tmp_path / "empty.pth").touch()
    (tmp_path / "text.safetensors").write_bytes(b"nothing")
    for name, words in (
        ("hostile.pth", "cannot be loaded"),
        ("hostile2.pth", "cannot be loaded"),
        ("empty.pth", "cannot be loaded"),
        ("text.safetensors", "cannot be loaded"),
        ("other.pth", "the weights are not of"),
        ("list.pth", "no state dict"),
    ):
        assert words in message(tmp_path / name)
        assert not mark.exists()


def test_imagenet_weights_offline(
    tmp_path: Path, films: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # read when imported
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    message = refused(
        *("train", films, *little("model.weights=imagenet", "model.backbone=resnet18")),
        *("--out", "out"),
    )
    assert "WeightsNotFound: the ImageNet weights of 'resnet18'" in message
    assert "--set model.weights=none" in message


def process(words: list[Any], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *words],
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=120,
        check=False,
    )


# ---- the output ----------------------------------------------------------------------------


def test_an_output_that_is_there(tmp_path: Path, films: Path, refused: Refused) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("folder", "file", "link", "", "."):
        message = refused("train", films, *little(), "--out", name)
        assert "nothing is ever overwritten" in message
        assert "--resume" in message
    assert (tmp_path / "file").read_text() == "mine"


def test_an_output_that_cannot_be_made(tmp_path: Path, films: Path, refused: Refused) -> None:
    (tmp_path / "file").touch()
    for out in ("file/out", "/proc/out", "/proc/self/out", "/dev/null/out", "x" * 300, "x/" * 3000):
        message = refused("train", films, *little(), "--out", out)
        assert "OutputNotWritable" in message
        assert "choose another place: --out" in message


def test_a_disk_that_is_full_before(
    films: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(1 << 30, 1 << 30, 1 << 20))
    message = refused("train", films, *little(), "--out", "out")
    assert "the disk is full" in message
    assert "1 MiB free" in message
    assert "PNEUMOSCOPE_CACHE" in message


@pytest.mark.parametrize("module", ["prepare", "table", "bundle", "temporary"])
def test_a_disk_that_fills_meanwhile(
    films: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    def full(*args: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    places = {
        "prepare": "pneumoscope.data.draft.Stack.append",
        "table": "pandas.DataFrame.to_parquet",
        "bundle": "pneumoscope.training.checkpoint.write_atomic",
        "temporary": "pneumoscope.sources.rows.npz.shutil.copyfileobj",
    }
    monkeypatch.setattr(places[module], full)
    message = refused("train", films, *little(), "--out", "out")
    assert "the disk is full" in message
    assert "TMPDIR" in message


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    if os.name != "posix" or os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root mounts a disk")
    if subprocess.run(words, capture_output=True, timeout=60, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], timeout=60, check=True)


def test_a_small_disk(
    small_disk: Path, films: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = little("model.backbone=resnet18")
    message = refused("train", films, *large, "--out", small_disk / "out")
    assert "the disk is full" in message
    assert "No space left" in message
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(small_disk))
    message = refused("train", films, *little(), "--out", "out")
    assert "the prepared set does not fit" in message
    # The room is there when it is measured, but not when it is used.
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(1 << 40, 0, 1 << 40))
    (small_disk / "filler").write_bytes(bytes((3 << 20) - (16 << 10)))
    assert "the disk is full" in refused("train", films, *little(), "--out", "out")


# ---- the surroundings ----------------------------------------------------------------------


@pytest.mark.slow
def test_strange_names_in_a_strange_place(tmp_path: Path) -> None:
    """No UTF-8, no home, no cache, and file names of every kind of character: training works."""
    strange = os.fsdecode("R\u00f6ntgen \u80ba 'pneumonia'\t\n\x1b[31m".encode() + b"\xff.npz")
    data, out = save(tmp_path / strange), tmp_path / "an 'out'\n\x1b[31m"
    (tmp_path / "file").touch()
    environment = {k: v for k, v in os.environ.items() if k not in ("HOME", "LANG", "LC_CTYPE")}
    environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment |= {"PNEUMOSCOPE_CACHE": str(tmp_path / "file" / "cache")}
    done = process(["train", data, *little(), "--out", out], environment)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert r"'out'\n\x1b[31m/report.html in a browser" in done.stdout
    assert "prepared set: kept in the run folder" in done.stdout
    assert (out / "prepared" / "prepared.json").is_file()
    assert (out / "report.html").is_file()
    assert (out / "metrics.json").is_file()


def test_messages_show_strange_names_on_one_line(tmp_path: Path, refused: Refused) -> None:
    strange = os.fsdecode(b"two\nlines\x1b[31m \xff.npz")
    (tmp_path / strange).write_bytes(b"no zip")
    message = refused("train", strange)
    assert r"two\nlines\x1b[31m \udcff.npz" in message
    save(tmp_path / "pneumonia.npz")
    assert "is not UTF-8" in refused("train", "pneumonia.npz", "--out", strange[:-4])


def test_a_run_remembers_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    card = {"data": os.fsdecode(b"/films \xff.npz"), "about": "R\u00f6ntgen"}
    made = create_run(tmp_path / "out", "x", "name: x\n", card)
    assert made.manifest()["data"] == card["data"]
    assert "R\u00f6ntgen" in made.manifest_file.read_text("utf-8")


def test_no_home_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pneumoscope.data.prepare import cache_folder

    monkeypatch.delenv("PNEUMOSCOPE_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    assert cache_folder().is_absolute()
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for a user without entry
    assert cache_folder().is_absolute()
    assert "~" not in str(cache_folder())
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", "relative")
    assert cache_folder() == tmp_path / "relative"


# ---- runs ----------------------------------------------------------------------------------


def test_resuming_what_is_no_run(tmp_path: Path, films: Path, refused: Refused) -> None:
    for name in ("none", "pneumonia.npz"):
        assert "no such run folder" in refused("train", "--resume", name)
    (tmp_path / "folder").mkdir()
    assert "holds no run.json" in refused("train", "--resume", "folder")
    for content, words in (
        ("", "cannot be read"),
        ("[]", "no JSON object"),
        ('{"schema": 99}', "another version"),
        ('{"schema": 1}', "incomplete"),
        ("\xff", "cannot be read"),
    ):
        (tmp_path / "folder" / "run.json").write_bytes(content.encode("latin1"))
        (tmp_path / "folder" / "recipe.yaml").touch()
        assert words in refused("train", "--resume", "folder")


def test_resume_stands_alone(films: Path, refused: Refused, capsys: Any, monkeypatch: Any) -> None:
    assert run(monkeypatch, "train", films, "--resume", "x") == 2
    assert "give --resume RUN alone" in " ".join(capsys.readouterr().err.split())
    assert run(monkeypatch, "train") == 2
    assert "name the data" in capsys.readouterr().err


def test_data_that_changed_since(tmp_path: Path, films: Path, refused: Refused) -> None:
    card = {"data": str(films), "seed": 0, "source": {"fingerprint": "x"}, "choices": []}
    asked = {"request": DataRequest(str(films)).to_json(), "timing": {}}
    made = create_run(tmp_path / "out", "x", "name: x\n", card | asked)
    (made.folder / ".lock").touch()
    assert "the data has changed" in refused("train", "--resume", made.folder)
    films.unlink()
    assert "neither a path nor" in refused("train", "--resume", made.folder)


def test_a_second_process_on_the_same_run(tmp_path: Path, refused: Refused) -> None:
    card: dict[str, Any] = {"data": "phantom", "seed": 0, "source": {}, "choices": [], "timing": {}}
    made = create_run(tmp_path / "out", "x", "name: x\n", card | {"request": {"data": "phantom"}})
    with FileLock(made.folder / ".lock"):
        assert "another process is working" in refused("train", "--resume", made.folder)


def test_runs_started_at_once_get_different_numbers(tmp_path: Path) -> None:
    def start(label: str) -> None:
        made.append(create_run(None, label, "name: x\n", {}).folder.name)

    made: list[str] = []
    names = [f"net-{i % 3}" for i in range(12)]
    threads = [threading.Thread(target=start, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(name[:3] for name in made) == [f"{i:03d}" for i in range(1, 13)]
    assert {p.name for p in (tmp_path / "runs").iterdir()} == {*made, ".numbers.lock"}


@pytest.mark.usefixtures("hearing")
def test_an_interrupt_tells_how_to_go_on(
    tmp_path: Path,
    films: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = CheckpointCallback._save

    def save(self: CheckpointCallback, trainer: lightning.Trainer) -> None:
        real(self, trainer)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(CheckpointCallback, "_save", save)
    words = ["train", films, *little("train.epochs=1000"), "--out", "my run"]
    assert run(monkeypatch, *words) == 130
    check_interrupted(capsys.readouterr().err, tmp_path / "my run")


def check_interrupted(errors: str, folder: Path) -> None:
    assert errors.startswith("Interrupted: the run was stopped, nothing is lost")
    assert f"pneumoscope train --resume '{folder}'" in errors
    assert "Traceback" not in errors
    assert (folder / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.slow
def test_an_interrupt_of_the_command_as_a_process(tmp_path: Path, films: Path) -> None:
    words = ["train", films, *little("train.epochs=1000"), "--out", "my run"]
    running = subprocess.Popen(
        [COMMAND, *words],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts in the background is deaf to Ctrl-C, and so are its children.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        last = tmp_path / "my run" / "checkpoints" / "last.ckpt"
        patience = time.monotonic() + 90
        while not last.is_file() and running.poll() is None and time.monotonic() < patience:
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=60)
    finally:
        running.kill()
        running.communicate()
    assert running.returncode == 130, errors
    check_interrupted(errors, tmp_path / "my run")


@pytest.mark.usefixtures("hearing")
def test_an_interrupt_that_a_library_drops_is_heard_later(
    films: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pickle's ``copyreg`` and finalisers drop whatever is raised inside them."""

    def save(self: CheckpointCallback, trainer: lightning.Trainer) -> None:
        if not fallen:
            fallen.append(trainer.current_epoch)
            with contextlib.suppress(BaseException):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(60)
        saves.append(trainer.current_epoch)

    fallen: list[int] = []
    saves: list[int] = []
    monkeypatch.setattr(CheckpointCallback, "_save", save)
    assert run(monkeypatch, "train", films, *little("train.epochs=50")) == 130
    # Lightning would leave the process deaf to the next one.
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert capsys.readouterr().err.startswith("Interrupted: the run was stopped")
    interrupts.check()  # what ended this work does not end the next
    assert fallen == [0] and saves == [0]


def test_an_error_of_our_own_keeps_its_traceback(
    films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what the user can mend is shown as the user's fault."""

    def broken(*args: object, **named: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "a template of ours")

    monkeypatch.setattr("pneumoscope.workflows.data.open_data", broken)
    with pytest.raises(FileNotFoundError):
        run(monkeypatch, "train", films)
