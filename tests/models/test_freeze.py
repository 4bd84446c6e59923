"""Freezing by stage: what keeps still, what is named, and the network cut in two."""

import pytest
import torch

from pneumoscope.errors import BadRecipe
from pneumoscope.models.freeze import (
    check_chain,
    freeze_parts,
    frozen_after,
    frozen_count,
    parts_of,
)
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import ZOO, build_backbone
from pneumoscope.records import InputSpec


def network(name: str = "resnet18") -> Network:
    torch.manual_seed(0)
    return Network(build_backbone(name), InputSpec(32, 32), normalisation=(0.5, 0.25))


def films() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (4, 32, 32), dtype=torch.uint8, generator=generator)


def test_a_frozen_part_keeps_weights_and_batch_statistics() -> None:
    net = network()
    net.freeze(frozen_count(net.backbone, "layer3"))
    before = {key: value.clone() for key, value in net.state_dict().items()}
    net.train()
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.5)
    net(films()).square().mean().backward()
    optimizer.step()
    moved = {key for key, value in net.state_dict().items() if not torch.equal(before[key], value)}
    assert moved and all(key.startswith(("backbone.layer4", "head.")) for key in moved)
    assert any("running_mean" in key for key in moved)


@pytest.mark.parametrize("name", [backbone.name for backbone in ZOO])
def test_the_two_halves_make_the_whole(name: str) -> None:
    net = network(name)
    check_chain(net.backbone, 32, name)
    learning = [n for n, part in parts_of(net.backbone) if list(part.parameters())]
    net.freeze(frozen_count(net.backbone, learning[len(learning) // 2]))
    net.eval()
    with torch.inference_mode():
        whole = net.scores(films())
        torch.testing.assert_close(net.scores_of(net.frozen_features(net.seen(films()))), whole)


def test_an_unknown_part_is_named_with_those_there_are() -> None:
    with pytest.raises(BadRecipe, match="layer3"):
        frozen_count(build_backbone("resnet18"), "layer33")


def test_a_transformer_cannot_be_cut() -> None:
    backbone = build_backbone("vit_tiny_patch16_224")
    with pytest.raises(BadRecipe, match="chain"):
        check_chain(backbone, 224, "vit_tiny_patch16_224")
    assert frozen_count(backbone, "all") == len(parts_of(backbone))


@pytest.mark.parametrize(("freeze", "learn"), [("all", False), ("blocks.3", True)])
def test_what_stands_before_the_parts_is_frozen_with_them(freeze: str, learn: bool) -> None:
    backbone = build_backbone("vit_tiny_patch16_224")
    freeze_parts(backbone, frozen_count(backbone, freeze))
    assert not backbone.pos_embed.requires_grad and not backbone.cls_token.requires_grad
    assert any(p.requires_grad for p in backbone.parameters()) == learn
    freeze_parts(backbone, 0)
    assert all(p.requires_grad for p in backbone.parameters())


def test_parts_are_freed_from_the_top_epoch_by_epoch() -> None:
    backbone = build_backbone("resnet18")
    names = [name for name, _ in parts_of(backbone)]

    def last_frozen(epoch: int) -> str | None:
        count = frozen_after(backbone, "layer3", epoch, 2)
        return names[count - 1] if count else None

    assert [last_frozen(epoch) for epoch in (0, 1, 2, 4, 6)] == [
        "layer3", "layer3", "layer2", "layer1", "maxpool"
    ]  # fmt: skip
    assert last_frozen(99) is None
    assert frozen_after(backbone, "layer3", 99, 0) == names.index("layer3") + 1
