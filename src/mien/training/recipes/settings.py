# SPDX-License-Identifier: Apache-2.0
"""What a recipe may contain, table by table, as typed data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mien.core import EXPRESSION_ORDERS, ConfigError, check_choices
from mien.datasets import FERPLUS_TEMPLATE
from mien.training.models.backbones.registry import Option


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """``[optimizer]``, or ``[stages.optimizer]`` for one stage.

    Attributes:
        name: ``"adam"``, ``"adamw"`` or ``"sgd"``.
        weight_decay: on kernels and matrices only; decoupled for adamw.
        momentum: of sgd.
        sam_rho: radius of sharpness-aware minimisation around it (Foret et al., ICLR 2021); 0 switches it off.
        clip_norm: the gradient's norm is cut here; 0 cuts nothing.
        backbone_lr: learning rate of the backbone, as a share of the heads'.
        layer_decay: each block of the backbone learns this much slower than the next one; 1 for all alike.
    """

    name: str = "adamw"
    weight_decay: float = 0.0
    momentum: float = 0.9
    sam_rho: float = 0.0
    clip_norm: float = 0.0
    backbone_lr: float = 1.0
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        one_of("name", self.name, ("adam", "adamw", "sgd"))


@dataclass(frozen=True, kw_only=True)
class StageSettings:
    """``[[stages]]``: some epochs with one learning-rate schedule, on the weights of the stage before.

    Attributes:
        epochs: passes over the drawn rows.
        refit_epochs: passes of a refit, which learns from training and validation sets together; 0 for ``epochs``.
        batch: rows a step.
        peak_lr: highest learning rate.
        schedule: ``"constant"``, ``"cosine"`` (down to 0), ``"one_cycle"`` (up in ``warmup``, then a cosine down to
            a hundredth) or ``"plateau"`` (times ``factor`` after ``patience`` epochs without a gain of ``best_by`` on
            the validation sets, down to ``lowest``; Keras' ReduceLROnPlateau).
        warmup: share of the steps that warm up.
        patience: epochs without a gain, for ``"plateau"``.
        factor: of the learning rate then.
        lowest: share of ``peak_lr`` below which it does not fall.
        size_px: side of the crops; 0 for the model's ``input_px``.
        tasks: those that learn; empty for all. Rows that have none of their labels are not drawn.
        freeze_backbone: whether only heads learn.
        auxiliary_rows: rows an epoch from secondary sets (those whose expressions nobody voted on).
        labelled_auxiliary_rows: rows an epoch from those of them that have one, noisy, expression label.
        pseudo_label_auxiliary: whether secondary rows get the expression and affect that the weights so far see in their own gray
            48-px copies, their home ground.
        label_weight: of a label of their own beside what the weights see.
        self_distillation: share of the averaged network's own answer in the expression targets of primary rows: ten
            raters are few, and what the network has learnt from all faces smooths their noise.
        teacher_px: side of the crops that the network answers for both; 0 for the model's ``input_px``. A network that
            learnt at a larger size before knows more there.
        mixup: both parameters of the Beta distribution of mixing shares; 0 mixes nothing (Zhang et al., ICLR 2018).
        cutmix: the same, for a rectangle of another face pasted in (Yun et al., ICCV 2019).
        keep: ``"last"`` epoch, or the ``"best"`` by ``best_by`` on the validation sets.
        best_by: a measure of `mien.training.engine.validation`, for example ``"loss"`` or ``"expression accuracy"``.
        optimizer: in place of the recipe's.
    """

    epochs: int
    peak_lr: float
    refit_epochs: int = 0
    batch: int = 64
    schedule: str = "constant"
    warmup: float = 0.0
    patience: int = 10
    factor: float = 0.5
    lowest: float = 0.0
    size_px: int = 0
    tasks: tuple[str, ...] = ()
    freeze_backbone: bool = False
    auxiliary_rows: int = 0
    labelled_auxiliary_rows: int = 0
    pseudo_label_auxiliary: bool = False
    label_weight: float = 0.5
    self_distillation: float = 0.0
    teacher_px: int = 0
    mixup: float = 0.0
    cutmix: float = 0.0
    keep: str = "last"
    best_by: str = "loss"
    optimizer: OptimizerSettings | None = None

    @property
    def is_validated(self) -> bool:
        """Whether every epoch is measured on the validation sets."""
        return self.keep == "best" or self.schedule == "plateau"

    def __post_init__(self) -> None:
        one_of("schedule", self.schedule, ("constant", "cosine", "one_cycle", "plateau"))
        one_of("keep", self.keep, ("last", "best"))
        if self.epochs < 1 or self.batch < 1:
            raise ConfigError(f"epochs and batch must be positive, got {self.epochs} and {self.batch}")
        if not 0 <= self.label_weight <= 1 or not 0 <= self.self_distillation <= 1:
            raise ConfigError(
                f"label_weight and self_distillation must be in [0, 1], got {self.label_weight} and {self.self_distillation}"
            )
        if not 0 <= self.warmup < 1:
            raise ConfigError(f"warmup must be in [0, 1), got {self.warmup}")
        if self.patience < 1 or not 0 < self.factor < 1 or not 0 <= self.lowest <= 1:
            raise ConfigError(
                "patience must be positive, factor in (0, 1) and lowest in [0, 1], "
                f"got {self.patience}, {self.factor} and {self.lowest}"
            )


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a word that a key does not know.

    Raises:
        ConfigError: ``value`` is not among ``allowed``.
    """
    if value not in allowed:
        raise ConfigError(f"{name} must be one of {allowed}, got {value!r}")


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

    part: Literal["features", "scores"]
    n: int
    folder: str = "features"
    every: int = 1

    def __post_init__(self) -> None:
        check_choices(self)
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
    colour: Literal["gray", "rgb"] = "gray"
    mean: tuple[float, ...] = (127.5,)
    std: tuple[float, ...] = (127.5,)
    template: tuple[tuple[float, float], ...] = FERPLUS_TEMPLATE
    n_inputs: int = 0
    drop_rate: float = 0.0
    penalty: float = 0.0

    def __post_init__(self) -> None:
        check_choices(self)
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
        kind: name in `mien.training.models.heads.HEADS`.
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
        name: in `mien.training.losses.registry.LOSSES`.
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
    """``[augmentation]``: what is done to faces while they teach. Shares are probabilities, 0 leaves a thing out.

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
