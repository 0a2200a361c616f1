# SPDX-License-Identifier: Apache-2.0
"""`Adaptation`: what a bundle's outputs are corrected by for one person or one site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mien.core.errors import ConfigError
from mien.core.typed import check_finite, check_text, read_versioned

ADAPTATION_VERSION = 1
"""Version of the JSON layout; every other version is refused."""

ADAPTED_TASKS = ("expression", "valence_arousal", "action_units")
"""Tasks whose outputs an adaptation corrects."""

_MAX_TEMPERATURE = 10.0


@dataclass(frozen=True, kw_only=True)
class TaskCorrection:
    """The correction of one task: values of the task are divided by the temperature, then moved by the bias.

    Attributes:
        bias: Label -> what is added to its logit, or to valence and arousal themselves.
        temperature: Divisor of the logits; 1 for valence and arousal.
        error_before: Leave-one-out error of the examples without the correction.
        error_after: Leave-one-out error of the examples with it, never above ``error_before``.
    """

    bias: Mapping[str, float]
    temperature: float = 1.0
    error_before: float
    error_after: float

    def __post_init__(self) -> None:
        check_finite(self)
        if not 1 / _MAX_TEMPERATURE <= self.temperature <= _MAX_TEMPERATURE:
            raise ConfigError(f"temperature must be from 0.1 to {_MAX_TEMPERATURE:g}, got {self.temperature}")


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """The content of an overlay file of `mien adapt`; it holds no image and no name.

    Attributes:
        adaptation_version: Layout version, see `ADAPTATION_VERSION`.
        bundle: Name of the bundle that it belongs to.
        sha256: SHA-256 of that bundle's weights; it is refused with others.
        n_examples: Number of examples that it was fitted to.
        examples: ``"labels"``, or ``"neutral"`` where every example is a neutral face.
        tasks: Task of `ADAPTED_TASKS` -> correction; a task that no correction helps is left out.
        made_by: Version of mien that fitted it.
    """

    adaptation_version: int
    bundle: str
    sha256: str
    n_examples: int
    examples: str
    tasks: Mapping[str, TaskCorrection] = field(default_factory=dict)
    made_by: str = ""

    def __post_init__(self) -> None:
        check_text("bundle", self.bundle)
        unknown = sorted(set(self.tasks) - set(ADAPTED_TASKS))
        if unknown:
            raise ConfigError(f"an adaptation corrects {', '.join(ADAPTED_TASKS)}, not {unknown}")

    def to_json(self) -> dict[str, Any]:
        """Plain dicts and numbers for ``json.dump``."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: object) -> Adaptation:
        """An adaptation from parsed JSON.

        Raises:
            ModelError: The version is not `ADAPTATION_VERSION`, or a key is unknown, missing or wrongly typed.

        Examples:
            >>> Adaptation.from_json({"adaptation_version": 9})
            Traceback (most recent call last):
            mien.core.errors.ModelError: adaptation_version 9 is not 1; this mien cannot read it, update mien
        """
        return read_versioned(cls, content, "adaptation_version", ADAPTATION_VERSION, "the adaptation")
