# SPDX-License-Identifier: Apache-2.0
"""Geometry bundles are verified before they are used, and named where another kind is needed."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mien.core import ModelError
from mien.inference import (
    DEFAULT_GEOMETRY,
    GeometryWeights,
    find_bundle,
    geometry_card,
    is_geometry,
    list_bundles,
    list_geometry_bundles,
    load_geometry,
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(load_geometry().folder, tmp_path / "mine"))


def test_the_bundle_in_the_wheel_is_small_and_says_what_a_person_must_know() -> None:
    bundle = load_geometry()
    assert sum(path.stat().st_size for path in bundle.folder.iterdir()) < 300_000
    assert bundle.spec.name == DEFAULT_GEOMETRY
    for said in (
        bundle.spec.weights_notice,
        bundle.spec.training_sources,
        bundle.spec.limitations,
        bundle.spec.metrics,
    ):
        assert said
    card = geometry_card(bundle.spec)
    for metric in bundle.spec.metrics:
        assert f"| {metric.name} | {metric.value:.3f} |" in card
    assert list_geometry_bundles() == [DEFAULT_GEOMETRY]
    assert DEFAULT_GEOMETRY not in list_bundles()


def test_numbers_survive_the_file() -> None:
    rng = np.random.default_rng(0)
    shapes = ((137, 136), (1275,), (1275, 3), (3,))
    weights = GeometryWeights(*(rng.normal(size=shape).astype(np.float32) for shape in shapes))
    again = GeometryWeights.from_bytes(weights.to_bytes(), 1275)
    for name in ("frontal", "mean", "weights", "offset"):
        np.testing.assert_array_equal(getattr(again, name), getattr(weights, name))


def test_damage_is_named(copy: Path) -> None:
    assert load_geometry(copy).digest == load_geometry().digest
    content = copy / "geometry.bin"
    whole = content.read_bytes()
    content.write_bytes(whole[:-4])
    with pytest.raises(ModelError, match=r"mine: geometry.bin does not have the SHA-256 of geometry.json"):
        load_geometry(copy)
    content.unlink()
    with pytest.raises(ModelError, match=r"geometry.bin: cannot be read"):
        load_geometry(copy)
    (copy / "geometry.json").write_text("{")
    with pytest.raises(ModelError, match=r"geometry.json: not JSON"):
        load_geometry(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda whole: whole + b"\0\0\0\0", "has 94944 bytes, 94940 fit 1275 distances"),
        (lambda whole: whole[:-4] + np.float32(np.nan).tobytes(), "numbers that are not finite"),
    ],
)
def test_weights_that_do_not_fit_are_refused(copy: Path, change: object, message: str) -> None:
    content = change((copy / "geometry.bin").read_bytes())  # type: ignore[operator]
    (copy / "geometry.bin").write_bytes(content)
    description = json.loads((copy / "geometry.json").read_text())
    description["sha256"] = hashlib.sha256(content).hexdigest()
    (copy / "geometry.json").write_text(json.dumps(description))
    with pytest.raises(ModelError, match=message):
        load_geometry(copy)


def test_bundles_of_another_kind_are_named(copy: Path) -> None:
    with pytest.raises(ModelError, match="a geometry bundle reads landmarks and no pixels"):
        find_bundle(DEFAULT_GEOMETRY)
    with pytest.raises(ModelError, match="--va geometry"):
        find_bundle(copy)
    with pytest.raises(ModelError, match=r"no geometry bundle of that name and no folder with geometry.json"):
        load_geometry("mien-points")
    assert [is_geometry(name) for name in (copy, DEFAULT_GEOMETRY, "mien-points")] == [True, True, False]
