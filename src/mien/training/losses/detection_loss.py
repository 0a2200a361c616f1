# SPDX-License-Identifier: Apache-2.0
"""The loss of a detector: which cells are positive for which face, and their targets.

Sources: focal loss with the overlap as its target, Li et al., Generalized Focal Loss, NeurIPS 2020; box loss,
Rezatofighi et al., GIoU, CVPR 2019; centre cells of FCOS, Tian et al., ICCV 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mien.core import FACE_GRID
from mien.training.data.canvases.face_targets import BOX, FACE_COLUMNS, KEYPOINTS, ROLL, VISIBLE, WEIGHT

# Cells about the middle of a face are positive: within this share of its side, or this share of the cell's.
_REACH, _REACH_CELLS = 0.16, 0.75
# A face that is so much too small or large for a grid may be found there or not.
_NEAR = 1.4
# Sides of faces at which the next coarser grid takes over.
_LIMITS_PX = (26.0, 64.0)
_FOCUS = 2.0
_BOX, _POINTS, _ROLL = 1.5, 3.0, 0.3
_EXACT = 0.03


@dataclass(frozen=True)
class Cells:
    """M cells of a square picture.

    Attributes:
        centres: (M, 2) middles in pixels.
        stride: (M,) sides in pixels.
        unit: (M,) unit of their lengths in pixels.
        low: (M,) least side in pixels of the faces of their grid.
        high: (M,) side from which on faces belong to the next grid.
    """

    centres: Tensor
    stride: Tensor
    unit: Tensor
    low: Tensor
    high: Tensor


def detection_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Sum of the losses of confidence, boxes, keypoints and roll, by the number of positive cells.

    Args:
        outputs: (N, 17, M) values of the cells of square pictures, see `mien.core.FACE_GRID`.
        targets: (N, K * 21) faces, see `mien.training.data.canvases.face_targets`.
    """
    cells = cells_of(outputs.shape[2], outputs.device)
    faces = targets.view(len(targets), -1, FACE_COLUMNS)
    known = ~torch.isnan(faces[:, :, 0])
    most = max(int(known.sum(dim=1).max()), 1)
    order = torch.argsort((~known).to(torch.int8), dim=1, stable=True)[:, :most]
    faces = torch.gather(faces, 1, order[..., None].expand(-1, -1, FACE_COLUMNS))
    positive, owner, ignored = assigned(faces, cells)
    row, cell = positive.nonzero(as_tuple=True)
    n = max(len(row), 1)
    quality = outputs.new_zeros(positive.shape)
    rest = outputs.sum() * 0
    if len(row):
        face = faces[row, owner[row, cell]]
        found = outputs[row, :, cell]
        boxes = decoded_boxes(found, cells.centres[cell], cells.unit[cell])
        overlap, giou = overlaps(boxes, face[:, BOX])
        quality[row, cell] = (1 + overlap.detach()) / 2
        side = _side(face)[:, None]
        points = cells.centres[cell].repeat(1, 5) + found[:, 5:15] * cells.unit[cell, None]
        away = (points - face[:, KEYPOINTS]) / side
        points_loss = functional.smooth_l1_loss(away, torch.zeros_like(away), beta=_EXACT)
        roll = functional.normalize(found[:, 15:17], dim=1)
        roll_loss = (1 - (roll * face[:, ROLL]).sum(dim=1)).mean()
        rest = _BOX * (1 - giou).mean() + _POINTS * points_loss + _ROLL * roll_loss
    logits = outputs[:, 0]
    focus = (quality - logits.sigmoid()).abs().pow(_FOCUS)
    cost = focus * functional.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    return cost[~ignored].sum() / n + rest


def assigned(faces: Tensor, cells: Cells) -> tuple[Tensor, Tensor, Tensor]:
    """Which cells are positive, for which face, and which cells are ignored: (N, M) each.

    Args:
        faces: (N, K, 21), NaN in unused rows.
        cells: The M cells.
    """
    visible = faces[..., VISIBLE]
    side = _side(faces)[:, None]
    middle = (visible[..., :2] + visible[..., 2:]) / 2
    centres = cells.centres[None, :, None]
    away = ((centres - middle[:, None]) ** 2).sum(dim=-1)
    low, high = cells.low[None, :, None], cells.high[None, :, None]
    fits = (side >= low) & (side < high)
    about = (side >= low / _NEAR) & (side < high * _NEAR)
    reach = torch.maximum(_REACH * side, _REACH_CELLS * cells.stride[None, :, None])
    close = away < reach**2
    best = torch.where(fits, away, torch.inf)
    closest = fits & (best == best.amin(dim=1, keepdim=True))
    sure = faces[:, None, :, WEIGHT] == 1
    answer = fits & sure & (close | closest)
    cost = torch.where(answer, away / side**2, torch.inf)
    owner, positive = cost.argmin(dim=2), answer.any(dim=2)
    inside = ((centres >= visible[:, None, :, :2]) & (centres <= visible[:, None, :, 2:])).all(dim=-1)
    doubtful = (faces[:, None, :, WEIGHT] == 0) & inside
    ignored = ~positive & ((about & close & sure) | doubtful).any(dim=2)
    return positive, owner, ignored


def cells_of(n_cells: int, device: torch.device) -> Cells:
    """The cells of a square picture that has so many of them."""
    side = round((n_cells / sum(stride**-2 for stride in FACE_GRID.strides)) ** 0.5)
    centres: list[Tensor] = []
    columns: list[Tensor] = []
    levels = zip(FACE_GRID.strides, FACE_GRID.units, (0.0, *_LIMITS_PX), (*_LIMITS_PX, torch.inf), strict=True)
    for step, size, least, most in levels:
        places = torch.arange(side // step, device=device) * step + step / 2
        y, x = torch.meshgrid(places, places, indexing="ij")
        centres.append(torch.stack([x, y], dim=-1).reshape(-1, 2))
        values = torch.tensor([step, size, least, most], dtype=torch.float32, device=device)
        columns.append(values.expand(len(centres[-1]), 4))
    return Cells(torch.cat(centres), *torch.cat(columns).unbind(dim=1))


def _side(faces: Tensor) -> Tensor:
    return ((faces[..., 2] - faces[..., 0]) * (faces[..., 3] - faces[..., 1])).clamp_min(1e-3).sqrt()


def decoded_boxes(found: Tensor, centres: Tensor, unit: Tensor) -> Tensor:
    """(P, 4) xyxy boxes of the values (P, 17) of cells."""
    middle = centres + found[:, 1:3] * unit[:, None]
    half = found[:, 3:5].clamp(-4, 4).exp() * unit[:, None] / 2
    return torch.cat([middle - half, middle + half], dim=1)


def overlaps(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union, and its generalised form in [-1, 1], of pairs of boxes (P, 4)."""
    low, high = torch.maximum(first[:, :2], second[:, :2]), torch.minimum(first[:, 2:], second[:, 2:])
    shared = (high - low).clamp_min(0).prod(dim=1)
    union = (first[:, 2:] - first[:, :2]).prod(dim=1) + (second[:, 2:] - second[:, :2]).prod(dim=1) - shared
    hull = (torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])).prod(dim=1)
    overlap = shared / union.clamp_min(1e-6)
    return overlap, overlap - (hull - union) / hull.clamp_min(1e-6)
