# SPDX-License-Identifier: Apache-2.0
"""`HeadSpec`: what a head over the vectors of a clip is fed and what it gives, as typed data with strict reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from mien.core.errors import ConfigError, ModelError
from mien.core.labels import EMI_EMOTIONS, ERI_EMOTIONS
from mien.core.spec import TeachingSource
from mien.core.typed import read_typed

HEAD_VERSION = 1
"""Version of the JSON layout. A reader refuses every other one."""

INTENSITY_LABELS: Mapping[str, tuple[str, ...]] = MappingProxyType({"emi": EMI_EMOTIONS, "eri": ERI_EMOTIONS})
"""Task -> labels in the order of its challenge: emotional mimicry intensity, emotional reaction intensity."""

_PARTS = ("features", "scores")


@dataclass(frozen=True, kw_only=True)
class HeadInput:
    """One stretch of the vector that a head is fed: statistics over a clip, or a sequence, of one kind of vector.

    Attributes:
        made_by: name of the bundle or audio encoder that gives the vectors.
        digest: its SHA-256, as the shards of `mien features` tell it.
        part: ``"features"`` or ``"scores"``.
        every: only frames whose number is a multiple count.
        n: length of one vector; the stretch is four times as long (mean, std, min, max), or ``steps`` times.
        steps: of a sequence, see `mien.affect.clip_sequences`; 0 for statistics.
    """

    made_by: str
    digest: str
    part: str
    n: int
    every: int = 1
    steps: int = 0

    def __post_init__(self) -> None:
        if self.part not in _PARTS:
            raise ConfigError(f"part must be one of {_PARTS}, got {self.part!r}")
        if self.n < 1 or self.every < 1 or self.steps < 0:
            raise ConfigError(f"n and every must be at least 1, steps 0 or more, got {self.n, self.every, self.steps}")

    @property
    def length(self) -> int:
        """Of the stretch."""
        return self.n * (self.steps or 4)


@dataclass(frozen=True, kw_only=True)
class HeadSpec:
    """The content of a head's ``head.json``, beside which ``head.onnx`` lies.

    Attributes:
        head_version: layout version, see `HEAD_VERSION`.
        name: of the head.
        version: of the weights.
        sha256: of ``head.onnx``, lower-case hexadecimal.
        task: ``"emi"`` or ``"eri"``.
        labels: of the outputs, in the order of `INTENSITY_LABELS`.
        inputs: stretches of the vector, in order; together they are the graph's input (N, D).
        input: name of the graph's input.
        output: name of the graph's output (N, labels), intensities in [0, 1].
        unit: what an intensity is.
        code_licence: of the graph and this file.
        weights_notice: what a user must check before using the weights.
        taught_by: data sets.
        limits: known failures, in sentences.
        recipe: name of the training recipe.
        made: how, when and on what machine.
    """

    head_version: int
    name: str
    version: str
    sha256: str
    task: str
    labels: tuple[str, ...]
    inputs: tuple[HeadInput, ...]
    input: str
    output: str
    unit: str
    code_licence: str = "Apache-2.0"
    weights_notice: str = ""
    taught_by: tuple[TeachingSource, ...] = ()
    limits: tuple[str, ...] = ()
    recipe: str = ""
    made: str = ""

    def __post_init__(self) -> None:
        if self.task not in INTENSITY_LABELS:
            raise ConfigError(f"task must be one of {tuple(INTENSITY_LABELS)}, got {self.task!r}")
        if self.labels != INTENSITY_LABELS[self.task]:
            raise ConfigError(f"{self.task} has the labels {INTENSITY_LABELS[self.task]}, got {self.labels}")
        if not self.inputs:
            raise ConfigError("a head needs at least one input")

    @property
    def n_inputs(self) -> int:
        """D, length of the whole vector."""
        return sum(each.length for each in self.inputs)

    def to_json(self) -> dict[str, Any]:
        """Plain lists, dicts and numbers for ``json.dump``."""
        content: dict[str, Any] = asdict(self)
        return content

    @classmethod
    def from_json(cls, content: object) -> HeadSpec:
        """Read parsed JSON.

        Raises:
            ModelError: the version is not `HEAD_VERSION`, or a key is unknown, missing or wrongly typed.
        """
        version = content.get("head_version") if isinstance(content, Mapping) else None
        if version != HEAD_VERSION:
            raise ModelError(f"head_version {version!r} is not {HEAD_VERSION}; this mien cannot read it, update mien")
        try:
            return read_typed(cls, content, "head.json")
        except ConfigError as error:
            raise ModelError(str(error)) from error
