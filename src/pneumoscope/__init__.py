"""pneumoscope: chest X-rays in, an honestly judged pneumonia classifier out.

from pneumoscope import Classifier

readings = Classifier.load("runs/001-resnet18-kermany").read("films/")
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pneumoscope.inference.classifier import Classifier as Classifier

# ONNX Runtime (1.32) keeps a record of every process that loads it in the user's cache, with errors
# and the command's path, and sends it to its maker. It asks this once, whoever loads it; whoever
# wants those records sets it to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
__all__ = ["Classifier", "__version__"]


def __getattr__(name: str) -> object:
    # Importing the package loads nothing; the model's libraries take seconds.
    if name == "Classifier":
        return import_module("pneumoscope.inference.classifier").Classifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
