"""int8 is written where validation films say that little is lost, and refused elsewhere."""

import errno
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.helpers.networks import make_bundle, settled

from pneumoscope.errors import DiskFull, NotExportable
from pneumoscope.export.certificate import phantoms
from pneumoscope.export.graph import finished, to_onnx
from pneumoscope.export.quantise import judged, quantised
from pneumoscope.inference.exported import OnnxEngine
from pneumoscope.metrics.paired import delong_paired
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.records import InputSpec
from pneumoscope.workflows.export.films import OwnFilms
from pneumoscope.workflows.export.int8 import check_quantisable

DRAW = np.random.default_rng(0)
LABELS = np.arange(400) % 2
LOGITS = DRAW.normal(3 * (LABELS - 0.5), 1.0)


def test_a_small_change_is_judged_in_pairs() -> None:
    near = LOGITS + DRAW.normal(0, 0.02, 400)
    found = judged(LABELS, (LOGITS, near), 0.5, None, 256)
    assert (found.films, found.calibrated_on) == (400, 256)
    # Another method of the same interval, with an oracle of its own.
    delong = delong_paired(LABELS, LOGITS, near)
    assert found.auroc.value == pytest.approx(delong.value)
    assert found.auroc.low == pytest.approx(delong.low, abs=2e-4)
    assert found.decisions == np.mean((LOGITS >= 0) != (near >= 0)) <= 0.02
    assert found.largest_difference == np.abs(near - LOGITS).max()


@pytest.mark.parametrize(
    ("made", "labels"),
    [
        (LOGITS + DRAW.normal(0, 2, 400), LABELS),  # ranks get lost
        (LOGITS - 1, LABELS),  # every rank is kept, decisions change
        (LOGITS, LABELS * 0),  # of one class nothing can be told
    ],
    ids=["auroc", "decisions", "one class"],
)
def test_too_much_is_refused_with_the_figure(made: np.ndarray, labels: np.ndarray) -> None:
    with pytest.raises(NotExportable, match="int8 costs too much") as error:
        judged(labels, (LOGITS, made), 0.5, None, 256)
    assert "AUROC changes by" in str(error.value.got)


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(NotExportable, match="validation films"):
        check_quantisable(OwnFilms(None, "gone"))
    with pytest.raises(NotExportable, match="mean of several"):
        check_quantisable(OwnFilms((None, None)))  # type: ignore[arg-type]


def test_a_full_disk_is_said_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFull, match="TMPDIR for temporary files"):
        quantised(b"", np.zeros((1, 40, 40), np.uint8))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_convolutions_become_int8_and_little_else_changes() -> None:
    spec = InputSpec(40, 40, local_contrast=4)
    bundle, drawn = make_bundle(3, spec, turn_average=6.0), phantoms(spec)
    bundle = make_bundle(3, spec, turn_average=6.0, network=settled(bundle.network, drawn[:64]))
    whole = finished(to_onnx([bundle]))
    small = quantised(whole, drawn[:64])
    assert len(small) < len(whole) / 2
    rows = np.arange(64, 100)
    first, second = (OnnxEngine(each).logits(drawn, rows) for each in (whole, small))
    assert 0 < np.abs(first - second).max() < 1
    # Of random weights, whose logits the head amplifies.
    assert np.corrcoef(first, second)[0, 1] > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("backbone", "outputs"), [("resnet18", 2), ("tf_efficientnet_lite0", 1)])
def test_nothing_leaves_int8_between_convolutions_but_the_head(backbone: str, outputs: int) -> None:
    spec = InputSpec(64, 64)
    network = Network(build_backbone(backbone), spec, normalisation=(0.5, 0.25), outputs=outputs)
    drawn = phantoms(spec)[:32]
    network = settled(network.eval(), drawn)
    bundle = make_bundle(network=network, backbone=backbone)
    made = onnx.load_from_string(quantised(finished(to_onnx([bundle])), drawn)).graph
    kinds = {name: node.op_type for node in made.node for name in node.output}
    # ReLU and ReLU6 behind a convolution are the range of its numbers.
    clips = [node for node in made.node if node.op_type in ("Relu", "Clip")]
    assert "Conv" not in {kinds[node.input[0]] for node in clips}
    heads = [node for node in made.node if node.op_type == "Gemm"][-1:]
    assert [kinds.get(name) for node in heads for name in node.input[1:]] == [None] * 2
    convolutions = [node for node in made.node if node.op_type == "Conv"]
    assert {kinds[node.input[1]] for node in convolutions} == {"DequantizeLinear"}
