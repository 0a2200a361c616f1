# SPDX-License-Identifier: Apache-2.0
"""Rows, batches and mixing: which rows an epoch draws, what processes share, and how targets follow their crops."""

import dataclasses
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")

from mien.faces import align_faces, resize_face  # noqa: E402 - needs torch
from mien.training import Recipe, load_recipe  # noqa: E402 - needs torch
from mien.training.data.batch_loader import BatchLoader, clean_inputs, cutmix, mixup, sample_epoch  # noqa: E402
from mien.training.data.source_records import SourceRecord  # noqa: E402 - needs torch
from mien.training.recipes.schedule_settings import StageSettings  # noqa: E402 - needs torch
from mien.training.recipes.settings import AugmentationSettings  # noqa: E402 - needs torch
from tests.helpers.synthetic_data import (  # noqa: E402 - needs torch
    create_landmark_samples,
    create_recipe,
    create_samples,
    create_vector_recipe,
    shortened,
)

STAGE = StageSettings(epochs=4, peak_lr=1.0, batch=4)


def test_an_epoch_shows_every_useful_row_once() -> None:
    recipe = create_vector_recipe()
    samples = create_samples(30, recipe)
    rows = sample_epoch(samples, recipe, STAGE, np.random.default_rng(0))
    assert sorted(rows) == list(range(26))  # the last four are auxiliary
    labelled = dataclasses.replace(STAGE, tasks=("expression",))
    assert all(samples.known("expression")[sample_epoch(samples, recipe, labelled, np.random.default_rng(0))])
    more = [lambda _samples, _rng: np.array([26, 27]), lambda _samples, rng: rng.permutation([28, 29])]
    assert sorted(sample_epoch(samples, recipe, STAGE, np.random.default_rng(0), more)) == list(range(30))


def test_a_source_shows_a_share_of_its_rows_and_others_every_epoch() -> None:
    recipe = create_vector_recipe()
    records = (SourceRecord(title="small", licence="", epoch_share=0.25), SourceRecord(title="large", licence=""))
    samples = dataclasses.replace(
        create_samples(30, recipe), records=records, record=(np.arange(30) >= 8).astype(np.intp)
    )
    drawn = [sorted(sample_epoch(samples, recipe, STAGE, np.random.default_rng(seed))) for seed in range(9)]
    assert all(rows[2:] == list(range(8, 26)) for rows in drawn)  # 2 of 8, and all of the other source
    assert {row for rows in drawn for row in rows[:2]} == set(range(8))


@pytest.mark.parametrize(("n", "sizes"), [(26, [8, 8, 8, 2]), (24, [8, 8, 8]), (25, [8, 8, 8]), (5, [5])])
def test_the_last_batch_is_kept_where_the_source_keeps_it(n: int, sizes: list[int]) -> None:
    """512 does not divide the 8,072 clips of EMI: 4.9 % of them would never be seen in an epoch."""
    recipe = create_vector_recipe(stages=(dataclasses.replace(STAGE, batch=8, last_batch="keep"),))
    samples = create_samples(n + 4, recipe)  # the last four are auxiliary
    steps = BatchLoader(samples, dict(samples.targets), recipe, 0).rows(0)
    assert [len(step) for step in steps] == sizes
    dropped = create_vector_recipe(stages=(dataclasses.replace(STAGE, batch=8),))
    steps = BatchLoader(samples, dict(samples.targets), dropped, 0).rows(0)
    assert [len(step) for step in steps] == [size for size in sizes if size >= 5]


def test_balance_draws_rare_classes_more_often() -> None:
    recipe = create_vector_recipe(class_balance=1.0)
    samples = create_samples(104, recipe)
    samples.targets["expression"][:] = np.eye(8)[np.where(np.arange(104) < 90, 0, 1)]
    drawn = np.concatenate([sample_epoch(samples, recipe, STAGE, np.random.default_rng(i)) for i in range(40)])
    assert (drawn >= 90).mean() == pytest.approx(0.5, abs=0.05)


def test_processes_share_a_steps_rows() -> None:
    recipe = create_vector_recipe(stages=(STAGE,))
    samples = create_samples(30, recipe)
    loaders = [BatchLoader(samples, dict(samples.targets), recipe, 0, rank=rank, n_processes=2) for rank in range(2)]
    rows = [loader.rows(0) for loader in loaders]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert [len(step) for step in rows[0]] == [8, 8, 8]
    first = [next(iter(loader.batches(0, rows[0], 0))) for loader in loaders]
    assert len(first[0].inputs) == len(first[1].inputs) == 4
    together = np.concatenate([batch.inputs.numpy() for batch in first])
    np.testing.assert_array_equal(np.sort(together, axis=0), np.sort(samples.inputs[rows[0][0]], axis=0))


def test_mixing_blends_labels_and_keeps_unknown_ones_unknown() -> None:
    inputs = torch.arange(4, dtype=torch.float32)[:, None].repeat(1, 3)
    targets = {"expression": torch.tensor([[1.0], [0.0], [math.nan], [0.5]])}
    mixed, blended = mixup(inputs, targets, 0.75, np.random.default_rng(0))
    order = np.random.default_rng(0).permutation(4)
    np.testing.assert_allclose(mixed[:, 0], 0.75 * np.arange(4) + 0.25 * order)
    values = targets["expression"][:, 0].numpy()
    np.testing.assert_allclose(blended["expression"][:, 0], 0.75 * values + 0.25 * values[order])


def test_cut_faces_have_labels_by_area() -> None:
    crops = torch.zeros(2, 10, 10, 1, dtype=torch.uint8)
    crops[1] = 100
    for seed in range(20):
        pasted, targets = cutmix(crops, {"a": torch.tensor([[0.0], [1.0]])}, 0.6, np.random.default_rng(seed))
        share = pasted.float().mean(dim=(1, 2, 3)) / 100
        torch.testing.assert_close(targets["a"][:, 0], share)


def landmark_recipe(**augmentation: float) -> Recipe:
    recipe = shortened(load_recipe("mien-points"))
    return dataclasses.replace(recipe, augmentation=AugmentationSettings(**augmentation))


def test_crops_without_a_face_have_a_target_of_the_face_alone() -> None:
    recipe = landmark_recipe(no_face=0.5)
    samples = create_landmark_samples(20)
    batch = BatchLoader(samples, dict(samples.targets), recipe, 0).batch(0, 0, np.arange(20))
    absent = batch.targets["face"][:, 0] == 0
    assert 0 < absent.sum() < 20
    for task in ("landmarks", "pose", "eyes"):
        assert batch.targets[task][absent].isnan().all()
        assert not batch.targets[task][~absent].isnan().any()


@pytest.mark.parametrize("axis", [0, 1])
def test_landmarks_move_with_their_crop(axis: int) -> None:
    """In a picture whose brightness is the place, the crop is as bright at each landmark as the place was."""
    recipe = landmark_recipe(rotation_deg=20.0, zoom=0.2, shift=0.05, squeeze=0.5)
    samples = create_landmark_samples(8)
    ramp = np.broadcast_to(np.arange(80, dtype=np.uint8)[:, None] + 100, (80, 80))
    samples = dataclasses.replace(samples, inputs=[np.ascontiguousarray(ramp if axis else ramp.T)] * 8)
    batch = BatchLoader(samples, dict(samples.targets), recipe, 0).batch(0, 0, np.arange(8))
    assert 0 < batch.targets["pose"].isnan().all(dim=1).sum() < 8  # squeezed ones have no pose
    before = samples.targets["landmarks"][0].reshape(68, 2)[:, axis] * 80 - 0.5 + 100
    for crop, landmarks in zip(batch.inputs.numpy()[..., 0], batch.targets["landmarks"].numpy(), strict=True):
        x, y = np.floor(landmarks.reshape(68, 2) * 32).astype(int).T
        inside = (np.minimum(x, y) > 0) & (np.maximum(x, y) < 31)
        assert inside.sum() > 30
        np.testing.assert_allclose(crop[y[inside], x[inside]], before[inside], atol=4)  # a pixel is 2.5 places wide


def test_the_same_step_is_the_same_batch() -> None:
    recipe = landmark_recipe(rotation_deg=20.0, no_face=0.2, flip=0.5)
    samples = create_landmark_samples(20)
    loaders = [BatchLoader(samples, dict(samples.targets), recipe, 0) for _ in range(2)]
    for loader in loaders:
        loader.rows(0)
    one, other = (loader.batch(1, 1, loader.rows(1)[1]) for loader in reversed(loaders))
    assert torch.equal(one.inputs, other.inputs)
    torch.testing.assert_close(one.targets, other.targets, equal_nan=True)
    assert not torch.equal(one.inputs, loaders[0].batch(0, 1, loaders[0].rows(0)[1]).inputs)


def test_clean_inputs_are_the_runtimes() -> None:
    recipe = create_recipe()
    samples = create_samples(8, recipe)
    rows = np.array([5, 2])
    whole, small = clean_inputs(samples, recipe, rows), clean_inputs(samples, recipe, rows, size_px=16)
    assert (whole.shape, small.shape) == ((2, 32, 32, 1), (2, 16, 16, 1))
    np.testing.assert_array_equal(whole[0, ..., 0], resize_face(samples.inputs[5], 32))
    aligned = clean_inputs(samples, recipe, rows, given="aligned")
    own = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, given="aligned"))
    np.testing.assert_array_equal(clean_inputs(samples, own, rows), aligned)
    np.testing.assert_array_equal(clean_inputs(samples, own, rows, given="whole"), whole)
    blank = np.array([4])  # without keypoints
    np.testing.assert_array_equal(clean_inputs(samples, own, blank), clean_inputs(samples, recipe, blank))
    points = samples.keypoints[5] * np.array([48, 48])
    np.testing.assert_array_equal(
        aligned[0, ..., 0], align_faces(samples.inputs[5], points[None], recipe.model.template, 32)[0]
    )


def test_a_mirrored_face_has_the_sides_of_the_other_side() -> None:
    recipe = dataclasses.replace(create_recipe(), augmentation=AugmentationSettings(flip=1.0))
    samples = create_samples(8, recipe)
    sides = np.arange(16, dtype=np.float32).reshape(8, 2)
    samples = dataclasses.replace(
        samples,
        targets={**samples.targets, "action_unit_sides": sides},
        labels={**samples.labels, "action_unit_sides": ("AU12_left", "AU12_right")},
    )
    rows = np.array([1, 5])
    for flip, expected in ((1.0, sides[rows][:, ::-1]), (0.0, sides[rows])):
        own = dataclasses.replace(recipe, augmentation=AugmentationSettings(flip=flip))
        batch = BatchLoader(samples, dict(samples.targets), own, 0).batch(0, 0, rows)
        assert batch.targets["action_unit_sides"].tolist() == expected.tolist()
        assert batch.targets["expression"].tolist() == samples.targets["expression"][rows].tolist()
