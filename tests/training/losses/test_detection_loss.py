# SPDX-License-Identifier: Apache-2.0
"""The loss of a detector: which cells answer, and that exact cells cost nothing."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

import torch

from mien.core import FACE_GRID
from mien.training.data.canvases.face_targets import FACE_COLUMNS, WEIGHT
from mien.training.losses.detection_loss import assigned, cells_of, decoded_boxes, detection_loss, overlaps
from mien.training.losses.registry import create_loss
from mien.training.recipes.settings import LossSettings

SIDE = 96
N_CELLS = FACE_GRID.n_cells(SIDE, SIDE)


def face(x: float, y: float, side: float, weight: float = 1.0) -> list[float]:
    half = side / 2
    box = [x - half, y - half, x + half, y + half]
    points = [
        x - half / 2,
        y - half / 3,
        x + half / 2,
        y - half / 3,
        x,
        y,
        x - half / 3,
        y + half / 2,
        x + half / 3,
        y + half / 2,
    ]
    return [*box, *box, *points, 0.0, 1.0, weight]


def faces(*rows: list[float]) -> "torch.Tensor":
    table = np.full((1, 5, FACE_COLUMNS), np.nan, np.float32)
    for number, row in enumerate(rows):
        table[0, number + 1] = row  # an unknown row may stand anywhere
    return torch.from_numpy(table)


def exact(rows: "torch.Tensor") -> "torch.Tensor":
    """Cells that say what is true, with a sure logit where they answer."""
    cells = cells_of(N_CELLS, torch.device("cpu"))
    known = rows[:, ~torch.isnan(rows[0, :, 0])]
    answers, owner, _ = assigned(known, cells)
    outputs = torch.zeros(1, 17, N_CELLS)
    outputs[:, 0] = -20
    for cell in answers[0].nonzero()[:, 0].tolist():
        row = known[0, owner[0, cell]]
        unit = cells.unit[cell]
        outputs[0, 0, cell] = 20
        outputs[0, 1:3, cell] = ((row[:2] + row[2:4]) / 2 - cells.centres[cell]) / unit
        outputs[0, 3:5, cell] = ((row[2:4] - row[:2]) / unit).log()
        outputs[0, 5:15, cell] = (row[8:18] - cells.centres[cell].repeat(5)) / unit
        outputs[0, 15:17, cell] = row[18:20] * 3
    return outputs


@pytest.mark.parametrize("side", [12.0, 40.0, 90.0])
def test_true_cells_cost_nothing_and_others_do(side: float) -> None:
    rows = faces(face(50, 44, side))
    outputs, targets = exact(rows), rows.flatten(1)
    assert float(detection_loss(outputs, targets)) == pytest.approx(0, abs=1e-4)
    for column in (1, 3, 6, 15):
        wrong = outputs.clone()
        wrong[0, column] += 0.5
        assert float(detection_loss(wrong, targets)) > 0.003
    silent = outputs.clone()
    silent[:, 0] = -20
    assert float(detection_loss(silent, targets)) > 5


def test_the_cells_of_the_fitting_grid_answer() -> None:
    cells = cells_of(N_CELLS, torch.device("cpu"))
    for side, stride in ((12.0, 8), (40.0, 16), (90.0, 32)):
        answers, owner, _ = assigned(faces(face(50, 44, side)), cells)
        assert cells.stride[answers[0]].unique().tolist() == [stride]
        assert owner[0][answers[0]].unique().tolist() == [1]


def test_each_face_has_a_cell_and_a_cell_has_the_nearest_face() -> None:
    cells = cells_of(N_CELLS, torch.device("cpu"))
    rows = faces(face(20, 20, 20), face(30, 20, 20), face(70, 70, 13))
    answers, owner, _ = assigned(rows, cells)
    assert sorted(owner[0][answers[0]].unique().tolist()) == [1, 2, 3]


def test_a_doubtful_face_costs_nothing_whatever_the_cells_say() -> None:
    rows = faces(face(48, 48, 40, weight=0.0))
    cells = cells_of(N_CELLS, torch.device("cpu"))
    answers, _, ignored = assigned(rows, cells)
    assert not answers.any()
    outputs = torch.full((1, 17, N_CELLS), -20.0)
    outputs[0, 0, ignored[0]] = 20
    assert rows[0, 1, WEIGHT] == 0
    assert float(detection_loss(outputs, rows.flatten(1))) == pytest.approx(0, abs=1e-6)
    outside = (~ignored[0]).nonzero()[0, 0]
    outputs[0, 0, outside] = 20
    assert float(detection_loss(outputs, rows.flatten(1))) > 5


def test_pictures_without_a_face_teach_confidence_alone() -> None:
    outputs = torch.zeros(2, 17, N_CELLS, requires_grad=True)
    targets = torch.full((2, 3 * FACE_COLUMNS), torch.nan)
    loss = create_loss(LossSettings(name="detection"), targets.numpy())(outputs, targets)
    loss.backward()
    assert float(loss.detach()) > 0
    assert (outputs.grad[:, 0] > 0).all()
    assert (outputs.grad[:, 1:] == 0).all()


def test_overlaps_beside_a_reference() -> None:
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 50, (2, 20, 2))
    boxes = np.concatenate([low, low + rng.uniform(5, 60, (2, 20, 2))], axis=2).astype(np.float32)
    overlap, giou = overlaps(*(torch.from_numpy(one) for one in boxes))
    for number, (a, b) in enumerate(zip(*boxes, strict=True)):
        width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
        shared = width * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
        hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
        assert float(overlap[number]) == pytest.approx(shared / union, abs=1e-5)
        assert float(giou[number]) == pytest.approx(shared / union - (hull - union) / hull, abs=1e-5)


def test_decoding_is_that_of_the_runtime() -> None:
    from mien.faces.grid_detector import decode_cells

    rows = faces(face(50, 44, 30), face(20, 70, 11))
    outputs = exact(rows)
    cells = cells_of(N_CELLS, torch.device("cpu"))
    at = (outputs[0, 0] > 0).nonzero()[:, 0]
    boxes = decoded_boxes(outputs[0, :, at].T, cells.centres[at], cells.unit[at])
    found = decode_cells(outputs[0].numpy(), FACE_GRID, (SIDE, SIDE), 0.5)
    np.testing.assert_allclose(found.boxes, boxes.numpy(), atol=1e-3)
