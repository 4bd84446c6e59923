"""Head trained anew on few films: logistic regression on what the backbone leaves of each film."""

from __future__ import annotations

import warnings

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
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-3
    scale = spread * np.sqrt(features.shape[1])
    design = (features - mean) / scale
    if carried is not None:
        known = (features - mean) @ carried
        length = float(known.std()) or 1.0
        design = np.column_stack([design, known / length])
    with warnings.catch_warnings():
        # A few steps short of the optimum ranks the films the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=1 / RIDGE, tol=1e-6, max_iter=300).fit(design, labels)
    found = model.coef_[0]
    weights = found[: features.shape[1]] / scale
    if carried is not None:
        weights += found[-1] * carried / length
    return np.asarray(weights), float(model.intercept_[0] - mean @ weights)
