# SPDX-License-Identifier: Apache-2.0
"""Optimisers, learning-rate schedules, and sharpness-aware steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from mien.training.models.network import AffectNetwork
from mien.training.recipes.schedule_settings import OptimizerSettings, StageSettings


def create_optimizer(
    network: AffectNetwork, settings: OptimizerSettings, lr: float, beside: Iterable[nn.Module] = ()
) -> torch.optim.Optimizer:
    """An optimiser of all trained parameters (``requires_grad``).

    Every group has ``scale``, its share of the learning rate.

    Args:
        network: Network to train.
        settings: Name and options of the optimiser.
        lr: Learning rate of the heads.
        beside: Further modules that are trained at the learning rate of the heads.
    """
    groups = _parameter_groups(network, settings)
    more = [parameter for module in beside for parameter in module.parameters()]
    groups += [{"params": more, "scale": 1.0, "weight_decay": 0.0}] if more else []
    for group in groups:
        group["lr"] = lr * group["scale"]
    if settings.name == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=settings.momentum)
    kind = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    return kind(groups, lr=lr, eps=settings.eps)


def learning_rate(stage: StageSettings, progress: float) -> float:
    """Learning rate as a share of ``peak_lr``, apart from plateaus, which depend on the validation.

    Args:
        stage: Stage with a schedule.
        progress: Progress of the stage in [0, 1).

    Examples:
        >>> stage = StageSettings(epochs=1, peak_lr=1.0, schedule="one_cycle", warmup=0.2)
        >>> [round(learning_rate(stage, progress), 3) for progress in (0.0, 0.1, 0.2, 0.6, 1.0)]
        [0.05, 0.525, 1.0, 0.505, 0.01]
    """
    if progress < stage.warmup:
        return 0.05 + 0.95 * progress / stage.warmup
    if stage.schedule in ("constant", "plateau"):
        return 1.0
    wave = 0.5 * (1 + math.cos(math.pi * (progress - stage.warmup) / (1 - stage.warmup)))
    return stage.final_share + (1 - stage.final_share) * wave if stage.schedule == "one_cycle" else wave


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every group its share of the learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["scale"]


def sharpness_aware_step(
    parameters: Iterable[nn.Parameter],
    backward: Callable[[], dict[str, Tensor]],
    rho: float,
) -> dict[str, Tensor]:
    """Leave in ``.grad`` the gradient at w + rho g / |g|, with w as it was.

    Two passes: the gradient g at w, over all parameters one L2 norm; then the gradient at the moved point. BatchNorm
    statistics see both passes, as in the published trainings.

    Args:
        parameters: Trained parameters.
        backward: Function that clears the gradients, runs forward and backward, and returns the losses.
        rho: Radius.

    Returns:
        The losses of the first pass, at w.

    Source: Foret et al., ICLR 2021.
    """
    terms = backward()
    slopes = [(p, p.grad) for p in parameters if p.grad is not None]
    moved = [p for p, _ in slopes]
    with torch.no_grad():
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(slope) for _, slope in slopes]))
        kept = [p.detach().clone() for p in moved]
        for parameter, slope in slopes:
            parameter.add_(slope, alpha=float(rho / (norm + 1e-12)))
    backward()
    with torch.no_grad():
        for parameter, old in zip(moved, kept, strict=True):
            parameter.copy_(old)
    return terms


def _parameter_groups(network: AffectNetwork, settings: OptimizerSettings) -> list[dict[str, Any]]:
    """Groups by learning-rate share and decay: decay for kernels and matrices, none for biases and normalisation."""
    shares = _shares(network, settings)
    groups: dict[tuple[float, bool], dict[str, Any]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        share, decays = shares[name], parameter.ndim > 1
        group = groups.setdefault(
            (share, decays),
            {"params": [], "scale": share, "weight_decay": settings.weight_decay if decays else 0.0},
        )
        group["params"].append(parameter)
    return list(groups.values())


def _shares(network: AffectNetwork, settings: OptimizerSettings) -> dict[str, float]:
    """Parameter name -> share of the learning rate.

    Blocks of the backbone are its direct children, those of a list or sequence counted one by one, in order.
    """
    names = [name for name, _ in network.named_parameters()]
    blocks: list[str] = []
    for name in names:
        if name.startswith("backbone."):
            block = _block(name)
            if block not in blocks:
                blocks.append(block)
    shares = {}
    for name in names:
        if name.startswith("backbone."):
            below_heads = len(blocks) - blocks.index(_block(name))
            shares[name] = settings.backbone_lr * settings.layer_decay**below_heads
        else:
            shares[name] = 1.0
    return shares


def _block(name: str) -> str:
    """``backbone.blocks.3.conv.weight`` -> ``blocks.3``; ``backbone.conv_stem.weight`` -> ``conv_stem``."""
    parts = name.split(".")[1:]
    return ".".join(parts[:2]) if len(parts) > 1 and parts[1].isdigit() else parts[0]
