"""What films that a carried model judges wrongly share: simple looks of a film beside its score.

    python benchmarks/carried_errors.py RUN DATA

For each look: how it alone tells pneumonia among RUN's validation films and among the films of DATA
(AUROC, .5 is a guess), and how scores follow it within the classes of DATA (mean rank correlation).
A look that points one way there and the other way here, and that scores follow, misleads the model.
Labels of DATA are read, so it is for films that nothing will be judged on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from pneumoscope.listener import Silent
from pneumoscope.metrics.scores import Floats, auroc
from pneumoscope.records import DataRequest
from pneumoscope.workflows.adapt.parent import open_parent
from pneumoscope.workflows.adapt.request import AdaptRequest
from pneumoscope.workflows.adapt.site import read_site


def looks(films: NDArray[np.uint8]) -> dict[str, Floats]:
    """Numbers of films (N, S, S), each float (N,)."""
    x = films.astype(np.float64)
    side = films.shape[1]
    third, edge = side // 3, side // 8
    soft = gaussian_filter(x, (0, side / 32, side / 32))
    middle = x[:, edge:-edge, edge:-edge].mean(axis=(1, 2))
    whole = x.mean(axis=(1, 2))
    parts = np.quantile(x.reshape(len(x), -1), (0.1, 0.5, 0.9), axis=1)
    return {
        "brightness": whole,
        "contrast": x.std(axis=(1, 2)),
        "fine detail": (x - soft).std(axis=(1, 2)),
        "fine detail of contrast": (x - soft).std(axis=(1, 2)) / x.std(axis=(1, 2)),
        "middle less whole": middle - whole,
        "upper less lower third": x[:, :third].mean(axis=(1, 2)) - x[:, -third:].mean(axis=(1, 2)),
        "darkest tenth": parts[0],
        "brightest tenth": parts[2],
        "median in its range": (parts[1] - parts[0]) / np.maximum(parts[2] - parts[0], 1.0),
        "unlike its mirror image": np.abs(soft - soft[:, :, ::-1]).mean(axis=(1, 2)),
    }


def main(run: Path, data: str) -> None:
    parent = open_parent(run, Silent())
    site = read_site(AdaptRequest(run, DataRequest(data)), [parent], Silent())
    own = parent.own
    assert own is not None, "the run's own films are needed"
    rows = own.rows("val")
    there, here = looks(np.asarray(own.images[rows])), looks(site.prepared.images[site.rows])
    scores = parent.logits(parent.bundle, site.prepared, site.rows, Silent())
    print(f"scores here: AUROC {auroc(site.labels, scores):.3f}")
    for name, values in here.items():
        follows = np.mean(
            [spearmanr(values[(of := site.labels == each)], scores[of])[0] for each in (0, 1)]
        )
        print(
            f"{name:<26} AUROC there {auroc(own.labels(rows), there[name]):.3f}, "
            f"here {auroc(site.labels, values):.3f}; scores follow it {follows:+.2f}; "
            f"median there {np.median(there[name]):.2f}, here {np.median(values):.2f}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
