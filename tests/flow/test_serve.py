"""``pneumoscope serve`` as a whole: a command that is asked, and ends when it is told to."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import httpx
import pytest
from tests.helpers.images import encode, film
from tests.helpers.networks import make_bundle
from tests.helpers.processes import PATIENCE

from pneumoscope import Classifier
from pneumoscope.models.bundle import save_bundle
from pneumoscope.workflows.export.export import ExportRequest, export

pytestmark = pytest.mark.slow


@pytest.fixture(params=["run", "export"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    save_bundle(make_bundle(), tmp_path / "run")
    if request.param == "run":
        return tmp_path / "run"
    return export(ExportRequest(tmp_path / "run"), out=tmp_path / "export")


@pytest.fixture
def command(model: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The command, ready, and its address."""
    printed = tmp_path / "printed"
    words = [sys.executable, "-m", "pneumoscope", "serve", str(model), "--port", "0"]
    with printed.open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out)
    try:
        for _ in range(600):
            sleep(0.1)
            if "Ready" in printed.read_text():
                break
        yield process, re.findall(r"http://[0-9.:]+", printed.read_text())[0]
    finally:
        process.kill()
        process.wait(60)


def keep_asking(
    url: str, form: list[tuple[str, bytes]], told: threading.Event, answers: list[int]
) -> None:
    """Until it is told to stop, note what the service says."""
    while not told.is_set():
        try:
            answers.append(httpx.post(url, files=form, timeout=60).status_code)
        except httpx.NetworkError:  # one that came when it listened no more
            assert told.is_set()


def test_a_command_answers_as_predict_does_and_ends_after_what_waits(
    command: tuple[subprocess.Popen[bytes], str], model: Path, tmp_path: Path
) -> None:
    process, url = command
    films = [encode(film(number), "JPEG") for number in range(8)]
    files = [tmp_path / f"{number}.jpeg" for number in range(8)]
    for file, data in zip(files, films, strict=True):
        file.write_bytes(data)
    wanted = Classifier.load(model).read(files)
    form = [("film", data) for data in films]
    with httpx.Client(base_url=url, timeout=60) as client:
        rows = client.post("/v1/read", files=form).json()["films"]
        about = client.get("/v1/model").json()
        pictures = client.post("/v1/read", params={"heatmap": "png"}, content=films[0]).json()
    for row, reading in zip(rows, wanted, strict=True):
        assert row["probability"] == pytest.approx(reading.probability, abs=1e-5)
        assert (row["outcome"], row["findings"]) == (reading.outcome, list(reading.findings))
    assert about["kind"] == model.name and about["heatmap"] is True
    assert pictures["films"][0]["heatmap"]
    if Path("/proc/self/maps").is_file():
        maps = Path(f"/proc/{process.pid}/maps").read_text()
        assert ("libtorch" in maps) == (model.name == "run")

    answers: list[int] = []
    told = threading.Event()

    def ask() -> None:
        keep_asking(f"{url}/v1/read", form, told, answers)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(12)]
    for thread in threads:
        thread.start()
    held = "pneumoscope_held_requests ([0-9.]+)"
    try:  # they ask until it is told to stop, so that some wait then however fast it answers
        for _ in range(2000):
            if float(re.findall(held, httpx.get(f"{url}/metrics").text)[0]) >= 2:
                break
    finally:
        told.set()
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(120)
    assert process.wait(60) == 0
    assert answers.count(200) >= 2 and set(answers) <= {200, 503}
    printed = (tmp_path / "printed").read_text()
    assert "Stopped: every film that waited was answered" in printed
    assert "Traceback" not in printed and "jpeg" not in printed


def test_what_cannot_be_served_ends_with_2(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "pneumoscope", "serve"]
    (tmp_path / "empty").mkdir()
    for more, said in (
        ([tmp_path / "empty", "--port", "0"], "the folder holds no model"),
        ([tmp_path / "empty", "--host", "0.0.0.0"], "asks nobody for a token"),
    ):
        typed = [*words, *map(str, more)]
        done = subprocess.run(typed, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
