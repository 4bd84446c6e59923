"""Whether sites tell labels, and films their sites: told where it is so, and only there."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pneumoscope.audit.sites import measure_sites, site_findings


def told(rows: int, share: tuple[float, float], brighter: int):
    """Two sites of ``rows`` films each, with ``share`` of pneumonia; those of the second are
    brighter at the top."""
    draw = np.random.default_rng(0)
    site = np.repeat(["east", "west"], rows)
    sick = np.concatenate([np.arange(rows) < part * rows for part in share])
    thumbs = draw.integers(60, 140, (2 * rows, 32, 32)).astype(np.uint8)
    thumbs[site == "west", :10] += np.uint8(brighter)
    table = pd.DataFrame({"site": site, "label": pd.array(sick.astype(int), "Int8")})
    table["patient_id"] = pd.array([f"p{i}" for i in range(2 * rows)], "string")
    return measure_sites(table, thumbs), table


def test_a_site_with_more_pneumonia_tells_the_label() -> None:
    found, table = told(200, (0.75, 0.45), brighter=60)
    score = np.where(table["site"] == "east", 0.75, 0.45)
    assert found.by_site.value == pytest.approx(roc_auc_score(table["label"].astype(int), score))
    assert found.shares == pytest.approx({"east": 0.75, "west": 0.45})
    assert [(each.site, each.label) for each in found.told] == [
        ("east", "normal"),
        ("east", "pneumonia"),
    ]
    assert all(each.auroc.low > 0.9 for each in found.told) and found.is_shortcut
    codes = [(each.code, each.severity) for each in site_findings(found)]
    assert codes == [("SITE-TELLS-LABEL", "warning"), ("FILM-TELLS-SITE", "warning")]
    assert "75% of east and 45% of west show pneumonia" in found.label_words


def test_sites_that_are_alike_tell_nothing() -> None:
    found, _ = told(200, (0.5, 0.5), brighter=0)
    assert found.by_site.value == 0.5 and not found.is_shortcut
    assert all(each.auroc.value < 0.6 for each in found.told)
    assert {each.severity for each in site_findings(found)} == {"info"}


def test_one_set_has_no_sites() -> None:
    table = pd.DataFrame({"label": pd.array([0, 1], "Int8")})
    assert measure_sites(table, np.zeros((2, 32, 32), np.uint8)) is None
    assert list(site_findings(None)) == []
