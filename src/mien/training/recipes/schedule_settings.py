# SPDX-License-Identifier: Apache-2.0
"""Settings of a recipe's stages and optimisers: epochs, learning rates, and what each epoch draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mien.core import ConfigError, check_choices
from mien.training.recipes.method_settings import MethodSettings
from mien.training.recipes.target_settings import TargetSettings


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """``[optimizer]``, or ``[stages.optimizer]`` for one stage.

    Attributes:
        name: ``"adam"``, ``"adamw"`` or ``"sgd"``.
        weight_decay: Weight decay of kernels and matrices; biases and normalisation have none. Decoupled for adamw.
        momentum: Momentum of sgd.
        eps: Number that adam and adamw add to the root of the second moment; 1e-8 as in torch, 1e-7 in Keras.
        sam_rho: Radius of sharpness-aware minimisation around the optimiser (Foret et al., ICLR 2021); 0 for none.
        clip_norm: Largest norm of the gradient; 0 for no limit.
        backbone_lr: Learning rate of the backbone as a share of that of the heads.
        layer_decay: Ratio of the learning rates of each block of the backbone and the block after it; 1 for equal ones.
    """

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    weight_decay: float = 0.0
    momentum: float = 0.9
    eps: float = 1e-8
    sam_rho: float = 0.0
    clip_norm: float = 0.0
    backbone_lr: float = 1.0
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        check_choices(self)


@dataclass(frozen=True, kw_only=True)
class StageSettings:
    """``[[stages]]``: some epochs with one learning-rate schedule, on the weights of the stage before.

    Attributes:
        epochs: Number of passes over the drawn rows.
        peak_lr: Highest learning rate.
        refit_epochs: Number of passes of a refit, which trains on training and validation sets together; 0 for
            ``epochs``.
        batch: Number of rows per step.
        schedule: ``"constant"``, ``"cosine"`` (down to 0), ``"one_cycle"`` (up in ``warmup``, then a cosine down to
            ``final_share``) or ``"plateau"`` (times ``factor`` after ``patience`` epochs without a gain of ``best_by``
            on the validation sets, down to ``lowest``; Keras' ReduceLROnPlateau).
        warmup: Share of the steps that warm up.
        final_share: Learning rate at the end of ``"one_cycle"`` as a share of ``peak_lr``.
        patience: Number of epochs without a gain before ``"plateau"`` lowers the learning rate.
        factor: Factor of the learning rate then.
        lowest: Lowest learning rate of ``"plateau"`` as a share of ``peak_lr``.
        stop_after: Number of epochs without a gain of ``best_by`` after which the stage ends (early stopping); 0 for
            never.
        size_px: Side of the crops; 0 for the model's ``input_px``.
        tasks: Tasks that are trained; empty for all. Rows without any of their labels are not drawn.
        freeze_backbone: Whether only the heads are trained.
        frozen_statistics: Whether the batch normalisation of a frozen backbone normalises by its statistics and keeps
            them; else by the batch, and updates them, as where a source freezes weights alone.
        last_batch: ``"drop"`` leaves out the rows of an epoch that do not fill a batch, ``"keep"`` makes a smaller
            batch of them, as Keras does.
        targets: Target providers of this stage, applied in order before those of the recipe.
        mixup: Both parameters of the Beta distribution of mixing shares (Zhang et al., ICLR 2018); 0 for no mixing.
        cutmix: The same for a rectangle of another picture that is pasted in (Yun et al., ICCV 2019).
        keep: ``"last"`` epoch, or the ``"best"`` by ``best_by`` on the validation sets.
        best_by: Name of a metric of `mien.training.engine.validation`, such as ``"loss"`` or
            ``"expression accuracy"``.
        optimizer: Optimiser in place of the recipe's.
        method: Training method that replaces the losses of the tasks by its own; without it they are added up.
        kept_change: Share in (0, 1] of the stage's change of weights that is kept at its end: what was learned before
            is forgotten less (Wortsman et al., Robust fine-tuning, CVPR 2022).
        whole_change: Tasks whose heads keep the whole change.
    """

    epochs: int
    peak_lr: float
    refit_epochs: int = 0
    batch: int = 64
    schedule: Literal["constant", "cosine", "one_cycle", "plateau"] = "constant"
    warmup: float = 0.0
    final_share: float = 0.01
    patience: int = 10
    factor: float = 0.5
    lowest: float = 0.0
    stop_after: int = 0
    size_px: int = 0
    tasks: tuple[str, ...] = ()
    freeze_backbone: bool = False
    frozen_statistics: bool = True
    last_batch: Literal["drop", "keep"] = "drop"
    targets: tuple[TargetSettings, ...] = ()
    mixup: float = 0.0
    cutmix: float = 0.0
    keep: Literal["last", "best"] = "last"
    best_by: str = "loss"
    optimizer: OptimizerSettings | None = None
    method: MethodSettings | None = None
    kept_change: float = 1.0
    whole_change: tuple[str, ...] = ()

    @property
    def is_validated(self) -> bool:
        """Whether every epoch is evaluated on the validation sets."""
        return self.keep == "best" or self.schedule == "plateau" or self.stop_after > 0

    def __post_init__(self) -> None:
        check_choices(self)
        if self.epochs < 1 or self.batch < 1:
            raise ConfigError(f"epochs and batch must be positive, got {self.epochs} and {self.batch}")
        if not 0 <= self.warmup < 1 or not 0 <= self.final_share <= 1:
            raise ConfigError(
                f"warmup must be in [0, 1) and final_share in [0, 1], got {self.warmup} and {self.final_share}"
            )
        if self.stop_after < 0:
            raise ConfigError(f"stop_after must be 0 or more, got {self.stop_after}")
        if not 0 < self.kept_change <= 1:
            raise ConfigError(f"kept_change must be in (0, 1], got {self.kept_change}")
        if self.patience < 1 or not 0 < self.factor < 1 or not 0 <= self.lowest <= 1:
            raise ConfigError(
                "patience must be positive, factor in (0, 1) and lowest in [0, 1], "
                f"got {self.patience}, {self.factor} and {self.lowest}"
            )
