"""The training loop that the published notebooks share, for others here to stand beside.

ImageFolder, per-sample transforms, float32, three channels, Adam 1e-4 and torchvision's network, or
timm's where torchvision has none of that name.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import timm
import torch
import torchvision
from torch import nn
from torchvision import transforms


def tutorial(
    folder: Path, backbone: str, size: int, batch: int, steps: int, frozen: Sequence[str] = ()
) -> float:
    """Images a second over ``steps`` steps on the class folders in ``folder``.

    The parts named in ``frozen`` take no gradient and stay in evaluation mode, as the notebook of
    the partly frozen network has them; the others learn.
    """
    torch.manual_seed(0)
    chain = transforms.Compose(
        [
            transforms.Resize((size, size)),
            transforms.RandomHorizontalFlip(),
            transforms.RandomRotation(10),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    films = torchvision.datasets.ImageFolder(str(folder), chain)
    loader = iter(torch.utils.data.DataLoader(films, batch_size=batch, shuffle=True))
    if backbone in torchvision.models.list_models():
        model = torchvision.models.get_model(backbone, weights=None)
        model.fc = nn.Linear(model.fc.in_features, 2)
    else:
        model = timm.create_model(backbone, num_classes=2)
    for name in frozen:
        getattr(model, name).requires_grad_(False).eval()
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    loss_of = nn.CrossEntropyLoss()
    start = 0.0
    for step in range(steps + 1):
        if step == 1:
            start = time.perf_counter()  # the first step warms up
        images, labels = next(loader)
        optimiser.zero_grad()
        loss = loss_of(model(images), labels)
        loss.backward()
        optimiser.step()
        loss.item()
    return steps * batch / (time.perf_counter() - start)
