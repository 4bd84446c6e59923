"""The predictor: independent of batches, of the order of rows, and mirror-averaged on request."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import rotate

from pneumoscope.data.augment import resample
from pneumoscope.inference import model, predictor
from pneumoscope.inference.predictor import Predictor
from pneumoscope.metrics.scores import probability
from pneumoscope.models.bundle import Bundle
from pneumoscope.models.network import Network
from pneumoscope.models.zoo import build_backbone
from pneumoscope.records import InputSpec


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    torch.manual_seed(0)
    network = Network(build_backbone("resnet18"), InputSpec(28, 32), normalisation=(0.5, 0.25))
    return Bundle(network.eval(), "resnet18", "none", (0.5, 0.25), False, "float32", (), {})


IMAGES = np.random.default_rng(0).integers(0, 256, (10, 28, 28), dtype=np.uint8)


def test_rows_choose_and_order_the_films(bundle: Bundle) -> None:
    whole = Predictor([bundle]).logits(IMAGES, np.arange(10))
    some = Predictor([bundle]).logits(IMAGES, np.array([7, 2]))
    np.testing.assert_allclose(some, whole[[7, 2]], atol=1e-5)


def test_batches_change_nothing(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Predictor([bundle]).logits(IMAGES, np.arange(10))
    monkeypatch.setattr(model, "BATCH", 3)
    np.testing.assert_allclose(Predictor([bundle]).logits(IMAGES, np.arange(10)), whole, atol=1e-5)


def test_flip_average_is_blind_to_mirroring(bundle: Bundle) -> None:
    both = replace(bundle, flip_average=True)
    mirrored = np.ascontiguousarray(IMAGES[:, :, ::-1])
    plain = Predictor([bundle]).logits(IMAGES, np.arange(10))
    np.testing.assert_allclose(
        Predictor([both]).logits(IMAGES, np.arange(10)),
        (plain + Predictor([bundle]).logits(mirrored, np.arange(10))) / 2,
        atol=1e-5,
    )


def test_turn_average_is_the_mean_over_the_film_turned_to_both_sides(bundle: Bundle) -> None:
    def turned(degrees: float) -> torch.Tensor:
        films = [
            rotate(film.astype(float), degrees, reshape=False, order=1, mode="nearest")
            for film in IMAGES
        ]
        return torch.from_numpy(np.stack(films)).float()

    wide = replace(bundle, turn_average=6.0)
    with torch.inference_mode():
        left = predictor.turned(torch.from_numpy(IMAGES), 6.0)
        each = [bundle.network(turned(degrees)).numpy() for degrees in (0.0, 6.0, -6.0)]
    np.testing.assert_allclose(left.numpy(), turned(6.0).numpy(), atol=1e-2)
    np.testing.assert_allclose(
        Predictor([wide]).logits(IMAGES, np.arange(10)), np.mean(each, axis=0), atol=1e-4
    )
    mirrored = np.ascontiguousarray(IMAGES[:, :, ::-1])
    both = replace(wide, flip_average=True)
    np.testing.assert_allclose(
        Predictor([both]).logits(IMAGES, np.arange(10)),
        Predictor([both]).logits(mirrored, np.arange(10)),
        atol=1e-4,
    )


def test_views_of_few_films_pass_the_network_as_one_batch(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = replace(bundle, turn_average=6.0, flip_average=True)
    passed: list[int] = []
    hook = bundle.network.register_forward_pre_hook(lambda _, given: passed.append(len(given[0])))
    together = Predictor([wide]).logits(IMAGES, np.arange(10))
    monkeypatch.setattr(predictor, "BATCH", 59)
    apart = Predictor([wide]).logits(IMAGES, np.arange(10))
    hook.remove()
    assert passed == [60] + [10] * 6
    np.testing.assert_allclose(together, apart, atol=1e-5)


def test_progress_ends_at_the_number_of_films(bundle: Bundle) -> None:
    calls: list[tuple[int, int]] = []
    Predictor([bundle]).logits(IMAGES, np.arange(10), advance=lambda *c: calls.append(c))
    assert calls[-1] == (10, 10)


def test_probability_is_the_logistic_function_without_overflow() -> None:
    logits = np.array([-1000.0, -2.0, 0.0, 2.0, 1000.0])
    got = probability(logits)
    np.testing.assert_allclose(got[1:4], 1 / (1 + np.exp(-logits[1:4])), atol=1e-15)
    assert got[0] == 0.0 and got[-1] == 1.0


@pytest.mark.parametrize("side", [28, 33])
def test_turned_films_are_those_of_the_one_resample_to_the_bit(side: int) -> None:
    films = torch.randint(0, 256, (5, side, side), dtype=torch.uint8)
    angle = torch.tensor(6.0).deg2rad()
    cos, sin = angle.cos(), angle.sin()
    matrix = torch.stack([cos, -sin, cos * 0, sin, cos, cos * 0]).view(1, 2, 3)
    assert torch.equal(predictor.turned(films, 6.0), resample(films, matrix.expand(5, 2, 3), side))
