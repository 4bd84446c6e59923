"""A whole ``train`` from ImageNet weights with the network cut off."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from tests.helpers.commands import run
from tests.helpers.figures import leave_undrawn

from pneumoscope.models.packaged import package_of


@pytest.mark.slow
def test_the_recipe_transfer_trains_without_a_network(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def cut_off(*_: object, **__: object) -> None:
        raise OSError("the network was asked")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, cut_off)
    monkeypatch.setattr(socket, "getaddrinfo", cut_off)
    leave_undrawn(monkeypatch)
    small = ("input.size=32", "train.epochs=1", "decide.turn_average=0", "train.precision=float32")
    changes = [word for change in small for word in ("--set", change)]
    words = ("train", str(tiny_npz), "--recipe", "transfer", *changes, "--out", "run")
    assert run(monkeypatch, *words) == 0
    package = package_of("tf_efficientnet_lite0")
    assert package is not None and "ImageNet weights of an installed package" in " ".join(
        capsys.readouterr().out.split()
    )
    began = json.loads(Path("run/run.json").read_text("utf-8"))["weights"]
    assert began == {"package": f"{package.name} {package.version}", "sha256": package.sha256}
    lineage = json.loads(Path("run/model.json").read_text("utf-8"))["lineage"]
    assert lineage["weights_sha256"] == package.sha256
