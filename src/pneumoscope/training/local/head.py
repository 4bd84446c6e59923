"""Head trained anew on few films: logistic regression on what the backbone leaves of each film."""

from __future__ import annotations

import numpy as np

from pneumoscope.metrics.scores import Floats, Labels

RIDGE = 0.1
"""How strongly weights are held back: the penalty of standardised features whose squared length is
1 on average, so that it means the same for any number of them."""


def fit_head(
    features: Floats, labels: Labels, carried: Floats | None = None
) -> tuple[Floats, float]:
    """Weights (D,) and bias of a linear head on ``features`` (N, D), strongly held back, but for
    the direction of the ``carried`` head (D,): what the model knew costs little to keep."""
    from sklearn.linear_model import LogisticRegression

    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-3
    scale = spread * np.sqrt(features.shape[1])
    design = (features - mean) / scale
    if carried is not None:
        known = (features - mean) @ carried
        length = float(known.std()) or 1.0
        design = np.column_stack([design, known / length])
    axes = np.eye(design.shape[1])
    if len(design) < design.shape[1]:
        # The penalty is of a length, so few films among many features are the same problem in the
        # space that they span, which is as small as their number.
        parts, lengths, axes = np.linalg.svd(design, full_matrices=False)
        design = parts * lengths
    model = LogisticRegression(C=1 / RIDGE, solver="newton-cholesky").fit(design, labels)
    found = model.coef_[0] @ axes
    weights = found[: features.shape[1]] / scale
    if carried is not None:
        weights += found[-1] * carried / length
    return np.asarray(weights), float(model.intercept_[0] - mean @ weights)
