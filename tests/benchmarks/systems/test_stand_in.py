# SPDX-License-Identifier: Apache-2.0
"""FER+ in AffectNet's layout is read by the recipe's own source, with AffectNet's class frequencies."""

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from pathlib import Path

from benchmarks.systems import stand_in
from benchmarks.systems.nets import NETS, net_recipe
from benchmarks.systems.stand_in import Budget, class_sizes, half_of, in_half, write_affectnet
from mien.core import EXPRESSIONS, DatasetError
from mien.datasets import FaceSamples
from mien.training import load_source


def faces(n: int) -> FaceSamples:
    rng = np.random.default_rng(0)
    image = bytes(cv2.imencode(".png", rng.integers(0, 256, (48, 48), dtype=np.uint8))[1])
    return FaceSamples(
        names=tuple(f"fer{number:07d}.png" for number in range(n)),
        images=(image,) * n,
        expression=np.eye(8, dtype=np.float32)[np.arange(n) % 8],
        valence_arousal=np.linspace(-1.2, 1, 2 * n, dtype=np.float32).reshape(n, 2),
        action_units=np.zeros((n, 1), np.float32),
        action_unit_labels=("AU12",),
        keypoints=np.zeros((n, 5, 2), np.float32),
    )


def test_the_recipe_reads_the_stand_in_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = faces(900)
    monkeypatch.setattr(stand_in, "load_ferplus", lambda *_: samples)
    budget = Budget(faces=80, valid=3)
    write_affectnet(tmp_path, tmp_path / "a", "a", budget)
    recipe = net_recipe(NETS[0], 1, budget, tmp_path, tmp_path)
    train, valid = (
        load_source(source, tmp_path / "a", recipe) for source in (*recipe.data.sources, *recipe.data.valid)
    )
    assert (len(train), len(valid)) == (80, 24)
    counts = dict(zip(train.labels["expression"], train.targets["expression"].sum(axis=0).tolist(), strict=True))
    assert counts == class_sizes(80)
    assert set(valid.targets["expression"].sum(axis=0)) == {3}
    names = {Path(group).stem for group in (*train.groups, *valid.groups)}
    assert len(names) == 104
    assert all(half_of(f"{name}.png") == "a" for name in names)
    row = samples.names.index(f"{Path(train.groups[0]).stem}.png")
    label = train.labels["expression"][train.targets["expression"][0].argmax()]
    assert label == EXPRESSIONS[samples.expression[row].argmax()]
    wanted = np.clip(samples.valence_arousal[row], -1, 1)
    assert train.targets["valence_arousal"][0] == pytest.approx(wanted, abs=1e-5)


def test_halves_are_apart_and_keep_their_order() -> None:
    samples = faces(300)
    both = [in_half(samples, half).names for half in stand_in.HALVES]
    assert sorted(both[0] + both[1]) == sorted(samples.names)
    assert in_half(samples.take(np.arange(299, -1, -1)), "a").names == both[0]


def test_too_few_faces_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_in, "load_ferplus", lambda *_: faces(60))
    with pytest.raises(DatasetError, match=r"FER\+ has . faces of"):
        write_affectnet(tmp_path, tmp_path / "a", "a", Budget(faces=40, valid=3))
