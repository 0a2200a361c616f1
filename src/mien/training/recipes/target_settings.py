# SPDX-License-Identifier: Apache-2.0
"""Settings of the target providers that a recipe may name in ``[[targets]]`` and ``[[stages.targets]]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from mien.core import ConfigError, check_choices


@dataclass(frozen=True, kw_only=True)
class AuxiliaryRowsSettings:
    """Rows of auxiliary sets that every epoch draws beside the primary rows.

    Attributes:
        n: Number of auxiliary rows per epoch, with or without a label of ``task``.
        n_labelled: Number of auxiliary rows per epoch that are drawn in addition among those with a label of ``task``.
        task: Task whose labels ``n_labelled`` is about.
        sources: Names of the auxiliary sources that both numbers are about; empty for all.
        name: Name in the table of target providers.
    """

    n: int = 0
    n_labelled: int = 0
    task: str = "expression"
    sources: tuple[str, ...] = ()
    name: Literal["auxiliary_rows"] = "auxiliary_rows"

    def __post_init__(self) -> None:
        check_choices(self)
        if self.n < 0 or self.n_labelled < 0 or not self.n + self.n_labelled:
            raise ConfigError(f"n and n_labelled must be 0 or more, one of them more, got {self.n}, {self.n_labelled}")


@dataclass(frozen=True, kw_only=True)
class PseudoLabelSettings:
    """Predictions of the network so far as targets of auxiliary rows.

    Attributes:
        label_weight: Share in [0, 1] of a row's own label in its target; a row without a label gets the prediction.
        size_px: Side of the crops that the network predicts for; 0 for the model's ``input_px``. A network that was
            trained at a larger size before is more accurate there.
        copy_px: Longer side of the gray copies that the network predicts for, in place of the pictures, for a
            network that is best on low-quality pictures. 0 for the pictures themselves.
        tasks: Tasks whose targets are replaced; those without a head are skipped.
        name: Name in the table of target providers.
    """

    label_weight: float = 0.5
    size_px: int = 0
    copy_px: int = 0
    tasks: tuple[str, ...] = ("expression", "valence_arousal")
    name: Literal["pseudo_labels"] = "pseudo_labels"

    def __post_init__(self) -> None:
        check_choices(self)
        _check_share("label_weight", self.label_weight)


@dataclass(frozen=True, kw_only=True)
class SelfDistillationSettings:
    """Predictions of the network so far as a share of the targets of primary rows: they smooth the noise of labels.

    Attributes:
        weight: Share in [0, 1] of the prediction in the target; a row without a label gets the prediction.
        size_px: Side of the crops that the network predicts for; 0 for the model's ``input_px``.
        copy_px: Longer side of the gray copies that the network predicts for; 0 for the pictures themselves.
        tasks: Tasks whose targets are blended; those without a head are skipped.
        name: Name in the table of target providers.
    """

    weight: float
    size_px: int = 0
    copy_px: int = 0
    tasks: tuple[str, ...] = ("expression",)
    name: Literal["self_distillation"] = "self_distillation"

    def __post_init__(self) -> None:
        check_choices(self)
        _check_share("weight", self.weight)


@dataclass(frozen=True, kw_only=True)
class TeacherSettings:
    """Predictions of a trained network as targets.

    Attributes:
        path: Folder of a bundle, name of a bundle that comes with mien, checkpoint file of another recipe, or a Parquet
            file of predictions with a column ``name`` and one column per expression, dimension or action unit. A
            relative path of a file may start in the folder of the data sets.
        weight: Share in [0, 1] of the prediction where the task has a label; a row without a label gets the prediction.
        auxiliary_weight: The same share for auxiliary rows, whose labels may be noisier; below 0 for ``weight``.
        temperature: Divisor of the teacher's expression logits before the softmax.
        tasks: Tasks whose predictions are used; empty for all that both networks have.
        min_confidence: Probability in [0.5, 1) of a label, or of its absence, below which the prediction stays unknown,
            for tasks of probabilities; 0 for none.
        share: Share in (0, 1] of the rows without a label, chosen by a hash of their group, that get the prediction: a
            weight of the pseudo-labels beside the true ones.
        name: Name in the table of target providers.
    """

    path: str
    weight: float = 0.5
    auxiliary_weight: float = -1.0
    temperature: float = 1.0
    tasks: tuple[str, ...] = ()
    min_confidence: float = 0.0
    share: float = 1.0
    name: Literal["teacher"] = "teacher"

    def __post_init__(self) -> None:
        check_choices(self)
        _check_share("weight", self.weight)
        if self.auxiliary_weight > 1:
            raise ConfigError(f"auxiliary_weight must be at most 1, got {self.auxiliary_weight}")
        if self.min_confidence and not 0.5 <= self.min_confidence < 1:
            raise ConfigError(f"min_confidence must be 0 or in [0.5, 1), got {self.min_confidence}")
        if not 0 < self.share <= 1:
            raise ConfigError(f"share must be in (0, 1], got {self.share}")


@dataclass(frozen=True, kw_only=True)
class CoAnnotationSettings:
    """Expressions and action units that imply each other as targets where one of the two is unknown.

    Source: Kollias et al., arXiv 2105.03790 and 2401.01219; the details are a reconstruction.

    Attributes:
        soft: Whether an implied action unit gets its weight in the table as target; else 1.
        name: Name in the table of target providers.
    """

    soft: bool = False
    name: Literal["co_annotation"] = "co_annotation"

    def __post_init__(self) -> None:
        check_choices(self)


@dataclass(frozen=True, kw_only=True)
class UnknownLabelsSettings:
    """Labels of some sources that are not trained on.

    Attributes:
        task: Task of the labels.
        labels: Names of the labels; empty for the whole task.
        sources: Names of the sources; empty for all but those with statistics of their own.
        share: Share in (0, 1] of the rows, chosen by a hash of their group, that lose these labels.
        name: Name in the table of target providers.
    """

    task: str
    labels: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    share: float = 1.0
    name: Literal["unknown_labels"] = "unknown_labels"

    def __post_init__(self) -> None:
        check_choices(self)
        if not 0 < self.share <= 1:
            raise ConfigError(f"share must be in (0, 1], got {self.share}")


@dataclass(frozen=True, kw_only=True)
class AbsentUnitsSettings:
    """Action units that count as absent on faces that raters call neutral.

    Brows and lips of rendered persons vary less than those of real ones: a network that is trained on them alone takes
    low brows for knit ones.

    Attributes:
        labels: Names of the action units.
        min_share: Share in (0, 1] of the votes for neutral from which a face counts.
        name: Name in the table of target providers.
    """

    labels: tuple[str, ...]
    min_share: float = 0.8
    name: Literal["absent_units"] = "absent_units"

    def __post_init__(self) -> None:
        check_choices(self)
        if not self.labels or not 0 < self.min_share <= 1:
            raise ConfigError(f"labels and a min_share in (0, 1] are needed, got {self.labels} and {self.min_share}")


@dataclass(frozen=True, kw_only=True)
class OversamplingSettings:
    """Further copies of rows with rare labels in every epoch (ML-ROS, Charte et al., Neurocomputing 163, 2015).

    Attributes:
        share: Number of copies as a share of the primary rows.
        tasks: Tasks whose labels count: classes by the largest share, action units from a probability of 0.5.
        name: Name in the table of target providers.
    """

    share: float = 0.25
    tasks: tuple[str, ...] = ("expression", "action_units")
    name: Literal["oversampling"] = "oversampling"

    def __post_init__(self) -> None:
        check_choices(self)
        if self.share <= 0 or not self.tasks:
            raise ConfigError(f"a share above 0 and tasks are needed, got {self.share} and {self.tasks}")


TargetSettings: TypeAlias = (
    AuxiliaryRowsSettings
    | PseudoLabelSettings
    | SelfDistillationSettings
    | TeacherSettings
    | CoAnnotationSettings
    | UnknownLabelsSettings
    | AbsentUnitsSettings
    | OversamplingSettings
)
"""Settings of one target provider; ``name`` says of which."""


def _check_share(key: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ConfigError(f"{key} must be in [0, 1], got {value}")
