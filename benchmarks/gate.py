"""The gate, judged: films wrongly withheld, and pictures of other things decided.

    python benchmarks/gate.py TRAINING_FILMS FOLDER...

The reference is of the training films; each FOLDER holds frontal films of which none should be
withheld. Then the 40 pictures of ``no_chest_films``, and scikit-image's where it is installed.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
from benchmarks.no_chest_films import TREATMENTS, more, pictures
from PIL import Image

from pneumoscope.imaging.geometry import fit_square
from pneumoscope.imaging.known.reference import Reference, make_reference
from pneumoscope.inference.image_warnings import of_pixels, withholding
from pneumoscope.records import Grey, InputSpec

_SPEC = InputSpec(224, 224)


def _films(folder: Path) -> Grey:
    return _square(
        [np.asarray(Image.open(file).convert("L")) for file in sorted(folder.rglob("*.jpeg"))]
    )


def _square(films: list[Grey]) -> Grey:
    return np.stack([fit_square(np.ascontiguousarray(film), _SPEC) for film in films])


def _print(name: str, films: Grey, reference: Reference) -> None:
    for known, how in ((reference, "with a reference"), (None, "without")):
        codes = of_pixels(films, known)
        reasons = Counter(code for code in map(withholding, codes) if code)
        bare = f"{codes.count(())} decided without a remark"
        print(f"{name}, {how}: {reasons.total()} of {len(codes)} withheld {dict(reasons)}, {bare}")


def main(training: Path, folders: list[Path]) -> None:
    """Print what is withheld and what is decided."""
    trained = _films(training)
    reference = make_reference(trained, ["train"] * len(trained))
    for folder in folders:
        films = _films(folder)
        _print(folder.name, films, reference)
        for name, make in TREATMENTS.items():
            _print(f"{folder.name}, {name}", _square([make(film) for film in films]), reference)
    for kind, found in (("of 40 pictures", pictures()), ("of scikit-image's", more())):
        for known, how in ((reference, "with a reference"), (None, "without")):
            codes = of_pixels(_square(list(found.values())), known) if found else []
            named = list(zip(found, codes, strict=True))
            decided = [name for name, each in named if withholding(each) is None]
            bare = [name for name, each in named if not each]
            print(f"{kind}, {how}: {len(decided)} of {len(found)} decided {decided}, bare {bare}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(place) for place in sys.argv[2:]])
