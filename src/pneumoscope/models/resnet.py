"""ResNets of the zoo in plain torch, for models that are used: timm's names, timm's numbers.

timm and torchvision take longer to import than torch itself, more than a second, and who reads
films with a finished ResNet needs neither. Training goes on with timm's; a test holds the two to
the same names and the same features, to the bit.
"""

from __future__ import annotations

from torch import Tensor, nn

from pneumoscope.models.conv import fast_on_cpu
from pneumoscope.models.packaged import HALF

_WIDTHS = (64, 128, 256, 512)
_BLOCKS = {
    "resnet18": (2, 2, 2, 2),
    "resnet18d": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
}


def is_plain_resnet(name: str) -> bool:
    """Whether ``plain_resnet`` builds timm's ``name``; a tag behind a dot names weights only."""
    return name.split(".")[0] in _BLOCKS and not name.endswith(HALF)


def plain_resnet(name: str) -> nn.Module:
    """timm's ``name`` for grey films, with random weights: float (B, 1, S, S) to (B, F)."""
    kind = name.split(".")[0]
    deep = kind.endswith("d")
    return fast_on_cpu(ResNet(_BLOCKS[kind], bottleneck=kind == "resnet50", deep=deep))


class ResNet(nn.Module):
    """He 2016, with the stride of a bottleneck in its middle (v1.5); the parts in order.

    ``deep`` is the D of He 2019: three small convolutions to begin with, and a mean over 2 x 2
    cells where a shortcut is halved.
    """

    def __init__(self, blocks: tuple[int, ...], *, bottleneck: bool, deep: bool) -> None:
        super().__init__()
        grow = 4 if bottleneck else 1
        self.num_features = _WIDTHS[-1] * grow
        self.feature_info = [{"num_chs": 64, "reduction": 2, "module": "act1"}]
        self.conv1 = _deep_stem() if deep else nn.Conv2d(1, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.act1 = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        given = 64
        for place, (count, width) in enumerate(zip(blocks, _WIDTHS, strict=True), 1):
            strides = [1 if place == 1 else 2] + [1] * (count - 1)
            stage = nn.Sequential()
            for stride in strides:
                stage.append(_Block(given, width, stride, bottleneck, deep))
                given = width * grow
            self.add_module(f"layer{place}", stage)
            about = {"num_chs": given, "reduction": 2 ** (place + 1), "module": f"layer{place}"}
            self.feature_info.append(about)
        self.global_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))

    def forward(self, films: Tensor) -> Tensor:
        """Features, float (B, F)."""
        for part in self.children():
            films = part(films)
        return films


def _deep_stem() -> nn.Sequential:
    stem = nn.Sequential()
    for into, made, stride in ((1, 32, 2), (32, 32, 1), (32, 64, 1)):
        stem.append(nn.Conv2d(into, made, 3, stride, 1, bias=False))
        stem.extend([nn.BatchNorm2d(made), nn.ReLU(inplace=True)] if made < 64 else [])
    return stem


class _Block(nn.Module):
    """Two convolutions of 3 x 3, or one between two of 1 x 1, and what goes round them."""

    def __init__(self, given: int, width: int, stride: int, bottleneck: bool, deep: bool) -> None:
        super().__init__()
        out = width * 4 if bottleneck else width
        kernels = (1, 3, 1) if bottleneck else (3, 3)
        self.last = len(kernels)
        for place, kernel in enumerate(kernels, 1):
            step = stride if place == (2 if bottleneck else 1) else 1
            made = out if place == self.last else width
            into = given if place == 1 else width
            conv = nn.Conv2d(into, made, kernel, step, kernel // 2, bias=False)
            self.add_module(f"conv{place}", conv)
            self.add_module(f"bn{place}", nn.BatchNorm2d(made))
            self.add_module(f"act{place}", nn.ReLU(inplace=True))
        self.downsample: nn.Module | None = None
        if stride > 1 or given != out:
            halved = nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)
            pool = [halved if stride > 1 else nn.Identity()] if deep else []
            straight = nn.Conv2d(given, out, 1, 1 if deep else stride, bias=False)
            self.downsample = nn.Sequential(*pool, straight, nn.BatchNorm2d(out))

    def forward(self, films: Tensor) -> Tensor:
        past = films if self.downsample is None else self.downsample(films)
        for place in range(1, self.last + 1):
            films = self.get_submodule(f"bn{place}")(self.get_submodule(f"conv{place}")(films))
            if place == self.last:
                films += past
            films = self.get_submodule(f"act{place}")(films)
        return films
