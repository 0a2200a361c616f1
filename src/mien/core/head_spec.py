# SPDX-License-Identifier: Apache-2.0
"""`HeadSpec`: the description of a head, a small network on stored vectors of a whole clip or of single frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from mien.core.errors import ConfigError
from mien.core.labels import ACTION_UNITS, DIMENSIONS, EMI_EMOTIONS, ERI_EMOTIONS
from mien.core.model_spec import TrainingSource, check_blend
from mien.core.typed import check_choices, check_text, read_versioned

# A limit far above every head: a larger number is damage, and would take the machine's memory.
_MAX_LENGTH = 1_000_000

HEAD_VERSION = 1
"""Version of the JSON layout; every other version is refused."""

IntensityTask = Literal["emi", "eri"]
"""Emotional mimicry intensity, emotional reaction intensity."""

HeadTask = Literal["emi", "eri", "expression", "valence_arousal", "action_units"]
"""Task of a head: an intensity of whole clips, or a task of single frames."""

INTENSITY_LABELS: Mapping[str, tuple[str, ...]] = MappingProxyType({"emi": EMI_EMOTIONS, "eri": ERI_EMOTIONS})
"""Task -> labels in the order of its challenge."""


@dataclass(frozen=True, kw_only=True)
class HeadInput:
    """One section of a head's input vector: statistics or a sequence of one kind of vector over a clip, or one vector.

    Attributes:
        made_by: Name of the bundle or audio encoder that gives the vectors.
        digest: Its SHA-256, as stored in the shards of `mien features`.
        part: Part of the shards: the embedding or the output values of the bundle.
        every: Frame stride: only frames whose number is a multiple are used.
        n: Length of one vector; the section has four times this length (mean, std, min, max), ``steps`` times, or this
            length in a head over frames.
        steps: Number of steps of a sequence (`mien.affect.clip_sequences`); 0 for statistics.
        per_frame: Whether the section is the vector of one frame.

    Examples:
        >>> HeadInput(made_by="mien-light", digest="", part="features", n=576).length
        2304
        >>> HeadInput(made_by="mien-light", digest="", part="features", n=576, steps=10).length
        5760
    """

    made_by: str
    digest: str
    part: Literal["features", "scores"]
    n: int
    every: int = 1
    steps: int = 0
    per_frame: bool = False

    def __post_init__(self) -> None:
        check_choices(self)
        if self.per_frame and (self.steps or self.every != 1):
            raise ConfigError("a vector of one frame has neither steps nor a stride")
        if self.n < 1 or self.every < 1 or self.steps < 0:
            raise ConfigError(f"n and every must be at least 1, steps 0 or more, got {self.n, self.every, self.steps}")
        if self.length > _MAX_LENGTH:
            raise ConfigError(f"n of {self.n} and steps of {self.steps} give more than {_MAX_LENGTH} values")

    @property
    def length(self) -> int:
        """Length of the section."""
        return self.n if self.per_frame else self.n * (self.steps or 4)


@dataclass(frozen=True, kw_only=True)
class HeadSpec:
    """The content of a head's ``head.json``, which lies beside its ``head.onnx``.

    Attributes:
        head_version: Layout version, see `HEAD_VERSION`.
        name: Name of the head.
        version: Version of the weights.
        sha256: SHA-256 of ``head.onnx``, lower-case hexadecimal.
        task: Task of the head: a key of `INTENSITY_LABELS`, or a task of single frames.
        labels: Labels of the outputs; of intensities in the order of `INTENSITY_LABELS`.
        inputs: Sections of the input vector, in order; together they are the graph's input (N, D).
        input: Name of the graph's input.
        output: Name of the graph's output (N, labels): intensities in [0, 1], logits of expressions or action units, or
            valence and arousal.
        unit: Unit of an intensity.
        code_licence: Licence of the graph and this file.
        weights_notice: Conditions that a user must check before using the weights.
        training_sources: Data sets that the weights were trained on.
        limitations: Known failures, in sentences.
        recipe: Name of the training recipe.
        provenance: Method, date and machine of the training.
        blend: Weights of this head in a blend with a second one, by emotion or task, as its recipe's source publishes
            them; empty for none.
    """

    head_version: int
    name: str
    version: str
    sha256: str
    task: HeadTask
    labels: tuple[str, ...]
    inputs: tuple[HeadInput, ...]
    input: str
    output: str
    unit: str
    code_licence: str = "Apache-2.0"
    weights_notice: str = ""
    training_sources: tuple[TrainingSource, ...] = field(default=(), metadata={"formerly": ("taught_by",)})
    limitations: tuple[str, ...] = field(default=(), metadata={"formerly": ("limits",)})
    recipe: str = ""
    provenance: str = field(default="", metadata={"formerly": ("made",)})
    blend: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choices(self)
        check_blend(self.blend)
        self._check_labels()
        if not self.inputs:
            raise ConfigError("a head needs at least one input")
        if self.n_inputs > _MAX_LENGTH:
            raise ConfigError(f"the inputs have {self.n_inputs} values together, and {_MAX_LENGTH} are the most")
        for name in ("name", "input", "output"):
            check_text(name, getattr(self, name))
        over_clips = self.task in INTENSITY_LABELS
        if any(each.per_frame == over_clips for each in self.inputs):
            raise ConfigError(
                f"{self.task} is of {'whole clips' if over_clips else 'single frames'}, its inputs are not"
            )

    def _check_labels(self) -> None:
        expected = DIMENSIONS if self.task == "valence_arousal" else INTENSITY_LABELS.get(self.task)
        if expected is not None and self.labels != expected:
            raise ConfigError(f"{self.task} has the labels {expected}, got {self.labels}")
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise ConfigError(f"a head has distinct labels, got {self.labels}")
        unknown = [name for name in self.labels if name not in ACTION_UNITS] if self.task == "action_units" else []
        if unknown:
            raise ConfigError(f"there are no action units {', '.join(unknown)}")

    @property
    def n_inputs(self) -> int:
        """D, length of the whole vector."""
        return sum(each.length for each in self.inputs)

    def to_json(self) -> dict[str, Any]:
        """Plain lists, dicts and numbers for ``json.dump``."""
        content: dict[str, Any] = asdict(self)
        # Earlier versions read a head that has nothing new.
        if not self.blend:
            del content["blend"]
        for each in content["inputs"]:
            if not each["per_frame"]:
                del each["per_frame"]
        return content

    @classmethod
    def from_json(cls, content: object) -> HeadSpec:
        """A description from parsed JSON.

        Raises:
            ModelError: The version is not `HEAD_VERSION`, or a key is unknown, missing or wrongly typed.

        Examples:
            >>> HeadSpec.from_json({"head_version": 7})
            Traceback (most recent call last):
            mien.core.errors.ModelError: head_version 7 is not 1; this mien cannot read it, update mien
        """
        return read_versioned(cls, content, "head_version", HEAD_VERSION, "head.json")
