"""Training on kept features from the command line."""

from pathlib import Path

import pytest
from tests.helpers.commands import train

FROZEN = ["model.freeze=layer2", "train.views=2"]


def test_frozen_features_are_told_and_gone_at_the_end(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word for change in FROZEN for word in ("--set", change)]
    assert train(monkeypatch, tiny_npz, *words) == 0
    printed = capsys.readouterr().out
    assert "Compute frozen features" in printed
    assert "frozen features: 2 views of 80 films" in printed
    folder = Path("runs/001-test_resnet-pneumonia")
    assert (folder / "report.html").is_file()
    assert not list((folder / "checkpoints").glob("*features*"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["model.freeze=layer9", "train.views=2"], "layer3"),
        (["model.backbone=vit_tiny_patch16_224", "input.size=224", *FROZEN[1:]], "model.freeze"),
        (["augment.mixup=0.2", *FROZEN], "augment.mixup"),
    ],
)
def test_bad_choices_leave_no_folder(
    tiny_npz: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: list[str],
    words: str,
) -> None:
    asked = [word for change in changes for word in ("--set", change)]
    assert train(monkeypatch, tiny_npz, *asked) == 2
    assert words in "".join(capsys.readouterr())
    assert not list(Path().glob("runs/*"))
