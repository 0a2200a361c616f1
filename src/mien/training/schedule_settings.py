# SPDX-License-Identifier: Apache-2.0
"""What a recipe may say of the optimiser and of the stages of a training; see `mien.training.settings`."""

from __future__ import annotations

from dataclasses import dataclass

from mien.core import ConfigError


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """``[optimizer]``, or ``[stages.optimizer]`` for one stage.

    Attributes:
        name: ``"adam"``, ``"adamw"`` or ``"sgd"``.
        weight_decay: on kernels and matrices only; decoupled for adamw.
        momentum: of sgd.
        sam_rho: radius of sharpness-aware minimisation around it (Foret et al., ICLR 2021); 0 switches it off.
        clip_norm: the gradient's norm is cut here; 0 cuts nothing.
        backbone_lr: learning rate of the backbone, as a share of the heads'.
        layer_decay: each block of the backbone learns this much slower than the next one; 1 for all alike.
    """

    name: str = "adamw"
    weight_decay: float = 0.0
    momentum: float = 0.9
    sam_rho: float = 0.0
    clip_norm: float = 0.0
    backbone_lr: float = 1.0
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        one_of("name", self.name, ("adam", "adamw", "sgd"))


@dataclass(frozen=True, kw_only=True)
class StageSettings:
    """``[[stages]]``: some epochs with one learning-rate schedule, on the weights of the stage before.

    Attributes:
        epochs: passes over the drawn rows.
        refit_epochs: passes of a refit, which learns from training and validation sets together; 0 for ``epochs``.
        batch: rows a step.
        peak_lr: highest learning rate.
        schedule: ``"constant"``, ``"cosine"`` (down to 0), ``"one_cycle"`` (up in ``warmup``, then a cosine down to
            a hundredth) or ``"plateau"`` (times ``factor`` after ``patience`` epochs without a gain of ``best_by`` on
            the validation sets, down to ``lowest``; Keras' ReduceLROnPlateau).
        warmup: share of the steps that warm up.
        patience: epochs without a gain, for ``"plateau"``.
        factor: of the learning rate then.
        lowest: share of ``peak_lr`` below which it does not fall.
        size_px: side of the crops; 0 for the model's ``input_px``.
        tasks: those that learn; empty for all. Rows that have none of their labels are not drawn.
        freeze_backbone: whether only heads learn.
        other_rows: rows an epoch from secondary sets (those whose expressions nobody voted on).
        named_rows: rows an epoch from those of them that have one, noisy, expression label.
        distill: whether secondary rows get the expression and affect that the weights so far see in their own gray
            48-px copies, their home ground.
        named_share: of a label of their own beside what the weights see.
        self_teaching: share of the averaged network's own answer in the expression targets of primary rows: ten
            raters are few, and what the network has learnt from all faces smooths their noise.
        answers_px: side of the crops that the network answers for both; 0 for the model's ``input_px``. A network that
            learnt at a larger size before knows more there.
        mixup: both parameters of the Beta distribution of mixing shares; 0 mixes nothing (Zhang et al., ICLR 2018).
        cutmix: the same, for a rectangle of another face pasted in (Yun et al., ICCV 2019).
        keep: ``"last"`` epoch, or the ``"best"`` by ``best_by`` on the validation sets.
        best_by: a measure of `mien.training.validation`, for example ``"loss"`` or ``"expression accuracy"``.
        optimizer: in place of the recipe's.
    """

    epochs: int
    peak_lr: float
    refit_epochs: int = 0
    batch: int = 64
    schedule: str = "constant"
    warmup: float = 0.0
    patience: int = 10
    factor: float = 0.5
    lowest: float = 0.0
    size_px: int = 0
    tasks: tuple[str, ...] = ()
    freeze_backbone: bool = False
    other_rows: int = 0
    named_rows: int = 0
    distill: bool = False
    named_share: float = 0.5
    self_teaching: float = 0.0
    answers_px: int = 0
    mixup: float = 0.0
    cutmix: float = 0.0
    keep: str = "last"
    best_by: str = "loss"
    optimizer: OptimizerSettings | None = None

    @property
    def is_validated(self) -> bool:
        """Whether every epoch is measured on the validation sets."""
        return self.keep == "best" or self.schedule == "plateau"

    def __post_init__(self) -> None:
        one_of("schedule", self.schedule, ("constant", "cosine", "one_cycle", "plateau"))
        one_of("keep", self.keep, ("last", "best"))
        if self.epochs < 1 or self.batch < 1:
            raise ConfigError(f"epochs and batch must be positive, got {self.epochs} and {self.batch}")
        if not 0 <= self.named_share <= 1 or not 0 <= self.self_teaching <= 1:
            raise ConfigError(
                f"named_share and self_teaching must be in [0, 1], got {self.named_share} and {self.self_teaching}"
            )
        if not 0 <= self.warmup < 1:
            raise ConfigError(f"warmup must be in [0, 1), got {self.warmup}")
        if self.patience < 1 or not 0 < self.factor < 1 or not 0 <= self.lowest <= 1:
            raise ConfigError(
                "patience must be positive, factor in (0, 1) and lowest in [0, 1], "
                f"got {self.patience}, {self.factor} and {self.lowest}"
            )


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a word that a key does not know.

    Raises:
        ConfigError: ``value`` is not among ``allowed``.
    """
    if value not in allowed:
        raise ConfigError(f"{name} must be one of {allowed}, got {value!r}")
