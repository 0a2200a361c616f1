# SPDX-License-Identifier: Apache-2.0
"""`ModelSpec`: the description of a bundle, with everything that a caller must not guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from mien.core.errors import ConfigError, ModelError
from mien.core.face_types.grid_spec import CELL_VALUES, GridSpec
from mien.core.labels import ACTION_UNIT_SIDES, ACTION_UNITS, BODY_JOINTS, DIMENSIONS, LANDMARK_COLUMNS, point_columns
from mien.core.specs.quality_spec import QualitySpec
from mien.core.typed import check_choices, check_finite, check_text, read_versioned
from mien.core.uncertainty import UncertaintySpec

SPEC_VERSION = 1
"""Version of the JSON layout; every other version is refused."""

BundleKind = Literal["affect", "landmarks", "faces"]
"""BundleKind of a bundle: what its tasks predict."""

Colour = Literal["gray", "rgb", "bgr"]
"""Channel order of a network's input."""

Layout = Literal["NHWC", "NCHW"]
"""Axis order of a network's input."""

CropReading = Literal["whole", "aligned"]
"""How a face that the caller has cropped already is read, see `CropSpec`."""

TaskName = Literal[
    "expression",
    "valence_arousal",
    "action_units",
    "action_unit_intensity",
    "action_unit_sides",
    "landmarks",
    "head_pose",
    "eyes_open",
    "face",
    "faces",
    "joints",
]
"""Names of the tasks that a bundle may have."""

Activation = Literal["softmax", "sigmoid", "identity"]
"""Functions that the runtime applies to an output."""

_AFFECT_TASKS = frozenset(
    {"expression", "valence_arousal", "action_units", "action_unit_intensity", "action_unit_sides"}
)
_DETECTOR_TASK = "faces"
_UNIT_TASKS = ("action_units", "action_unit_intensity")
# Labels that a task must have, where there is no choice.
_FIXED_LABELS = {
    "valence_arousal": DIMENSIONS,
    "landmarks": LANDMARK_COLUMNS,
    "head_pose": ("pitch", "yaw", "roll"),
    "eyes_open": ("image_left", "image_right"),
    "face": ("face",),
    "joints": point_columns(BODY_JOINTS),
    _DETECTOR_TASK: CELL_VALUES,
}
# Tasks whose values are probabilities, within [0, 1]; valence and arousal are within [-1, 1].
_PROBABILITIES = frozenset({"expression", "action_units", "eyes_open", "face"})

MAX_INTENSITY = 5.0
"""Highest intensity of an action unit (FACS level E); 0 is absent."""

# Limits far above every published network: a larger number is damage, and would take the machine's memory.
_MAX_SIZE_PX = 1024
_MAX_LABELS = 1000
_MAX_TEMPERATURE = 1e3
# Keypoints of a template, in crop sides: a face may be larger than its crop, but a crop must show some of it.
_MAX_OUTSIDE = 2.0
# Smallest distance between the eyes, and from the eyes down to the mouth, as fractions of the crop's side.
_MIN_EXTENT = 0.02


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """The input of the graph: a batch of square crops.

    Attributes:
        name: Name of the graph's input.
        size_px: Side of the crop in pixels.
        colour: Channel order; ``"gray"`` is ITU-R BT.601 luma in one channel.
        layout: Axis order.
        dtype: ``"uint8"`` (0 to 255; the graph normalises) or ``"float32"`` (the runtime normalises).
        mean: Mean of each channel on the 0-to-255 scale, subtracted first; used for float32 only.
        std: Standard deviation of each channel, divided by; used for float32 only.

    Examples:
        >>> InputSpec(name="crops", size_px=80, colour="gray", layout="NHWC", dtype="uint8").n_channels
        1
    """

    name: str
    size_px: int
    colour: Colour
    layout: Layout
    dtype: Literal["uint8", "float32"]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_choices(self)
        check_finite(self)
        check_text("name", self.name)
        expected = 0 if self.dtype == "uint8" else self.n_channels
        if (len(self.mean), len(self.std)) != (expected, expected):
            raise ConfigError(f"{self.dtype} {self.colour} input needs {expected} means and stds")
        if self.std and not min(self.std) > 0:
            raise ConfigError(f"every std must be above 0, got {self.std}")
        if self.size_px < 1:
            raise ConfigError(f"size_px must be positive, got {self.size_px}")
        if self.size_px > _MAX_SIZE_PX:
            raise ConfigError(f"size_px must be at most {_MAX_SIZE_PX}, got {self.size_px}")

    @property
    def n_channels(self) -> int:
        """1 for gray, else 3."""
        return 1 if self.colour == "gray" else 3


@dataclass(frozen=True, kw_only=True)
class CropSpec:
    """How a face becomes the network's input.

    Attributes:
        template: Five keypoints (x, y) as fractions of the crop's side: the eye at the image's left, the eye at its
            right, nose tip, mouth corner at the image's left, the one at its right. The similarity that brings the
            face's keypoints closest to them (least squares) makes the crop; the template thereby fixes the margin.
        shrink: How a face that the caller has cropped already becomes smaller: ``"area"`` averages the pixels that
            fall together, ``"bilinear"`` samples four of them only, as many published networks were trained.
        given: How a face that the caller has cropped already is read: ``"whole"`` resizes the image, ``"aligned"``
            cuts it by the template at the keypoints that the landmark model sees in it, and resizes it where that
            model sees no face.
    """

    template: tuple[tuple[float, float], ...]
    shrink: Literal["area", "bilinear"] = "area"
    given: CropReading = "whole"

    def __post_init__(self) -> None:
        check_choices(self)
        if len(self.template) != 5 or any(len(place) != 2 for place in self.template):
            raise ConfigError(f"a template has 5 keypoints (x, y), got {self.template}")
        check_finite(self)
        if any(abs(value - 0.5) > _MAX_OUTSIDE for place in self.template for value in place):
            raise ConfigError(f"the keypoints of a template are fractions of the crop's side, got {self.template}")
        (left_x, left_y), (right_x, right_y), _, *mouth = self.template
        down = sum(y for _, y in mouth) / 2 - (left_y + right_y) / 2
        if right_x - left_x < _MIN_EXTENT or down < _MIN_EXTENT:
            raise ConfigError(
                "a template has the first eye at the left of the second and the mouth below both, "
                f"at least {_MIN_EXTENT} of the crop's side away, got {self.template}"
            )


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """One output of the graph and how it becomes numbers with a meaning.

    Attributes:
        task: Name of the task. A landmark network has ``"landmarks"`` (fractions of the crop's side), ``"head_pose"``
            (`mien.core.rotation_matrices`), ``"eyes_open"`` and ``"face"``; a network of body joints has ``"joints"``
            (fractions of the crop's side).
        output: Name of the graph's output, (N, len(labels)).
        labels: Labels of the columns, in order.
        activation: Function that the runtime applies to the output.
        low: Smallest value after the activation.
        high: Largest value after the activation.
        unit: Unit or meaning of the value.
        temperature: Divisor of the logits before the activation.
        thresholds: Probability from which each label counts as present; empty where that has no meaning.
        inferred: Labels whose training targets were inferred from other labels rather than observed.
        threshold_rule: How the thresholds were chosen; empty where that is not known.

    Examples:
        >>> task = TaskSpec(
        ...     task="action_units", output="units", labels=("AU12",), activation="sigmoid", low=0.0, high=1.0,
        ...     unit="probability", thresholds=(0.4,),
        ... )
        >>> dict(zip(task.labels, task.thresholds))
        {'AU12': 0.4}
    """

    task: TaskName
    output: str
    labels: tuple[str, ...]
    activation: Activation
    low: float
    high: float
    unit: str
    temperature: float = 1.0
    thresholds: tuple[float, ...] = ()
    inferred: tuple[str, ...] = ()
    threshold_rule: str = ""

    def __post_init__(self) -> None:
        check_choices(self)
        check_finite(self)
        check_text("output", self.output)
        if len(set(self.labels)) != len(self.labels) or not self.labels:
            raise ConfigError(f"{self.task} needs distinct labels, got {self.labels}")
        if len(self.labels) > _MAX_LABELS:
            raise ConfigError(f"{self.task} has {len(self.labels)} labels, and {_MAX_LABELS} are the most")
        for label in self.labels:
            check_text("labels", label)
        if self.thresholds and len(self.thresholds) != len(self.labels):
            raise ConfigError(f"{self.task} has {len(self.labels)} labels and {len(self.thresholds)} thresholds")
        if not all(0 <= threshold <= 1 for threshold in self.thresholds):
            raise ConfigError(f"the thresholds of {self.task} must be within [0, 1], got {self.thresholds}")
        if not self.temperature > 0:
            raise ConfigError(f"the temperature of {self.task} must be positive, got {self.temperature}")
        if not 1 / _MAX_TEMPERATURE <= self.temperature <= _MAX_TEMPERATURE:
            limits = f"from {1 / _MAX_TEMPERATURE:g} to {_MAX_TEMPERATURE:g}"
            raise ConfigError(f"the temperature of {self.task} must be {limits}, got {self.temperature}")
        self._check_range()
        fixed = _FIXED_LABELS.get(self.task, self.labels)
        if self.labels != fixed:
            raise ConfigError(f"{self.task} must have the labels {fixed}, got {self.labels}")
        strange = [label for label in self.labels if label not in ACTION_UNITS]
        if self.task in _UNIT_TASKS and strange:
            raise ConfigError(f"unknown action units {strange}; known are {list(ACTION_UNITS.labels)}")
        strange = [label for label in self.labels if label not in ACTION_UNIT_SIDES]
        if self.task == "action_unit_sides" and strange:
            raise ConfigError(f"unknown sides of action units {strange}; known are {list(ACTION_UNIT_SIDES)}")

    def _check_range(self) -> None:
        if not self.low < self.high:
            raise ConfigError(f"low of {self.task} must be below high, got {self.low} and {self.high}")
        least = 0.0 if self.task in _PROBABILITIES else -1.0
        bounded = self.task in _PROBABILITIES or self.task == "valence_arousal"
        if bounded and not (least <= self.low and self.high <= 1):
            raise ConfigError(f"low and high of {self.task} must be within [{least:g}, 1], got {self.low, self.high}")
        is_intensity = self.task in ("action_unit_intensity", "action_unit_sides")
        if is_intensity and not (self.low >= 0 and self.high <= MAX_INTENSITY):
            raise ConfigError(f"intensities must be within [0, {MAX_INTENSITY:g}], got {self.low, self.high}")


@dataclass(frozen=True, kw_only=True)
class TrainingSource:
    """A data set that the model was trained on.

    Attributes:
        name: Name of the data set.
        role: Purpose of the data set in the training.
        n: Number of faces used.
        licence: Licence as the owners state it.
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
        command: Command that computes it again; empty inside a report.
    """

    name: str = field(metadata={"formerly": ("measure",)})
    n: int
    value: float
    low: float
    high: float
    data: str = ""
    command: str = ""


def check_blend(shares: Mapping[str, float]) -> None:
    """Check the weights of a model in a blend of two.

    Raises:
        ConfigError: A weight is not in [0, 1].
    """
    outside = {name: share for name, share in shares.items() if not 0 <= share <= 1}
    if outside:
        raise ConfigError(f"the weights of a blend are numbers from 0 to 1, got {outside}")


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """The content of a bundle's ``model.json``.

    Attributes:
        spec_version: Layout version, see `SPEC_VERSION`.
        name: Name of the bundle.
        version: Version of the weights.
        sha256: SHA-256 of ``model.onnx``, lower-case hexadecimal.
        input: Input of the graph.
        crop: How a face becomes the input.
        tasks: Outputs, all of one `kind`.
        features: Name of the embedding output (N, D), or empty.
        code_licence: Licence of the graph and this file.
        weights_notice: Conditions that a user must check before using the weights.
        training_sources: Data sets that the weights were trained on.
        recipe: Name of the training recipe.
        provenance: Method, date and machine of the training.
        metrics: Metrics on data that the weights were not trained or tuned on.
        limitations: Known failures, in sentences.
        smoothing: Temporal smoothing that the bundle recommends, as `mien.affect.Smoothing` reads it; empty for none.
        blend: Weights of this model in a blend with a second one, by task (``"va"``, ``"expr"``, ``"au"``), as its
            recipe's source publishes them; empty for none.
        quality: Quality model that was fitted to these weights; without one `Faces.quality` is NaN.
        uncertainty: Prediction sets, intervals and reasons to abstain that were fitted to these weights; None for none,
            and where they were fitted to others.
        grid: How the output of a face detector is read; None for other bundles. Its input is a picture of any size that
            the grid divides, of which ``input.size_px`` is the one it was trained on, and ``crop`` does not apply.
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
    quality: QualitySpec | None = None
    blend: Mapping[str, float] = field(default_factory=dict)
    uncertainty: UncertaintySpec | None = None
    grid: GridSpec | None = None

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_blend(self.blend)
        names = [task.task for task in self.tasks]
        if len(set(names)) != len(names):
            raise ConfigError(f"a bundle has each task once, got {names}")
        units = self.task("action_units")
        alone = sorted(set(self.intensity_labels) - set(units.labels if units else ()))
        if alone:
            raise ConfigError(f"action units with an intensity need a probability, too; {alone} have none")
        if len({name in _AFFECT_TASKS for name in names}) > 1:
            raise ConfigError(f"a bundle reads either affect or landmarks, not both, got {names}")
        if (self.grid is not None) != (names == [_DETECTOR_TASK]) or (_DETECTOR_TASK in names and len(names) > 1):
            raise ConfigError(f"a face detector has the task {_DETECTOR_TASK!r} alone, and a grid; got {names}")
        outputs = self.output_names
        if self.uncertainty is not None and self.uncertainty.sha256 not in ("", self.sha256):
            object.__setattr__(self, "uncertainty", None)  # it says nothing about these weights
        if len(set(outputs)) != len(outputs):
            raise ConfigError(f"each output and features must name another output of the graph, got {outputs}")

    @property
    def output_names(self) -> list[str]:
        """Names of the graph's outputs that are used, in order: the tasks', then the embedding."""
        return [task.output for task in self.tasks] + ([self.features] if self.features else [])

    @property
    def kind(self) -> BundleKind:
        """BundleKind of the bundle; one without tasks, which gives an embedding only, counts as affect."""
        if self.grid is not None:
            return "faces"
        return "affect" if all(task.task in _AFFECT_TASKS for task in self.tasks) else "landmarks"

    def task(self, name: str) -> TaskSpec | None:
        """The task of that name, None where the bundle does not have it."""
        return next((task for task in self.tasks if task.task == name), None)

    @property
    def intensity_labels(self) -> tuple[str, ...]:
        """Action units with an intensity, in ascending order; empty where the bundle gives none."""
        task = self.task("action_unit_intensity")
        return () if task is None else tuple(sorted(task.labels))

    @property
    def side_labels(self) -> tuple[str, ...]:
        """Sides of action units with an intensity, such as ``"AU12_left"``, ascending; empty where there are none."""
        task = self.task("action_unit_sides")
        return () if task is None else tuple(sorted(task.labels))

    @property
    def action_unit_thresholds(self) -> dict[str, float]:
        """Action unit -> probability from which it counts as present; empty where the bundle names none."""
        task = self.task("action_units")
        return {} if task is None or not task.thresholds else dict(zip(task.labels, task.thresholds, strict=True))

    def to_json(self) -> dict[str, Any]:
        """Plain lists, dicts and numbers for ``json.dump``."""
        content: dict[str, Any] = asdict(self)
        for name in ("blend", "grid", "uncertainty"):
            if not content[name]:
                del content[name]  # so that earlier versions read the bundle
        return content

    @classmethod
    def from_json(cls, content: object) -> ModelSpec:
        """A description from parsed JSON.

        Raises:
            ModelError: The version is not `SPEC_VERSION`, or a key is unknown, missing or wrongly typed.

        Examples:
            >>> ModelSpec.from_json({"spec_version": 99})
            Traceback (most recent call last):
            mien.core.errors.ModelError: spec_version 99 is not 1; this mien cannot read it, update mien
        """
        if not isinstance(content, Mapping):
            raise ModelError("a model description must be a JSON object")
        return read_versioned(cls, content, "spec_version", SPEC_VERSION, "model.json")
