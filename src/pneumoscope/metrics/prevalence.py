"""Predictive values by prevalence: what a call is worth where pneumonia is rarer or commoner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pneumoscope.readings import Estimate

from .scores import Floats, ratio


@dataclass(frozen=True, slots=True)
class Bounds:
    """A figure along a grid: value and interval, float (K,) each, 0–1, NaN where undefined."""

    value: Floats
    low: Floats
    high: Floats


def predictive_values(
    sensitivity: Estimate, specificity: Estimate, prevalence: Floats
) -> tuple[Bounds, Bounds]:
    """(PPV, NPV) at each ``prevalence`` float (K,) within 0–1, excluding both ends.

    PPV = se·π / (se·π + (1 − sp)·(1 − π)), so it depends on the films through the likelihood
    ratio se / (1 − sp) alone, and its interval is that ratio's, carried through the formula. The
    ratio's interval comes from those of its parts by MOVER-R (Donner & Zou 2012), so it follows
    Wilson's and the patient-clustered bootstrap alike. NPV is the same of normal films. It holds
    where films differ from these by the share of pneumonia only, not by how sick or how filmed.
    """
    odds = ratio(prevalence, 1 - prevalence)
    up = _likelihood_ratio(sensitivity, _complement(specificity))
    down = _likelihood_ratio(specificity, _complement(sensitivity))
    return _share_of(up, odds), _share_of(down, ratio(1.0, odds))


def _share_of(found: tuple[float, float, float], odds: Floats) -> Bounds:
    """The share odds·LR / (1 + odds·LR) of each likelihood ratio; 1 where it is infinite."""
    value, low, high = (1 - ratio(1.0, 1 + odds * each) for each in found)
    return Bounds(value, low, high)


def _complement(share: Estimate) -> tuple[float, float, float]:
    return 1 - share.value, 1 - share.high, 1 - share.low


def _likelihood_ratio(
    top: Estimate, bottom: tuple[float, float, float]
) -> tuple[float, float, float]:
    """(value, low, high) of top / bottom; NaN at 0/0, infinite where the bottom may be 0."""
    a, a_low, a_high = top.value, top.low, top.high
    b, b_low, b_high = bottom
    if np.isnan(a + b) or (a == 0 and b == 0):
        return (float("nan"),) * 3
    value = a / b if b > 0 else float("inf")
    # The roots of Donner & Zou's quadratic; the lower one in the form that never divides by 0.
    one, two = a_low * (2 * a - a_low), b_high * (2 * b - b_high)
    below = a * b + float(np.sqrt(max((a * b) ** 2 - one * two, 0.0)))
    low = one / below if below > 0 else 0.0
    one, two = a_high * (2 * a - a_high), b_low * (2 * b - b_low)
    above = a * b + float(np.sqrt(max((a * b) ** 2 - one * two, 0.0)))
    high = above / two if two > 0 else float("inf")
    return value, min(low, value), max(high, value)
