# SPDX-License-Identifier: Apache-2.0
"""What a recipe may say, table by table, as typed data. ``docs/training.md`` shows the same, key by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mien.core import EXPRESSION_ORDERS, ConfigError
from mien.training.backbones.registry import Option
from mien.training.schedule_settings import one_of

# Where the five points of FER+ training faces lie on average, made symmetric: a crop then looks as FER+ does.
_TEMPLATE = ((0.320, 0.385), (0.680, 0.385), (0.500, 0.578), (0.352, 0.768), (0.648, 0.768))

# What heads see of stored vectors -> how many numbers each number of a stretch becomes; a sequence: one for each step.
_CLIPS = {"frames": 1, "statistics": 4, "sequence": 1}


@dataclass(frozen=True, kw_only=True)
class SourceSettings:
    """``[[data.sources]]`` and ``[[data.valid]]``: one set to read.

    Attributes:
        name: in the table of sources, for example ``"open-faces"`` or ``"affwild2-mtl"``.
        split: of that set.
        folder: below the folder that ``--data`` names; empty is that folder itself.
    """

    name: str
    split: str = "train"
    folder: str = ""


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """``[data]``: what is learnt from.

    Attributes:
        sources: sets to learn from; their rows are joined, and a label that a set does not give is unknown there.
        valid: sets to select weights on, and to calibrate on where ``calibration_rows`` is 0. A refit learns from them.
        expressions: name of the class order of the expression head, one of `mien.core.EXPRESSION_ORDERS`.
        calibration_rows: rows of the sources, chosen by a hash of their group, that are set aside for temperature
            and thresholds.
    """

    sources: tuple[SourceSettings, ...]
    valid: tuple[SourceSettings, ...] = ()
    expressions: str = "canonical"
    calibration_rows: int = 0

    def __post_init__(self) -> None:
        if not self.sources:
            raise ConfigError("at least one source is needed")
        if self.expressions not in EXPRESSION_ORDERS:
            raise ConfigError(f"expressions must be one of {sorted(EXPRESSION_ORDERS)}, got {self.expressions!r}")


@dataclass(frozen=True, kw_only=True)
class VectorSettings:
    """``[[model.vectors]]``: a stretch of the vector that heads see, out of shards that `mien features` wrote.

    Attributes:
        part: ``"features"`` or ``"scores"`` (logits, and values before they are clipped).
        n: its published length. Shards of another bundle bring their own: what a head sees follows them.
        folder: of the shards, below the folder of the source.
        every: of clips, take the frames whose number is a multiple of this one only.
    """

    part: str
    n: int
    folder: str = "features"
    every: int = 1

    def __post_init__(self) -> None:
        one_of("part", self.part, ("features", "scores"))
        if self.n < 1 or self.every < 1:
            raise ConfigError(f"n and every must be at least 1, got {self.n} and {self.every}")


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """``[model]``: from the input to the features that the heads share.

    Attributes:
        backbone: name for `create_backbone`; empty where the input is feature vectors already.
        vectors: stretches of stored vectors, side by side, in place of a backbone.
        clip: what heads see of stored vectors: ``"frames"`` one by one; of a whole clip its ``"statistics"`` (mean,
            standard deviation, minimum and maximum, see `mien.affect.clip_statistics`) or a ``"sequence"``.
        n_steps: length of a sequence, see `mien.affect.clip_sequences`.
        options: further arguments of the backbone.
        start: ``"scratch"``; ``"imagenet"`` (for efficientnet_lite0, from the package that carries its weights); or
            the path of a checkpoint of another recipe, whose backbone is taken.
        input_px: side of the input of the exported bundle.
        colour: ``"gray"`` or ``"rgb"``.
        mean: subtracted from pixels on the 0-to-255 scale, one number or one per channel.
        std: pixels are divided by it then.
        template: 5 alignment points (x, y) as fractions of the crop's side, in the order of `mien.core.CropSpec`.
        n_inputs: length of the vectors of the source ``vectors``, where there is no backbone.
        drop_rate: dropout between features and heads.
        penalty: weight of what the backbone itself adds to the loss, for one that has `forward_with_penalty`.
    """

    backbone: str = "efficientnet_lite0"
    vectors: tuple[VectorSettings, ...] = ()
    clip: str = "frames"
    n_steps: int = 0
    options: Mapping[str, Option] = field(default_factory=dict)
    start: str = "scratch"
    input_px: int = 112
    colour: str = "gray"
    mean: tuple[float, ...] = (127.5,)
    std: tuple[float, ...] = (127.5,)
    template: tuple[tuple[float, float], ...] = _TEMPLATE
    n_inputs: int = 0
    drop_rate: float = 0.0
    penalty: float = 0.0

    def __post_init__(self) -> None:
        one_of("colour", self.colour, ("gray", "rgb"))
        if sum(map(bool, (self.backbone, self.n_inputs, self.vectors))) != 1:
            raise ConfigError("a model has either a backbone, or vectors, or n_inputs")
        one_of("clip", self.clip, tuple(_CLIPS))
        if (self.n_steps > 0) != (self.clip == "sequence"):
            raise ConfigError(f"n_steps is for clip = 'sequence', got {self.n_steps} for {self.clip!r}")
        if any(len(values) not in (1, self.n_channels) for values in (self.mean, self.std)):
            raise ConfigError(f"mean and std have 1 or {self.n_channels} numbers for {self.colour} input")

    @property
    def n_channels(self) -> int:
        """1 for gray, else 3."""
        return 1 if self.colour == "gray" else 3

    @property
    def n_vector(self) -> int:
        """Length of the vector that the network is fed; 0 where it is fed pictures."""
        return self.n_inputs + sum(self._length(stretch) for stretch in self.vectors)

    def columns_of(self, part: str) -> tuple[int, int]:
        """First column and end of the stretch that holds a part of the stored vectors.

        Raises:
            ConfigError: no stretch does, or several do.
        """
        places, start = [], 0
        for stretch in self.vectors:
            end = start + self._length(stretch)
            if stretch.part == part:
                places.append((start, end))
            start = end
        if len(places) != 1:
            raise ConfigError(f"{part!r} is in {len(places)} of the {len(self.vectors)} [[model.vectors]], not in one")
        return places[0]

    def _length(self, stretch: VectorSettings) -> int:
        return stretch.n * (self.n_steps or _CLIPS[self.clip])


@dataclass(frozen=True, kw_only=True)
class HeadSettings:
    """``[heads.TASK]``: from features to one task's outputs.

    Attributes:
        kind: name in `mien.training.heads.HEADS`.
        columns: of the features that the head sees: [first, end], the end left out, counted from the end where
            negative; an end of 0 is the end itself, and empty means all.
        sees: the part of stored vectors that it sees, ``"features"`` or ``"scores"``; empty for all. In place of
            ``columns``, whatever the bundle's lengths are.
        after: tasks whose outputs are appended to what the head sees; their heads must come first. ``"TASK nodes"``
            are the nodes of a graph.
        hidden: widths of the layers before the last, for kinds that have them.
        steps: of the sequence that a recurrent head is fed; nodes that an attending one looks at.
        activation: between these layers: ``"relu"``, ``"gelu"``, ``"silu"`` or ``"tanh"``.
        drop_rate: dropout after each hidden layer.
        l2: the sum of the squared kernels times this is added to the loss, as Keras does.
    """

    kind: str = "linear"
    columns: tuple[int, ...] = ()
    sees: str = ""
    after: tuple[str, ...] = ()
    hidden: tuple[int, ...] = ()
    steps: int = 0
    activation: str = "relu"
    drop_rate: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        if len(self.columns) not in (0, 2):
            raise ConfigError(f"columns must be empty or [first, end], got {self.columns}")
        if self.columns and self.sees:
            raise ConfigError("a head has either columns or sees")


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """``[losses.TASK]``: what the task's outputs are held against its labels with.

    Attributes:
        name: in `mien.training.objectives.LOSSES`.
        weight: lambda of the task in the sum.
        options: further arguments of the loss, for example ``label_smoothing``.
    """

    name: str
    weight: float = 1.0
    options: Mapping[str, Option | tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CouplingSettings:
    """``[coupling]``: what expressions and action units tell of each other.

    Source: distribution matching and co-annotation, Kollias et al., arXiv 2105.03790 and 2401.01219; the details are a
    reconstruction.

    Attributes:
        co_annotation: ``"none"``, ``"hard"`` (an expression's action units become present where unknown) or ``"soft"``
            (they get their weight in the table).
        matching: weight of the loss between predicted action units and those that the predicted expressions imply,
            and the reverse.
    """

    co_annotation: str = "none"
    matching: float = 0.0

    def __post_init__(self) -> None:
        one_of("co_annotation", self.co_annotation, ("none", "hard", "soft"))


@dataclass(frozen=True, kw_only=True)
class TeacherSettings:
    """``[[teachers]]``: a trained network whose answers become targets.

    Attributes:
        path: folder of a bundle, or name of one that comes with mien.
        weight: share of its answer where the task has a label already; an unknown label becomes the answer.
        temperature: its expression logits are divided by it before the softmax.
        tasks: whose answers are taken; empty for all that both have.
    """

    path: str
    weight: float = 0.5
    temperature: float = 1.0
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AugmentationSettings:
    """``[augmentation]``: what is done to faces while they teach. Shares are chances, 0 leaves a thing out.

    Attributes:
        aligned: share of crops that are aligned by the picture's points, where those are known; the others show the
            picture as it stands, as `Analyzer.crops` does.
        point_noise: standard deviation of each point in eye distances: a detector's points are noisy.
        flip: share that is mirrored.
        low_resolution: share that is brought down to 28 to 72 px first.
        rotation_deg: standard deviation of the rotation, cut at three of them.
        zoom: largest logarithm of the zoom.
        shift: largest shift as a share of the side.
        occlusion: share of which a part is covered: hands and cups, masks, sunglasses.
        blur: share that is blurred.
        gamma: largest logarithm of the gamma.
        contrast: largest loss of contrast, as a logarithm; the largest gain is two thirds of it.
        brightness: largest shift of brightness, 1 being white.
        noise: share with sensor noise.
        saturation: largest relative change of saturation (colour only).
        hue: largest shift of hue, 1 being the full circle (colour only).
        grayscale: share that loses its colour (colour only).
    """

    aligned: float = 0.0
    point_noise: float = 0.0
    flip: float = 0.0
    low_resolution: float = 0.0
    rotation_deg: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    occlusion: float = 0.0
    blur: float = 0.0
    gamma: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    noise: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    grayscale: float = 0.0


@dataclass(frozen=True, kw_only=True)
class CalibrationSettings:
    """``[calibration]``: what is fitted after training, on rows that taught nothing.

    Attributes:
        temperature: whether expression logits get a temperature, so that confidence is the chance of being right.
        thresholds: whether action units get thresholds of highest F1.
    """

    temperature: bool = True
    thresholds: bool = True


@dataclass(frozen=True, kw_only=True)
class PublishedSettings:
    """``[[published]]``: one figure of the source that a recipe follows, to stand beside what mien measures.

    Attributes:
        measure: for example ``"accuracy"``.
        value: as printed there.
        data: data set and part, of which the figure cannot be torn: ``"AffectNet validation, 8 classes"``.
    """

    measure: str
    value: float
    data: str
