# SPDX-License-Identifier: Apache-2.0
"""`PostProcessing`: what is done to the scores of models before and when they are decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mien.affect import CompoundMean, Smoothing
from mien.core import ACTION_UNITS, ConfigError, ModelSpec, check_choices, check_number
from mien.evaluation.challenge.blending import OWN, BlendOn, Weights
from mien.evaluation.challenge.submission_formats import SubmissionFormat


@dataclass(frozen=True, kw_only=True)
class PostProcessing:
    """Smoothing, thresholds and blend weights of an evaluation or a submission.

    Attributes:
        smoothing: Filter over the frames of a track; settings, their text (``"expr=50,va=50,au=3"``), ``"bundle"`` for
            the bundle's own, or None.
        thresholds: One probability per action unit, from which it counts as present; ``"bundle"`` for the bundle's
            own; empty for `mien.metrics.OFFICIAL_THRESHOLD` throughout.
        weights: Task (``"va"``, ``"expr"``, ``"au"``) or emotion -> one weight per model, or that of the first of two;
            ``"bundle"`` for those that one of two models names; equal ones for the others.
        blend_on: What is averaged, ``"probabilities"`` or ``"logits"``.
        confident: Bundle (name or folder) or folder of tables of a pretrained model that decides the expression where
            it is certain (`mien.affect.confidence_filter`); None for none.
        confidence: Probability, after smoothing, above which it is certain; 0.7 to 0.9 in the 8th ABAW.
        compound_mean: Mean of two probabilities that scores a compound expression.

    Raises:
        ConfigError: The text is malformed, nothing is smoothed, or a number is no probability.

    Examples:
        >>> PostProcessing(thresholds=(0.4, 0.5)).decides
        True
        >>> PostProcessing(weights={"va": (0.7, 0.3)}).decides
        False
        >>> PostProcessing(smoothing="va=50").filter().va
        50
    """

    smoothing: Smoothing | str | None = None
    thresholds: Sequence[float] | Literal["bundle"] = ()
    weights: Weights | Literal["bundle"] = field(default_factory=dict)
    blend_on: BlendOn = "probabilities"
    confident: str | Path | None = None
    confidence: float = 0.7
    compound_mean: CompoundMean = "arithmetic"

    def __post_init__(self) -> None:
        check_choices(self)
        if not 0 < self.confidence < 1:
            raise ConfigError(f"confidence must be a probability between 0 and 1, got {self.confidence}")
        if self.smoothing != OWN:
            Smoothing.of(self.smoothing)  # refused now and not after predictions
        if self.thresholds != OWN:
            for threshold in self.thresholds:
                check_number("a threshold", threshold, 0, 1, whole=False)

    @property
    def decides(self) -> bool:
        """Whether scores are smoothed, thresholded or filtered, which needs scores and not finished predictions."""
        changed = self.smoothing is not None or self.confident is not None or self.compound_mean != "arithmetic"
        return changed or len(self.thresholds) > 0

    def filter(self, spec: ModelSpec | None = None) -> Smoothing | None:
        """The filter, None for none.

        Args:
            spec: Description of the bundle that ``"bundle"`` stands for; None where tables hold the scores.

        Raises:
            ConfigError: The text is malformed, nothing is smoothed, or the bundle recommends no smoothing.
        """
        return Smoothing.of(self.smoothing, spec)

    def limits(self, task_format: SubmissionFormat, spec: ModelSpec | None = None) -> tuple[float, ...]:
        """One threshold per action unit of a format; empty for the official one.

        Raises:
            ConfigError: The bundle's own are asked for, and there is no bundle, or it lacks one of them.
        """
        if self.thresholds == OWN:
            if spec is None:
                raise ConfigError("the thresholds of a bundle need the bundle itself; for tables give numbers")
            return own_thresholds(spec, task_format)
        return tuple(float(threshold) for threshold in self.thresholds)


def own_thresholds(spec: ModelSpec, task_format: SubmissionFormat) -> tuple[float, ...]:
    """The bundle's thresholds of the action units that a format asks for.

    Raises:
        ConfigError: The bundle has no threshold for one of them, or the format asks for no action unit.
    """
    units = [field.name for field in task_format.fields if field.name in ACTION_UNITS]
    known = spec.action_unit_thresholds
    missing = [unit for unit in units if unit not in known]
    if not units:
        raise ConfigError(f"{task_format.name} has no action units; leave out the thresholds")
    if missing:
        raise ConfigError(f"{spec.name} has no thresholds for {', '.join(missing)}; give numbers, or leave 0.5")
    return tuple(known[unit] for unit in units)
