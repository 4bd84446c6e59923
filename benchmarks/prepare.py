"""How fast films are prepared, beside the loops that tutorials write, in one run.

    python benchmarks/prepare.py --folder chest_xray --rsna FILM.dcm

Three forms to 224 px: the folder as it is against a serial Pillow loop; 1,500 x 1,100 grey JPEG
against the same; 1,024 x 1,024 JPEG Baseline DICOM (an RSNA film's header, other films' pixels)
against a serial pydicom + OpenCV loop that resizes and saves ``.npy``. Runs alternate, and the
ratio is that of the medians. Then the second call, as a function and as a command.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pydicom
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from pneumoscope.data.prepare import prepare
from pneumoscope.listener import Silent
from pneumoscope.records import DataRequest, InputSpec
from pneumoscope.sources.detect import open_source

SIDE = 224


def pillow_loop(files: list[Path], out: Path) -> None:
    """What a tutorial does with JPEG: open, grey, resize, one after another."""
    films = np.empty((len(files), SIDE, SIDE), np.uint8)
    for i, file in enumerate(files):
        with Image.open(file) as image:
            small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            films[i] = np.asarray(small)
    np.save(out / "films.npy", films)


def dicom_loop(files: list[Path], out: Path) -> None:
    """What the RSNA tutorial does: read, resize, save, one after another."""
    for file in files:
        pixels = pydicom.dcmread(file).pixel_array
        np.save(out / f"{file.stem}.npy", cv2.resize(pixels, (SIDE, SIDE)))


def large_jpegs(films: list[Path], out: Path) -> None:
    """Grey JPEG of 1,500 x 1,100 with the grain of a detector, in two class folders."""
    grain = np.random.default_rng(0)
    for i, film in enumerate(films):
        with Image.open(film) as image:
            large = np.asarray(image.convert("L").resize((1500, 1100), Image.Resampling.BICUBIC))
        noisy = np.clip(large + grain.normal(0, 3, large.shape), 0, 255).astype(np.uint8)
        folder = out / ("NORMAL", "PNEUMONIA")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noisy).save(folder / f"film-{i:04d}.jpeg", quality=90)


def rsna_like(template: Path, films: list[Path], out: Path) -> None:
    """RSNA's form: its real header, pixels of other films as JPEG Baseline, and a label table."""
    folder = out / "stage_2_train_images"
    folder.mkdir(parents=True)
    rows = ["patientId,x,y,width,height,Target"]
    for i, film in enumerate(films):
        data = pydicom.dcmread(template)
        with Image.open(film) as image:
            large = image.convert("L").resize((1024, 1024), Image.Resampling.BICUBIC)
        frame = io.BytesIO()
        large.save(frame, "JPEG", quality=90)
        data.PatientID = f"patient-{i:05d}"
        data.PixelData = encapsulate([frame.getvalue()])
        data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        data.save_as(folder / f"patient-{i:05d}.dcm")
        positive = "PNEUMONIA" in film.parts
        rows.append(f"patient-{i:05d}," + ("100,100,200,300,1" if positive else ",,,,0"))
    (out / "stage_2_train_labels.csv").write_text("\n".join(rows) + "\n")


def ours(data: Path) -> Callable[[Path], None]:
    def run(out: Path) -> None:
        source = open_source(DataRequest(str(data)), Path("none"), Silent())
        prepare(source, InputSpec(SIDE, SIDE), out / "set", keep_ids=True)

    return run


def compare(name: str, count: int, rivals: dict[str, Callable[[Path], None]], repeats: int) -> None:
    """Alternate the rivals after one unmeasured round, which warms the disk cache for both."""
    seconds: dict[str, list[float]] = {rival: [] for rival in rivals}
    for repeat in range(repeats + 1):
        for rival, work in rivals.items():
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                work(Path(folder))
                if repeat:
                    seconds[rival].append(time.perf_counter() - start)
    medians = {rival: statistics.median(times) for rival, times in seconds.items()}
    (slow, serial), (fast, mine) = medians.items()
    print(
        f"{name:<28} {slow} {serial:6.2f} s ({count / serial:5.0f}/s)   {fast} {mine:6.2f} s "
        f"({count / mine:5.0f}/s)   {serial / mine:.2f} x",
        flush=True,
    )


def second_call(data: Path) -> None:
    """Unchanged data: the function in this process, and the whole command."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PNEUMOSCOPE_CACHE": cache}
        command = [sys.executable, "-m", "pneumoscope", "prepare", str(data)]
        script = shutil.which("pneumoscope", path=str(Path(sys.executable).parent))
        if script:
            command = [script, "prepare", str(data)]
        seconds = []
        for _ in range(6):
            start = time.perf_counter()
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - start)
        out = Path(cache) / "set"
        times = []
        for _ in range(6):
            start = time.perf_counter()
            source = open_source(DataRequest(str(data)), Path(cache), Silent())
            prepare(source, InputSpec(SIDE, SIDE), out)
            times.append(time.perf_counter() - start)
    print(
        f"command: first {seconds[0]:.2f} s, again {statistics.median(seconds[1:]):.2f} s; "
        f"function: first {times[0]:.2f} s, again {statistics.median(times[1:]):.3f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the Kaggle folder")
    parser.add_argument("--rsna", type=Path, required=True, help="one film of RSNA")
    parser.add_argument("--films", type=int, default=600, help="films made of each large form")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    films = sorted(args.folder.rglob("*.jpeg"))
    some = films[:: len(films) // args.films][: args.films]
    with tempfile.TemporaryDirectory() as work:
        large, rsna = Path(work) / "large", Path(work) / "rsna"
        large_jpegs(some, large)
        rsna_like(args.rsna, some, rsna)
        for name, data, pattern, loop in (
            ("folder, as it is", args.folder, "*.jpeg", pillow_loop),
            ("JPEG 1,500 x 1,100", large, "*.jpeg", pillow_loop),
            ("DICOM 1,024, JPEG Baseline", rsna, "*.dcm", dicom_loop),
        ):
            files = sorted(data.rglob(pattern))
            rivals = {
                "serial": lambda out, f=files, run=loop: run(f, out),
                "ours": ours(data),
            }
            compare(name, len(files), rivals, args.repeats)
    second_call(args.folder)


if __name__ == "__main__":
    main()
