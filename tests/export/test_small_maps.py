"""Convolutions on small maps as products: the same answers, and fewer of them to compute."""

import numpy as np
import pytest
import torch
from torch import nn

from pneumoscope.export.small_maps import Product, with_products
from pneumoscope.models.network import Network
from pneumoscope.models.plain import plain_copy
from pneumoscope.models.zoo import build_backbone
from pneumoscope.records import InputSpec


@pytest.mark.parametrize("side", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_a_product_is_its_convolution(side: int, stride: int, bias: bool) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(5, 7, 3, stride, padding=1, bias=bias)
    maps = torch.randn(4, 5, side, side)
    found = Product(conv, maps.shape[1:])(maps)
    assert found.shape == conv(maps).shape
    torch.testing.assert_close(found, conv(maps), atol=1e-6, rtol=1e-6)


def test_only_small_maps_become_products_and_the_answers_stay() -> None:
    torch.manual_seed(0)
    network = Network(build_backbone("resnet18"), InputSpec(64, 64), normalisation=(0.5, 0.25))
    plain = plain_copy(network.eval(), "resnet18")
    films = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 64, 64), np.uint8))
    with torch.inference_mode():
        wanted = plain(films)
        found = with_products(plain)(films)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    names = {name for name, part in plain.named_modules() if isinstance(part, Product)}
    # The last stage; its first convolution is given 4 x 4 cells, its 1 x 1 is cheap as it is.
    last = {f"backbone.layer4.{block}" for block in ("0.conv2", "1.conv1", "1.conv2")}
    assert names == last
