"""``pneumoscope export``: one file that answers as the run does, and is read without torch."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from tests.helpers.commands import Made, made_at, run
from tests.helpers.images import film
from tests.helpers.networks import make_bundle
from tests.helpers.openvino import install_double
from tests.helpers.parts import install_runtime
from tests.helpers.processes import python
from tests.helpers.shared import made_once

from pneumoscope import Classifier
from pneumoscope.data.pool import cores
from pneumoscope.errors import BadWeights, InputError, NotARun, NotExportable
from pneumoscope.export.words import certificate_rows
from pneumoscope.inference.exported import has_openvino
from pneumoscope.inference.members import load_members
from pneumoscope.listener import Silent
from pneumoscope.models.bundle import save_bundle
from pneumoscope.readings import Calibration
from pneumoscope.run import Run
from pneumoscope.workflows.export.export import ExportRequest, export
from pneumoscope.workflows.export.films import OwnFilms, own_films
from pneumoscope.workflows.export.openvino import in_openvino
from pneumoscope.workflows.export.proof import proof_of

CSV = ("--csv", "out.csv", "--json", "out.json")
HEAT = ("--heatmaps", "maps")


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, trained: Made) -> Made:
    """The finished run as an export, made beside its data. No test changes it."""

    def make(place: Path) -> Made:
        with made_at(place) as (patch, printed):
            patch.setenv("PNEUMOSCOPE_CACHE", str(trained.cache))
            assert run(patch, "export", str(trained.folder), "--out", "export") == 0
        return Made(place / "export", trained.cache, printed.getvalue())

    return made_once(tmp_path_factory, "exported", make)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Three chests, one of them inverted, a knot of noise, and a file that is no film."""
    folder = tmp_path / "films"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(255 - film(i) if i == 2 else film(i)).save(folder / f"{i}.png")
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    (folder / "cut.jpeg").write_bytes(b"\xff\xd8\xff")
    return folder


def test_the_folder_says_what_was_held_against_what(exported: Made, trained: Made) -> None:
    names = {file.name for file in exported.folder.iterdir()}
    assert names == {"model.json", "model.onnx", "model_card.md", "reference.npz"}
    about = Run(exported.folder).model()
    entry = about.pop("export")
    assert about == Run(trained.folder).model()
    checks = entry["certificate"]["checks"]
    assert [(c["films"], c["count"], c["batches"]) for c in checks] == [
        ("phantoms", 100, [1, 7, 64]),
        ("validation", 40, [64]),  # and none of the 40 test films
    ]
    assert all(0 <= c["largest_difference"] <= 1e-4 and c["decisions"] == 0 for c in checks)
    assert entry["certificate"]["not_tried"] == []
    card = (exported.folder / "model_card.md").read_text("utf-8")
    assert card.startswith(Run(trained.folder).model_card_file.read_text("utf-8").rstrip())
    assert entry["sha256"] in card and "40 films (validation)" in exported.printed
    # Nothing of the machine that it was made on.
    assert b".py" not in (exported.folder / "model.onnx").read_bytes()


def test_the_runtime_alone_gives_the_same_rows(
    exported: Made, trained: Made, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, "predict", str(trained.folder), str(films), *CSV, *HEAT) == 0
    wanted = json.loads(Path("out.json").read_text())
    Path("out.csv").unlink(), Path("out.json").unlink(), Path("maps").rename("of the run")
    code = install_runtime(tmp_path / "runtime") + (
        "from pneumoscope.cli import main; "
        f"sys.argv = {['pneumoscope', 'predict', str(exported.folder), str(films), *CSV, *HEAT]}; "
        "sys.exit(main._run())"
    )
    done = python(code)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(Path("out.json").read_text())
    assert len(found) == 5 and any(row["findings"] for row in found)
    run_in_bf16 = Run(trained.folder).model()["precision"] == "bf16"
    for mine, theirs in zip(found, wanted, strict=True):
        near = {"abs": 0.1 if run_in_bf16 else 1e-4}
        assert mine.pop("logit") == pytest.approx(theirs.pop("logit"), **near)
        assert mine.pop("probability") == pytest.approx(theirs.pop("probability"), **near)
        assert mine == theirs  # findings, decision, point, scale, reason
    assert "method: occlusion (class activation maps need the layers" in done.stdout
    names = [sorted(p.name for p in Path(f).iterdir()) for f in ("maps", "of the run")]
    assert names[0] == names[1] and len(names[0]) == 4
    assert b"by Occlusion: by how much a grey square" in Path("maps", names[0][0]).read_bytes()
    assert b"by Combined: the mean of" in Path("of the run", names[0][0]).read_bytes()


def test_onnx_runtime_alone_reads_it(exported: Made) -> None:
    session = onnxruntime.InferenceSession(
        str(exported.folder / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    side = Run(exported.folder).model()["input"]["stored"]
    assert (taken.name, taken.type, taken.shape[1:]) == ("films", "tensor(uint8)", [side, side])
    assert (given.name, given.type) == ("logit", "tensor(float)")
    some = np.random.default_rng(0).integers(0, 256, (3, side, side), dtype=np.uint8)
    assert session.run(None, {"films": some})[0].shape == (3,)


def test_what_only_the_run_can_do_is_said(
    exported: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "explain", str(exported.folder)) == 2
    said = capsys.readouterr().err
    assert "which only predict and serve read" in said
    assert "predict EXPORT FILMS --heatmaps DIR" in said
    assert run(monkeypatch, "export", str(exported.folder)) == 2
    assert "this is an export already" in capsys.readouterr().err
    with pytest.raises(NotARun, match="an export"):
        load_members(exported.folder)
    with pytest.raises(InputError, match="processor alone"):
        Classifier.load(exported.folder, device="cuda")


def test_a_file_that_is_not_the_one_that_was_tested_is_refused(
    exported: Made, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(exported.folder, tmp_path / "copy"))
    data = bytearray((copy / "model.onnx").read_bytes())
    data[-1] ^= 1
    (copy / "model.onnx").write_bytes(data)
    with pytest.raises(BadWeights, match="not the file that was tested"):
        Classifier.load(copy)
    (copy / "model.json").write_text("{}")
    with pytest.raises(BadWeights, match="export cannot be loaded"):
        Classifier.load(copy)


def test_the_data_of_a_run_is_found_where_it_is_now(
    finished: Path, tiny_npz: Path, tmp_path: Path
) -> None:
    manifest = json.loads((finished / "run.json").read_text())
    manifest["request"]["data"] = "gone.npz"
    (finished / "run.json").write_text(json.dumps(manifest))
    moved_to = Path(shutil.copy(tiny_npz, tmp_path / "another name.npz"))
    lost = own_films([finished], None, Silent())
    assert lost.sets is None and lost.why
    moved = own_films([finished], str(moved_to), Silent())
    assert moved.sets is not None and len(moved.sets[0].rows("val")) == 40
    other = tmp_path / "other.npz"
    arrays = {k: 255 - v if v.ndim == 3 else v for k, v in np.load(tiny_npz).items()}
    np.savez(other, **arrays)
    with pytest.raises(InputError, match="changed"):
        own_films([finished], str(other), Silent())


def test_openvino_is_held_against_the_run_on_its_own(
    exported: Made, trained: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = (exported.folder / "model.onnx").read_bytes()
    monkeypatch.setattr("pneumoscope.export.certificate.PHANTOMS", 12)
    proof = proof_of(load_members(trained.folder), OwnFilms(None, "not looked for"))
    double = install_double(monkeypatch)
    entry = in_openvino(proof, graph, graph, None, Silent())
    assert entry["version"] == "1.2.3" and entry["int8"] is None
    ((films, apart),) = [(c["films"], c["largest_difference"]) for c in entry["checks"]]
    assert films == "phantoms" and apart <= 1e-4
    # By default it computes in bf16, and with all cores of the machine.
    assert double.settings["INFERENCE_PRECISION_HINT"] == "f32"
    assert double.settings["INFERENCE_NUM_THREADS"] == cores()
    double.off = 2e-4
    with pytest.raises(NotExportable, match="in OpenVINO answers otherwise") as error:
        in_openvino(proof, graph, graph, None, Silent())
    assert "leave --openvino out" in str(error.value.remedy)


def test_openvino_reads_what_was_proved_in_it(
    exported: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(exported.folder, tmp_path / "copy"))
    about = json.loads((copy / "model.json").read_text())
    # An export that was made before there was such a thing.
    del about["export"]["openvino"]
    (copy / "model.json").write_text(json.dumps(about))
    assert Classifier.load(copy).notes == Classifier.load(exported.folder).notes
    proved = {"version": "1.2.3", "checks": about["export"]["certificate"]["checks"], "int8": None}
    about["export"]["openvino"] = proved
    (copy / "model.json").write_text(json.dumps(about))
    assert "OpenVINO 1.2.3: model, 100 films (phantoms)" in dict(certificate_rows(about["export"]))
    double = install_double(monkeypatch)
    double.off = 1.0
    wanted = Classifier.load(exported.folder).read(film(0))[0].logit
    here = Classifier.load(copy)
    assert here.read(film(0))[0].logit == pytest.approx(wanted + 1)
    assert here.notes[-1][:2] == ("runtime", "OpenVINO")
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr("pneumoscope.inference.exported.find_spec", lambda _: None)
    there = Classifier.load(copy)
    assert there.read(film(0))[0].logit == wanted
    assert there.notes[-1][:2] == ("runtime", "ONNX Runtime")


def test_without_openvino_its_proof_is_refused_before_any_work(
    trained: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("pneumoscope.inference.exported.find_spec", lambda _: None)
    out = tmp_path / "export"
    assert run(monkeypatch, "export", str(trained.folder), "--openvino", "--out", str(out)) == 2
    said = capsys.readouterr()
    assert "OpenVINO is not installed" in said.err and "pneumoscope[openvino]" in said.err
    assert "Open the model" not in said.out and not out.exists()


@pytest.mark.slow
@pytest.mark.skipif(not has_openvino(), reason="OpenVINO is not installed")
def test_openvino_itself_agrees(trained: Made, tmp_path: Path) -> None:
    folder = export(ExportRequest(trained.folder, openvino=True), out=tmp_path / "both")
    proved = Run(folder).model()["export"]["openvino"]
    assert [check["films"] for check in proved["checks"]] == ["phantoms", "validation"]
    assert Classifier.load(folder).notes[-1][:2] == ("runtime", "OpenVINO")


@pytest.mark.slow
def test_folds_are_exported_as_their_mean(tmp_path: Path, films: Path) -> None:
    for place, heat in enumerate((0.7, 1.5)):
        (tmp_path / f"group/fold-{place}").mkdir(parents=True)
        bundle = make_bundle(place, calibration=Calibration(heat, "val"), turn_average=6.0)
        save_bundle(bundle, tmp_path / f"group/fold-{place}")
    folder = export(ExportRequest(tmp_path / "group"), out=tmp_path / "mean")
    about = Run(folder).model()
    checks = about["export"]["certificate"]["checks"]
    assert [check["model"] for check in checks] == ["mean", "member 1", "member 2"]
    assert len(about["export"]["certificate"]["not_tried"]) == 2
    alone, whole = Classifier.load(folder), Classifier.load(tmp_path / "group")
    assert (alone.operating_points, alone.scale) == (whole.operating_points, whole.scale)
    assert alone.notes == whole.notes
    for mine, theirs in zip(alone.read(films), whole.read(films), strict=True):
        assert (mine.decision, mine.findings) == (theirs.decision, theirs.findings)
        assert mine.logit == pytest.approx(theirs.logit, abs=1e-4)
