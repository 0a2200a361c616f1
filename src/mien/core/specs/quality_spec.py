# SPDX-License-Identifier: Apache-2.0
"""`QualitySpec`: the quality model in the description of a bundle, and what hidden faces lose of it."""

from __future__ import annotations

from dataclasses import dataclass

from mien.core.errors import ConfigError
from mien.core.typed import check_finite

_MAX_FEATURES = 65_536


@dataclass(frozen=True, kw_only=True)
class HidingSpec:
    """How hidden a face is in one way: a logistic unit on the embedding and on signals of the image, and what it costs.

    The unit gives the share of the recall that is left where faces are hidden to this degree: the mean recall over all
    expressions above guessing, over that of plain faces. A network often says the most frequent expression of such a
    face, or the one that survives, and is right by that.

    Attributes:
        name: The way: ``"detail"`` for a mosaic or a blur, ``"cover"`` for a mask, a hand, sunglasses or a bar.
        weights: Log odds per unit of each feature of the embedding.
        bias: Log odds at an embedding of zeros and average signals.
        signals: Names of the signals, columns of `mien.faces.quality_signals`.
        signal_weights: Log odds per standard deviation of each signal.
        mean: Mean of each signal over the faces that the unit was fitted to.
        deviation: Standard deviation of each signal over these faces.
        shares: Shares of the recall, ascending, at which factors are given.
        factors: Factor f of the quality at each of these shares, from 0.5 to 1 and never falling, with straight lines
            between. A quality q becomes q (1 - (1 - f) q): the surer, the more is lost, and its order stays.
        data: Description of the faces that the unit was fitted to.
        n: Number of these faces, each copy counted.
        command: Command that fits the unit again.
    """

    name: str
    weights: tuple[float, ...]
    bias: float
    signals: tuple[str, ...]
    signal_weights: tuple[float, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    shares: tuple[float, ...]
    factors: tuple[float, ...]
    data: str
    n: int
    command: str

    def __post_init__(self) -> None:
        check_finite(self)
        if not 0 < len(self.weights) <= _MAX_FEATURES:
            raise ConfigError(f"hiding has 1 to {_MAX_FEATURES} weights, got {len(self.weights)}")
        for name in ("signal_weights", "mean", "deviation"):
            if len(getattr(self, name)) != len(self.signals):
                raise ConfigError(f"{name} must have {len(self.signals)} entries, got {len(getattr(self, name))}")
        if len(set(self.signals)) != len(self.signals):
            raise ConfigError(f"hiding needs distinct signals, got {self.signals}")
        if not all(value > 0 for value in self.deviation):
            raise ConfigError(f"every deviation must be above 0, got {self.deviation}")
        if not self.shares or len(self.factors) != len(self.shares):
            raise ConfigError(f"as many factors as shares are needed, got {self.factors} and {self.shares}")
        if list(self.shares) != sorted(set(self.shares)):
            raise ConfigError(f"shares must ascend, got {self.shares}")
        if list(self.factors) != sorted(self.factors) or not 0.5 <= self.factors[0] <= self.factors[-1] <= 1:
            raise ConfigError(f"factors must be within [0.5, 1] and never fall, got {self.factors}")


@dataclass(frozen=True, kw_only=True)
class QualitySpec:
    """A logistic model of `Faces.quality`: the probability that the expression is predicted correctly.

    It is fitted to the errors of one bundle's weights and belongs to them.

    Attributes:
        intercept: Log odds of a face with average signals.
        signals: Names of the signals, columns of `mien.faces.quality_signals`.
        weights: Log odds per standard deviation of each signal.
        mean: Mean of each signal over the faces that the model was fitted to.
        deviation: Standard deviation of each signal over these faces.
        data: Description of these faces.
        n: Number of these faces.
        command: Command that fits the model again.
        image_share: Factor, from 0 to 1, of the log odds of the image above the intercept once the sureness of the
            affect network is added: a bad image makes the network unsure as well.
        hiding: What the quality loses where a face is hidden, by the way of hiding; the smallest factor counts.
    """

    intercept: float
    signals: tuple[str, ...]
    weights: tuple[float, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    data: str
    n: int
    command: str
    image_share: float = 1.0
    hiding: tuple[HidingSpec, ...] = ()

    def __post_init__(self) -> None:
        check_finite(self)
        if not 0 <= self.image_share <= 1:
            raise ConfigError(f"image_share must be within [0, 1], got {self.image_share}")
        if not self.signals or len(set(self.signals)) != len(self.signals):
            raise ConfigError(f"a quality model needs distinct signals, got {self.signals}")
        for name in ("weights", "mean", "deviation"):
            if len(getattr(self, name)) != len(self.signals):
                raise ConfigError(f"{name} must have {len(self.signals)} entries, got {len(getattr(self, name))}")
        if not min(self.deviation) > 0:
            raise ConfigError(f"every deviation must be above 0, got {self.deviation}")
