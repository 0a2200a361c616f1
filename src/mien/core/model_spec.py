# SPDX-License-Identifier: Apache-2.0
"""What a caller of a bundle or a clip head must not guess, as typed data: `ModelSpec` and `HeadSpec`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from mien.core.errors import ConfigError, ModelError
from mien.core.labels import ACTION_UNITS, DIMENSIONS, EMI_EMOTIONS, ERI_EMOTIONS, LANDMARK_COLUMNS
from mien.core.typed import read_typed

SPEC_VERSION = 1
"""Version of the JSON layout. A reader refuses every other one."""

_ACTIVATIONS = ("softmax", "sigmoid", "identity")
_COLOURS = ("gray", "rgb", "bgr")
_SHRINKS = ("area", "bilinear")
_TASKS = ("expression", "valence_arousal", "action_units", "landmarks", "head_pose", "eyes_open", "face")
# Labels that a task must have, where there is no choice.
_FIXED_LABELS = {
    "valence_arousal": DIMENSIONS,
    "landmarks": LANDMARK_COLUMNS,
    "head_pose": ("pitch", "yaw", "roll"),
    "eyes_open": ("image_left", "image_right"),
    "face": ("face",),
}


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """What the graph is fed: a batch of square crops.

    Attributes:
        name: of the graph's input.
        size_px: side of the crop.
        colour: channel order; ``"gray"`` is ITU-R BT.601 luma in one channel.
        layout: ``"NHWC"`` or ``"NCHW"``.
        dtype: ``"uint8"`` (0 to 255; the graph normalises) or ``"float32"`` (the runtime normalises).
        mean: per channel on the 0-to-255 scale, subtracted first; used for float32 only.
        std: per channel, divided by; used for float32 only.
    """

    name: str
    size_px: int
    colour: str
    layout: str
    dtype: str
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _one_of("colour", self.colour, _COLOURS)
        _one_of("layout", self.layout, ("NHWC", "NCHW"))
        _one_of("dtype", self.dtype, ("uint8", "float32"))
        expected = 0 if self.dtype == "uint8" else self.n_channels
        if (len(self.mean), len(self.std)) != (expected, expected):
            raise ConfigError(f"{self.dtype} {self.colour} input needs {expected} means and stds")
        if self.size_px < 1:
            raise ConfigError(f"size_px must be positive, got {self.size_px}")

    @property
    def n_channels(self) -> int:
        """1 for gray, else 3."""
        return 1 if self.colour == "gray" else 3


@dataclass(frozen=True, kw_only=True)
class CropSpec:
    """How a face is cut out of an image.

    Attributes:
        template: five points (x, y) as fractions of the crop's side: the eye at the image's left, the eye at its
            right, nose tip, mouth corner at the image's left, the one at its right. The similarity that brings the
            face's points closest to them (least squares) makes the crop; the template thereby fixes the margin.
        shrink: how a face that the caller has cropped already is brought to a smaller size: ``"area"`` averages the
            pixels that fall together, ``"bilinear"`` looks at four of them only, as many published nets were taught.
    """

    template: tuple[tuple[float, float], ...]
    shrink: str = "area"

    def __post_init__(self) -> None:
        _one_of("shrink", self.shrink, _SHRINKS)
        if len(self.template) != 5 or any(len(point) != 2 for point in self.template):
            raise ConfigError(f"a template has 5 points (x, y), got {self.template}")


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """One output of the graph and how it becomes numbers with a meaning.

    Attributes:
        task: ``"expression"``, ``"valence_arousal"``, ``"action_units"``; of a landmark net ``"landmarks"`` (fractions
            of the crop's side), ``"head_pose"`` (`mien.core.rotation_matrices`), ``"eyes_open"`` and ``"face"``.
        output: name of the graph's output, (N, len(labels)).
        labels: of the columns, in order.
        activation: applied by the runtime: ``"softmax"``, ``"sigmoid"`` or ``"identity"``.
        low: smallest value after the activation.
        high: largest value after the activation.
        unit: what the value is.
        temperature: logits are divided by it before the activation.
        thresholds: per label, the probability from which the label counts as present; empty where that means nothing.
        inferred: labels that were taught by inference from others rather than by observation.
    """

    task: str
    output: str
    labels: tuple[str, ...]
    activation: str
    low: float
    high: float
    unit: str
    temperature: float = 1.0
    thresholds: tuple[float, ...] = ()
    inferred: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _one_of("task", self.task, _TASKS)
        _one_of("activation", self.activation, _ACTIVATIONS)
        if len(set(self.labels)) != len(self.labels) or not self.labels:
            raise ConfigError(f"{self.task} needs distinct labels, got {self.labels}")
        if self.thresholds and len(self.thresholds) != len(self.labels):
            raise ConfigError(f"{self.task} has {len(self.labels)} labels and {len(self.thresholds)} thresholds")
        if not self.temperature > 0:
            raise ConfigError(f"the temperature of {self.task} must be positive, got {self.temperature}")
        fixed = _FIXED_LABELS.get(self.task, self.labels)
        if self.labels != fixed:
            raise ConfigError(f"{self.task} must have the labels {fixed}, got {self.labels}")
        strange = [label for label in self.labels if label not in ACTION_UNITS]
        if self.task == "action_units" and strange:
            raise ConfigError(f"unknown action units {strange}; known are {list(ACTION_UNITS)}")


@dataclass(frozen=True, kw_only=True)
class TrainingSource:
    """A data set that taught the model.

    Attributes:
        name: of the set.
        role: what it taught.
        n: faces used.
        licence: as its owners state it.
    """

    name: str
    role: str
    n: int
    licence: str


@dataclass(frozen=True, kw_only=True)
class MetricValue:
    """One metric with its 95 % bootstrap interval.

    Attributes:
        name: Name of the metric, for example ``"macro F1, plurality"``.
        n: Number of rows that it was computed on.
        value: Its value on all rows.
        low: 2.5 % percentile over bootstrap samples.
        high: 97.5 % percentile over bootstrap samples.
        data: Data set and split; empty inside a report, which names them once.
        command: Command that measures it again; empty inside a report.
    """

    name: str = field(metadata={"formerly": ("measure",)})
    n: int
    value: float
    low: float
    high: float
    data: str = ""
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """The content of a bundle's ``model.json``.

    Attributes:
        spec_version: layout version, see `SPEC_VERSION`.
        name: of the bundle.
        version: of the weights.
        sha256: of ``model.onnx``, lower-case hexadecimal.
        input: what the graph is fed.
        crop: how a face is cut out.
        tasks: what comes out.
        features: name of the embedding output (N, D), or empty.
        code_licence: of the graph and this file.
        weights_notice: what a user must check before using the weights.
        training_sources: data sets.
        recipe: name of the training recipe.
        provenance: how, when and on what machine.
        metrics: measurements on data that the weights were not taught or tuned on.
        limitations: known failures, in sentences.
        smoothing: of the values over a video, as `mien.affect.Smoothing` reads it, where the caller asks for the
            bundle's own; empty for none.
    """

    spec_version: int
    name: str
    version: str
    sha256: str
    input: InputSpec
    crop: CropSpec
    tasks: tuple[TaskSpec, ...]
    features: str = ""
    code_licence: str = "Apache-2.0"
    weights_notice: str = ""
    training_sources: tuple[TrainingSource, ...] = field(default=(), metadata={"formerly": ("taught_by",)})
    recipe: str = ""
    provenance: str = field(default="", metadata={"formerly": ("made",)})
    metrics: tuple[MetricValue, ...] = field(default=(), metadata={"formerly": ("figures",)})
    limitations: tuple[str, ...] = field(default=(), metadata={"formerly": ("limits",)})
    smoothing: str = ""

    def __post_init__(self) -> None:
        names = [task.task for task in self.tasks]
        if len(set(names)) != len(names):
            raise ConfigError(f"a bundle has each task once, got {names}")

    def task(self, name: str) -> TaskSpec | None:
        """The task of that name, None where the bundle does not have it."""
        return next((task for task in self.tasks if task.task == name), None)

    @property
    def action_unit_thresholds(self) -> dict[str, float]:
        """Action unit -> probability from which it counts as present; empty where the bundle names none."""
        task = self.task("action_units")
        return {} if task is None or not task.thresholds else dict(zip(task.labels, task.thresholds, strict=True))

    def to_json(self) -> dict[str, Any]:
        """Plain lists, dicts and numbers for ``json.dump``."""
        content: dict[str, Any] = asdict(self)
        return content

    @classmethod
    def from_json(cls, content: object) -> ModelSpec:
        """Read parsed JSON.

        Raises:
            ModelError: the version is not `SPEC_VERSION`, or a key is unknown, missing or wrongly typed.
        """
        if not isinstance(content, Mapping):
            raise ModelError("a model description must be a JSON object")
        version = content.get("spec_version")
        if version != SPEC_VERSION:
            raise ModelError(f"spec_version {version!r} is not {SPEC_VERSION}; this mien cannot read it, update mien")
        try:
            return read_typed(cls, content, "model.json")
        except ConfigError as error:
            raise ModelError(str(error)) from error


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} must be one of {allowed}, got {value!r}")


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
        training_sources: data sets.
        limitations: known failures, in sentences.
        recipe: name of the training recipe.
        provenance: how, when and on what machine.
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
    training_sources: tuple[TrainingSource, ...] = field(default=(), metadata={"formerly": ("taught_by",)})
    limitations: tuple[str, ...] = field(default=(), metadata={"formerly": ("limits",)})
    recipe: str = ""
    provenance: str = field(default="", metadata={"formerly": ("made",)})

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
