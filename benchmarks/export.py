"""How an export answers beside its run: differences of logits, films a second, seconds of a start.

    python benchmarks/export.py parity                        # every backbone of the zoo, 64 px
    python benchmarks/export.py network                       # the networks alone, torch beside it
    python benchmarks/export.py runtimes EXPORT …             # OpenVINO beside ONNX Runtime
    python benchmarks/export.py command RUN EXPORT FILMS      # one film, and 1,000 JPEG of 224 px
    python benchmarks/export.py command RUN EXPORT FILMS --int8 EXPORT8      # and another, in int8

``parity`` and ``network`` take random weights. What is compared is measured in turns, and medians
are given. ``command`` runs whole commands, each in a process of its own.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmarks.predict import make_films


def made(backbone: str, side: int, contrast: int = 0):
    """A bundle of random weights whose norms and logits are as after training."""
    import torch
    from tests.helpers.networks import make_bundle, settled, shaken

    from pneumoscope.export.certificate import phantoms
    from pneumoscope.models.network import Network
    from pneumoscope.models.zoo import build_backbone
    from pneumoscope.records import InputSpec

    torch.manual_seed(0)
    spec = InputSpec(side, side, local_contrast=contrast)
    network = Network(shaken(build_backbone(backbone)), spec, normalisation=(0.5, 0.25)).eval()
    network = settled(network, phantoms(spec)[:64])
    return make_bundle(network=network, backbone=backbone)


def parity(names: list[str]) -> None:
    from pneumoscope.errors import NotExportable
    from pneumoscope.export.certificate import Asked, compare, phantoms
    from pneumoscope.export.graph import finished, to_onnx
    from pneumoscope.inference.exported import OnnxEngine
    from pneumoscope.inference.predictor import Predictor
    from pneumoscope.models.plain import plain_copy
    from pneumoscope.models.zoo import ZOO

    for name in names or [each.name for each in ZOO]:
        bundle = made(name, 64)
        start = time.perf_counter()
        graph = finished(to_onnx([bundle]))
        seconds = time.perf_counter() - start
        run = Predictor([bundle], calibrated=True)
        asked = Asked("model", run, None, bundle.operating_points)
        drawn = phantoms(bundle.network.spec)
        try:
            found = compare(asked, OnnxEngine(graph), "phantoms", drawn)
        except NotExportable as error:
            print(f"{name:<22} refused: {error.got}", flush=True)
            continue
        plain = replace(bundle, network=plain_copy(bundle.network, name))
        rows = np.arange(len(drawn))
        logits = run.logits(drawn, rows)
        rounding = np.abs(Predictor([plain]).logits(drawn, rows) - logits).max()
        print(
            f"{name:<22} {found.largest_difference:.1e}, {found.decisions} of {found.count} "
            f"decisions; logits {logits.min():.2f} to {logits.max():.2f}, torch in rows for "
            f"channels_last differs by {rounding:.1e}; {seconds:.0f} s, "
            f"{len(graph) / 1e6:.0f} MB",
            flush=True,
        )


def network(batch: int, turns: int) -> None:
    """Films a second of a network alone, without views."""
    import torch

    from pneumoscope.export.graph import finished, to_onnx
    from pneumoscope.inference.exported import OnnxEngine
    from pneumoscope.models.plain import plain_copy

    for backbone, side, contrast in (("resnet18d", 64, 4), ("tf_efficientnet_lite0", 224, 0)):
        bundle = made(backbone, side, contrast)
        graph = OnnxEngine(finished(to_onnx([bundle])))
        eager = bundle.network.to(memory_format=torch.channels_last).requires_grad_(False)
        rows = plain_copy(bundle.network, backbone)
        films = np.random.default_rng(0).integers(0, 256, (batch, side, side), dtype=np.uint8)
        given = torch.from_numpy(films)

        def by_torch(net, given=given) -> Callable[[], object]:
            def answer() -> object:
                with torch.inference_mode():
                    return net(given)

            return answer

        ways = {
            "onnx float32": lambda graph=graph, films=films: graph.run(films),
            "torch channels_last": by_torch(eager),
            "torch rows": by_torch(rows),
        }
        print(f"{backbone}, {side} px, batch {batch}")
        in_turns(ways, turns, batch)


def runtimes(exports: list[Path], turns: int) -> None:
    """The same file in both runtimes: seconds of loading, films a second, differences."""
    from pneumoscope.export.certificate import phantoms
    from pneumoscope.inference.exported import OnnxEngine, OpenVinoEngine
    from pneumoscope.records import InputSpec
    from pneumoscope.run import Run

    for export in exports:
        about, graph = Run(export).model(), Run(export).graph_file.read_bytes()
        int8 = about["export"]["int8"] is not None
        engines = {}
        for make in (lambda: OnnxEngine(graph, int8=int8), lambda: OpenVinoEngine(graph)):  # noqa: B023
            start = time.perf_counter()
            engine = make()
            print(f"{export}: {engine.runtime} loads in {time.perf_counter() - start:.2f} s")
            engines[engine.runtime] = engine
        films = phantoms(InputSpec(**about["input"]))
        first, second = (engine.batch(films) for engine in engines.values())
        print(f"  logits of {len(films)} phantoms differ by {np.abs(first - second).max():.1e}")
        for batch in (1, 4, 16):
            print(f"  batch {batch}")
            given = films[:batch]
            ways = {
                name: lambda engine=engine, given=given: engine.run(given)
                for name, engine in engines.items()
            }
            in_turns(ways, turns, batch)


def in_turns(ways: Mapping[str, Callable[[], object]], turns: int, films: int) -> None:
    """Films a second of each way; the processor's own seconds bear with a busy machine."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, way in ways.items():
            start, before = time.perf_counter(), time.process_time()
            way()
            if turn:  # the first is for warming
                seconds[name].append(time.perf_counter() - start)
                processor[name].append(time.process_time() - before)
    middle = {name: statistics.median(each) for name, each in seconds.items()}
    busy = {name: statistics.median(each) for name, each in processor.items()}
    first = next(iter(ways))
    for name in ways:
        print(
            f"  {name:<20} {films / middle[name]:7.0f} films/s, the first is "
            f"{middle[name] / middle[first]:.2f} times as fast; by the processor's seconds "
            f"{films / busy[name]:.0f}, {busy[name] / busy[first]:.2f} times"
        )


def command(
    run: Path, export: Path, source: Path, int8: Path | None, films: int, turns: int
) -> None:
    models = {"export": export, "run": run, **({"int8": int8} if int8 else {})}
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "films"
        make_films(source, folder, films)
        one = next(iter(sorted(folder.iterdir())))
        for what, given, repeats in (("1 film", one, turns), (f"{films} films", folder, 3)):
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
            for turn in range(repeats + 1):
                for name, model in models.items():
                    out = Path(work) / f"{name}-{turn}-{given.stem}.csv"
                    taken = measured(["predict", str(model), str(given), "--csv", str(out)])
                    found[name] += [taken] if turn else []
            middle = {
                name: [statistics.median(each) for each in zip(*taken, strict=True)]
                for name, taken in found.items()
            }
            for name, (seconds, mib) in middle.items():
                ratio = [a / b for a, b in zip(middle[name], middle["run"], strict=True)]
                print(
                    f"{what:<12} {name:<7} {seconds:6.2f} s, {mib:5.0f} MiB; beside the run: "
                    f"time {ratio[0]:.2f}, memory {ratio[1]:.2f}",
                    flush=True,
                )


# The process itself, for what its parent is told of memory counts the parent's own too.
_WATCHED = """
import sys
from pneumoscope.cli import main
try:
    code = main._run()
except SystemExit as ended:
    code = ended.code
status = open("/proc/self/status").read()
print(status.split("VmHWM:")[1].split()[0], file=sys.stderr)
sys.exit(code)
"""


def measured(words: list[str]) -> tuple[float, float]:
    """Seconds and MiB at most of a command in a process of its own (Linux)."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, *words], capture_output=True, text=True, check=True
    )
    return time.perf_counter() - start, int(done.stderr.split()[-1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("parity").add_argument("names", nargs="*")
    alone = verbs.add_parser("network")
    alone.add_argument("--batch", type=int, default=16)
    alone.add_argument("--turns", type=int, default=20)
    both = verbs.add_parser("runtimes")
    both.add_argument("exports", nargs="+", type=Path)
    both.add_argument("--turns", type=int, default=20)
    whole = verbs.add_parser("command")
    for name in ("run", "export", "source"):
        whole.add_argument(name, type=Path)
    whole.add_argument("--int8", type=Path)
    whole.add_argument("--films", type=int, default=1000)
    whole.add_argument("--turns", type=int, default=7)
    asked = vars(parser.parse_args())
    ways = {"parity": parity, "network": network, "runtimes": runtimes, "command": command}
    ways[asked.pop("verb")](**asked)


if __name__ == "__main__":
    main()
