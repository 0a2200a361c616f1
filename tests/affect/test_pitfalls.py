# SPDX-License-Identifier: Apache-2.0
"""Known traps of reproducing published systems in the runtime, named by their number in the list."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.affect import activate
from mien.core import EXPRESSION_ORDERS, TaskSpec
from mien.datasets import AnnotationError, create_example, load_affectnet_npy
from mien.faces import resize_face, to_colour


def _task(name: str, labels: tuple[str, ...], activation: str, low: float) -> TaskSpec:
    return TaskSpec(task=name, output=name, labels=labels, activation=activation, low=low, high=1.0, unit="")


def test_pitfall_17_the_order_of_channels_is_the_bundles() -> None:
    red = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    red[..., 0] = 255
    assert to_colour(red, "rgb")[0, 0, 0].tolist() == [255, 0, 0]
    assert to_colour(red, "bgr")[0, 0, 0].tolist() == [0, 0, 255]


def test_pitfall_25_nothing_is_unpickled(tmp_path: Path) -> None:
    create_example("affectnet-npy", tmp_path)
    path = next((tmp_path / "train_set/annotations").glob("*_exp.npy"))
    np.save(path, np.array({"code": "runs when unpickled"}, dtype=object), allow_pickle=True)
    with pytest.raises(AnnotationError, match="items of type object"):
        load_affectnet_npy(tmp_path, "train")


def test_pitfall_26_there_is_one_way_to_resize_a_crop() -> None:
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    # Shrinking averages areas (as an antialias filter does); plain bilinear would give other pixels, so other features.
    averaged = image.reshape(24, 4, 24, 4, 3).mean(axis=(1, 3))
    bilinear = cv2.resize(image, (24, 24), interpolation=cv2.INTER_LINEAR)
    assert np.abs(resize_face(image, 24) - averaged).max() <= 0.5
    assert np.abs(bilinear - averaged).max() > 20


def test_pitfall_27_softmax_is_for_expressions_and_values_are_bounded_apart() -> None:
    raw = np.random.default_rng(0).normal(0, 3, (5, 10)).astype(np.float32)
    expression = activate(raw[:, :8], _task("expression", EXPRESSION_ORDERS["hse_8"], "softmax", 0.0))
    va = activate(raw[:, 8:], _task("valence_arousal", ("valence", "arousal"), "identity", -1.0))
    assert expression.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert np.array_equal(va, np.clip(raw[:, 8:], -1, 1))
    assert (np.abs(raw[:, 8:]) > 1).any()  # published heads leave them unbounded
