"""pneumoscope: chest X-rays in, an honestly judged pneumonia classifier out.

from pneumoscope import Classifier

readings = Classifier.load("runs/001-resnet18-kermany").read("films/")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pneumoscope.inference.classifier import Classifier as Classifier

__version__ = "0.1.0"
__all__ = ["Classifier", "__version__"]


def __getattr__(name: str) -> object:
    # Importing the package loads nothing; the model's libraries take seconds.
    if name == "Classifier":
        return import_module("pneumoscope.inference.classifier").Classifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
