# SPDX-License-Identifier: Apache-2.0
"""Settings of the training methods that a recipe may name in ``[stages.method]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from mien.core import ConfigError, check_choices


@dataclass(frozen=True, kw_only=True)
class AdversarialSettings:
    """Joint distribution matching of an encoder of noisy labels with a conditional decoder (noisyFER).

    Source: Zhang et al., arXiv 2010.09849, WACV 2021, and the authors' code.

    Attributes:
        weight: Weight lambda of the adversarial part of the loss of encoder and decoder.
        after_epoch: The adversarial part is in the loss in epochs with a higher number, counted from 0; -1 for all.
        critic_steps: Number of updates of the discriminators per step, all on the same forward pass.
        critic_lr: Learning rate of the discriminators' Adam.
        n_noise: Length of the latent vector z.
        channels: Width of the first block of the image discriminator; every other width is a multiple of it.
        name: Name in the table of training methods.
    """

    weight: float = 1.0
    after_epoch: int = -1
    critic_steps: int = 2
    critic_lr: float = 1e-4
    n_noise: int = 100
    channels: int = 64
    name: Literal["adversarial"] = "adversarial"

    def __post_init__(self) -> None:
        check_choices(self)
        if min(self.critic_steps, self.n_noise, self.channels) < 1:
            raise ConfigError("critic_steps, n_noise and channels must be at least 1")


@dataclass(frozen=True, kw_only=True)
class CoTeachingSettings:
    """Two networks, each of which selects the rows with small losses that the other one is trained on.

    Source: Han et al., Co-teaching, NeurIPS 2018.

    Attributes:
        forget_rate: Share tau in [0, 1) of the rows of a batch that are left out: the share of wrong labels.
        ramp_epochs: Number of epochs in which the share rises from 0 to ``forget_rate``.
        name: Name in the table of training methods.
    """

    forget_rate: float
    ramp_epochs: int = 10
    name: Literal["co_teaching"] = "co_teaching"

    def __post_init__(self) -> None:
        check_choices(self)
        if not 0 <= self.forget_rate < 1 or self.ramp_epochs < 1:
            raise ConfigError(
                f"forget_rate must be in [0, 1) and ramp_epochs at least 1, got {self.forget_rate} and "
                f"{self.ramp_epochs}"
            )


@dataclass(frozen=True, kw_only=True)
class TwoViewsSettings:
    """Pseudo-labels of a weak view for a strong view of rows without an expression (SS-MFAR).

    Source: Gera et al., arXiv 2207.09012.

    Attributes:
        threshold: Lowest threshold of a class for the probability of its pseudo-labels.
        factor: Factor of the mean probability of the right labelled rows of a class in its threshold, which is
            approached as 1 / (1 + exp(-epoch)).
        n_changes: Number of random changes of the strong view (RandAugment).
        magnitude: Magnitude of the changes, from 0 to 30.
        name: Name in the table of training methods.
    """

    threshold: float = 0.8
    factor: float = 0.97
    n_changes: int = 3
    magnitude: int = 5
    name: Literal["two_views"] = "two_views"

    def __post_init__(self) -> None:
        check_choices(self)
        if not 0 < self.threshold < 1 or not 0 <= self.factor <= 1:
            raise ConfigError(
                f"threshold must be in (0, 1) and factor in [0, 1], got {self.threshold} and {self.factor}"
            )


@dataclass(frozen=True, kw_only=True)
class MaskedAutoencodingSettings:
    """Pretraining of a ``masked_vit``: the pixels of hidden patches are predicted from the visible ones.

    Source: He et al., Masked autoencoders are scalable vision learners, CVPR 2022.

    Attributes:
        mask_ratio: Share in (0, 1) of the patches that are hidden.
        width: Width of the decoder.
        depth: Number of blocks of the decoder.
        name: Name in the table of training methods.
    """

    mask_ratio: float = 0.75
    width: int = 512
    depth: int = 8
    name: Literal["masked_autoencoding"] = "masked_autoencoding"

    def __post_init__(self) -> None:
        check_choices(self)
        _check_ratio(self.mask_ratio)


@dataclass(frozen=True, kw_only=True)
class MaskedMembersSettings:
    """Members of a ``masked_vit`` that see different patches and must agree (masked CoTEX).

    Source: Li et al., arXiv 2207.11679.

    Attributes:
        mask_ratio: Share in (0, 1) of the patches that are hidden from each member in training.
        weight: Weight of the generalised Jensen-Shannon divergence between the members' expressions.
        name: Name in the table of training methods.
    """

    mask_ratio: float
    weight: float = 100.0
    name: Literal["masked_members"] = "masked_members"

    def __post_init__(self) -> None:
        check_choices(self)
        _check_ratio(self.mask_ratio)


MethodSettings: TypeAlias = (
    AdversarialSettings | CoTeachingSettings | TwoViewsSettings | MaskedAutoencodingSettings | MaskedMembersSettings
)
"""Settings of one training method; ``name`` says of which."""


def _check_ratio(value: float) -> None:
    if not 0 < value < 1:
        raise ConfigError(f"mask_ratio must be in (0, 1), got {value}")
