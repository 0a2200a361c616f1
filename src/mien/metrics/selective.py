# SPDX-License-Identifier: Apache-2.0
"""What is gained by not answering: risk over coverage when the least trusted answers are left out first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError
from mien.metrics.counts import flags

Floats = npt.NDArray[np.float64]


def risk_coverage(correct: npt.ArrayLike, trust: npt.ArrayLike) -> Floats:
    """Share of errors among the k most trusted answers, for k = 1 to N.

    Args:
        correct: N booleans, or zeros and ones.
        trust: N finite numbers on any scale, larger for answers that are kept longer.

    Returns:
        (N,) risks; entry k - 1 is at coverage k / N. Answers of equal trust count as their mean, so their order does
        not matter.

    Raises:
        ConfigError: sizes differ, there is no answer, or a trust is not finite.

    Source: El-Yaniv and Wiener, On the Foundations of Noise-free Selective Classification, JMLR 11, 2010.
    """
    right, values = flags(correct), np.asarray(trust, dtype=np.float64)
    if right.ndim != 1 or right.shape != values.shape or not len(values):
        raise ConfigError(f"N >= 1 answers and N trusts are needed, got {right.shape} and {values.shape}")
    if not np.isfinite(values).all():
        raise ConfigError("a trust is not finite; leave such answers out")
    _, group, counts = np.unique(-values, return_inverse=True, return_counts=True)
    mean_error = np.bincount(group, weights=~right) / counts
    errors = np.repeat(mean_error, counts)
    return np.asarray(np.cumsum(errors) / np.arange(1, len(errors) + 1))


def aurc(correct: npt.ArrayLike, trust: npt.ArrayLike) -> float:
    """Area under the risk-coverage curve: the mean of `risk_coverage`, in [0, 1], lower is better.

    Raises:
        ConfigError: see `risk_coverage`.

    Source: Geifman, Uziel and El-Yaniv, Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers, ICLR 2019.
    """
    return float(risk_coverage(correct, trust).mean())
