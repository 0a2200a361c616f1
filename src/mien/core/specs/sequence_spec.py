# SPDX-License-Identifier: Apache-2.0
"""`SequenceSpec`: the description of a bundle that reads utterances as sequences of several modalities."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from mien.core.errors import ConfigError
from mien.core.model_spec import MetricValue, TrainingSource
from mien.core.typed import check_choices, check_text, read_versioned

SEQUENCE_VERSION = 1
"""Version of the JSON layout; every other version is refused."""

UTTERANCE_TASKS = ("emotion", "sentiment", "sarcasm")
"""Tasks of an utterance: any of several emotions, sentiment in [-1, 1], and whether it is sarcastic."""

UtteranceTask = Literal["emotion", "sentiment", "sarcasm"]

_MAX_VALUES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class ModalitySpec:
    """One modality of an utterance.

    Attributes:
        name: Name: ``"text"``, or that of the folder of its feature files, such as ``"audio"``.
        kind: ``"text"``, whose steps are hashed words, or ``"features"``, whose steps are vectors.
        n: Number of buckets of the hash, or length of a vector.

    Examples:
        >>> ModalitySpec(name="audio", kind="features", n=74).length(50)
        3750
    """

    name: str
    kind: Literal["text", "features"]
    n: int

    def __post_init__(self) -> None:
        check_choices(self)
        check_text("name", self.name)
        if not 1 <= self.n <= _MAX_VALUES:
            raise ConfigError(f"n of {self.name} must be from 1 to {_MAX_VALUES}, got {self.n}")

    def length(self, steps: int) -> int:
        """Number of values of a sequence: a word a step, or a vector a step and then a mask."""
        return steps if self.kind == "text" else steps * (self.n + 1)


@dataclass(frozen=True, kw_only=True)
class UtteranceOutput:
    """One task of the graph.

    Attributes:
        task: Name of the task.
        output: Name of the graph's output (N, labels).
        labels: Labels of its columns: the emotions, or the task's own name.
    """

    task: UtteranceTask
    output: str
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        check_choices(self)
        check_text("output", self.output)
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise ConfigError(f"{self.task} needs distinct labels, got {self.labels}")


@dataclass(frozen=True, kw_only=True)
class SequenceSpec:
    """The content of a bundle's ``sequence.json``, which lies beside its ``sequence.onnx``.

    Attributes:
        sequence_version: Layout version, see `SEQUENCE_VERSION`.
        name: Name of the bundle.
        version: Version of the weights.
        sha256: SHA-256 of ``sequence.onnx``, lower-case hexadecimal.
        steps: Number of steps of each sequence.
        modalities: Modalities in the order of the graph's input.
        tasks: Outputs: logits of emotions and sarcasm, and sentiment in [-1, 1].
        input: Name of the graph's input (N, D).
        code_licence: Licence of the graph and this file.
        weights_notice: Conditions that a user must check before using the weights.
        training_sources: Data sets that the weights were trained on.
        recipe: Name of the training recipe.
        provenance: Method, date and machine of the training.
        metrics: Metrics on data that the weights were not trained on.
        limitations: Known failures, in sentences.
    """

    sequence_version: int
    name: str
    version: str
    sha256: str
    steps: int
    modalities: tuple[ModalitySpec, ...]
    tasks: tuple[UtteranceOutput, ...]
    input: str
    code_licence: str = "Apache-2.0"
    weights_notice: str = ""
    training_sources: tuple[TrainingSource, ...] = ()
    recipe: str = ""
    provenance: str = ""
    metrics: tuple[MetricValue, ...] = ()
    limitations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("name", "input"):
            check_text(name, getattr(self, name))
        if not self.modalities or not self.tasks or self.steps < 1:
            raise ConfigError("a sequence bundle needs modalities, tasks and at least one step")
        if self.n_inputs > _MAX_VALUES:
            raise ConfigError(f"an utterance has {self.n_inputs} values, and {_MAX_VALUES} are the most")

    @property
    def n_inputs(self) -> int:
        """D, number of values of an utterance."""
        return sum(modality.length(self.steps) for modality in self.modalities)

    def to_json(self) -> dict[str, Any]:
        """Plain lists, dicts and numbers for ``json.dump``."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: object) -> SequenceSpec:
        """A description from parsed JSON.

        Raises:
            ModelError: The version is not `SEQUENCE_VERSION`, or a key is unknown, missing or wrongly typed.

        Examples:
            >>> SequenceSpec.from_json({"sequence_version": 7})
            Traceback (most recent call last):
            mien.core.errors.ModelError: sequence_version 7 is not 1; this mien cannot read it, update mien
        """
        return read_versioned(cls, content, "sequence_version", SEQUENCE_VERSION, "sequence.json")
