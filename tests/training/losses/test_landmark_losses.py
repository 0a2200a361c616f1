# SPDX-License-Identifier: Apache-2.0
"""Losses of landmarks and pose, by hand."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")

from mien.training.losses.landmark_losses import landmark_distance, smooth_l1  # noqa: E402 - needs torch
from tests.helpers.synthetic_data import face_landmarks  # noqa: E402 - needs torch

LANDMARKS = torch.tensor(face_landmarks().ravel(), dtype=torch.float32).repeat(2, 1)
EYE_DISTANCE = 0.3  # of the synthetic face


def test_a_shift_by_a_tenth_of_the_eye_distance() -> None:
    unknown = torch.full((1, 136), torch.nan)
    targets, predictions = torch.cat([LANDMARKS, unknown]), torch.cat([LANDMARKS, torch.zeros(1, 136)])
    assert float(landmark_distance(predictions, targets)) == pytest.approx(0, abs=1e-6)
    shifted = predictions + torch.tensor([0.1 * EYE_DISTANCE, 0.0]).repeat(68)
    assert float(landmark_distance(shifted, targets)) == pytest.approx(np.hypot(0.1, 0.01) - 0.01, rel=1e-4)


def test_in_profile_the_eye_distance_has_a_floor() -> None:
    flat = LANDMARKS.view(2, 68, 2) * torch.tensor([0.01, 1.0])
    moved = flat + torch.tensor([0.0, 0.12])
    expected = np.hypot(1, 0.01) - 0.01
    assert float(landmark_distance(moved.flatten(1), flat.flatten(1))) == pytest.approx(expected, rel=1e-4)


def test_smooth_l1_is_a_square_below_beta() -> None:
    targets = torch.tensor([[0.1, 0.2, 0.3], [torch.nan] * 3])
    near, far = targets.nan_to_num() + 0.02, targets.nan_to_num() + 0.5
    assert float(smooth_l1(near, targets, beta=0.05)) == pytest.approx(0.02**2 / (2 * 0.05), rel=1e-4)
    assert float(smooth_l1(far, targets, beta=0.05)) == pytest.approx(0.5 - 0.025, rel=1e-4)


@pytest.mark.parametrize("loss", [landmark_distance, smooth_l1])
def test_without_known_rows_the_loss_and_its_gradient_are_0(loss) -> None:
    predictions = torch.zeros(2, 136, requires_grad=True)
    value = loss(predictions, torch.full((2, 136), torch.nan))
    value.backward()
    assert float(value.detach()) == 0
    assert not predictions.grad.any()


def test_unknown_landmarks_of_a_face_do_not_count() -> None:
    jaw, shift = torch.tensor([torch.nan, torch.nan]).repeat(17), torch.tensor([0.1 * EYE_DISTANCE, 0.0])
    targets = torch.cat([jaw.repeat(2, 1), LANDMARKS[:, 34:]], dim=1)
    predictions = (LANDMARKS + torch.cat([torch.tensor([5.0, 5.0]).repeat(17), shift.repeat(51)])).requires_grad_()
    value = landmark_distance(predictions, targets)
    value.backward()
    assert float(value.detach()) == pytest.approx(np.hypot(0.1, 0.01) - 0.01, rel=1e-4)
    assert not predictions.grad[:, :34].any()
    assert predictions.grad[:, 34::2].all()
    eyeless = torch.cat([LANDMARKS[:, :84], torch.full((2, 52), torch.nan)], dim=1)
    assert float(landmark_distance(predictions.detach(), eyeless)) == 0  # the unit of the error is not known
