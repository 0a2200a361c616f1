# SPDX-License-Identifier: Apache-2.0
"""Options for predictions of one or several systems, as ``mien evaluate`` and ``mien submit`` take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mien.affect import Smoothing
    from mien.evaluation import BundleOnCropFolder, HeadsOnFeatures, SubmissionFormat


@dataclass(frozen=True)
class PostProcessing:
    """What is done to scores before they are decided, and the bundle that gives them where no tables do.

    Attributes:
        smoothing: None for none.
        thresholds: one for each action unit; empty for .5.
        models: the bundle on its crops; empty for tables.
    """

    smoothing: Smoothing | None
    thresholds: tuple[float, ...]
    models: tuple[BundleOnCropFolder, ...]

    @classmethod
    def of(
        cls, form: SubmissionFormat, smooth: str | None, thresholds: str | None, model: str | None, crops: Path | None
    ) -> PostProcessing:
        """From the options; the word ``bundle`` stands for what the bundle names itself.

        Raises:
            ConfigError: an option does not fit the form or the bundle.
            ModelError: the bundle is missing or damaged.
        """
        from mien.affect import Analyzer, Smoothing
        from mien.evaluation import BundleOnCropFolder, own_thresholds
        from mien.inference import DEFAULT_BUNDLE

        if crops is None:
            return cls(Smoothing.of(smooth), numbers(thresholds, "--thresholds"), ())
        analyzer = Analyzer(model or DEFAULT_BUNDLE)
        own = thresholds == "bundle"
        limits = own_thresholds(analyzer.spec, form) if own else numbers(thresholds, "--thresholds")
        return cls(Smoothing.of(smooth, analyzer.spec), limits, (BundleOnCropFolder(analyzer, crops),))


def clip_heads(task: str, heads: Sequence[Path], features: Sequence[Path], weights: Sequence[str]) -> HeadsOnFeatures:
    """The heads of whole clips that ``--head`` and ``--features`` name, with shares for each emotion.

    Raises:
        ConfigError: the task has no such heads.
        ModelError: a head is damaged.
        InputError: a folder holds no shards.
    """
    from mien.core import INTENSITY_LABELS, ConfigError
    from mien.evaluation import HeadsOnFeatures

    if task not in INTENSITY_LABELS:
        raise ConfigError(f"--head is for {' and '.join(INTENSITY_LABELS)}; a head over frames is a --model")
    shares = weights_by_task(weights, (task, *INTENSITY_LABELS[task]))
    return HeadsOnFeatures(heads, features, weights=shares)


def numbers(text: str | None, option: str) -> tuple[float, ...]:
    """``.5,.4`` as numbers; none for None.

    Raises:
        click.BadParameter: something is no number.
    """
    if not text:
        return ()
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{option} takes numbers and commas, got {text!r}") from error


def weights_by_task(
    texts: Sequence[str], allowed: Sequence[str] = ("va", "expr", "au")
) -> dict[str, tuple[float, ...]]:
    """``("va=.7,.3", "au=.5,.5")`` as task, or emotion, -> weights.

    Raises:
        click.BadParameter: a task is unknown or there twice, or something is no number.
    """
    weights: dict[str, tuple[float, ...]] = {}
    for text in texts:
        task, _, values = text.partition("=")
        if task not in allowed or task in weights:
            names = ", ".join(f"{name}=" for name in allowed)
            raise click.BadParameter(f"--weights is one of {names} with numbers, each once; cannot use {text!r}")
        weights[task] = numbers(values, "--weights")
    return weights
