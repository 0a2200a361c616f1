# SPDX-License-Identifier: Apache-2.0
"""Settings of a recipe's data, model, heads, losses, augmentation and calibration, as typed tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mien.core import EXPRESSION_ORDERS, ConfigError, CropReading, check_choices, check_number
from mien.datasets import FERPLUS_TEMPLATE
from mien.training.models.backbones.registry import Option
from mien.training.recipes.sequence_settings import SequenceSettings

# Input of heads on stored vectors -> columns per column of a stretch; a sequence has one for each step.
_CLIPS = {"frames": 1, "statistics": 4, "sequence": 1}


_MAX_MARGIN_PX = 10_000
_MAX_PHOTOS = 1_000_000

ROW_NEEDS = ("expression", "face_box")
"""What ``only_with`` of a source can ask for."""


@dataclass(frozen=True, kw_only=True)
class SourceSettings:
    """``[[data.sources]]`` and ``[[data.valid]]``: one set to read.

    Attributes:
        name: Name in the table of sources, such as ``"open-ferplus"`` or ``"affwild2-mtl"``.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        folder: Folder below the one that ``--data`` names; empty for that folder itself.
        primary: Whether every epoch draws the source's rows; else they are auxiliary rows, which target providers draw.
        epoch_share: Share in [0, 1] of the source's rows that an epoch draws, other rows every time: small pictures
            say less about where exactly a landmark is.
        upscale: Super-resolution network that enlarges the source's images to twice their size, see
            ``mien upscale --networks``; empty for none. Only for training images.
        keypoints_only: Whether pictures without known keypoints are left out: a landmark model misses profiles and
            covered faces, where a teacher's predictions are less accurate.
        only_with: What a row must have to be read: ``"expression"`` (AffectNet's "none" and "uncertain" have none) and
            ``"face_box"`` (else the whole picture would be trained on); empty for every row with any label.
        statistics: ``"shared"`` by all such sources, or ``"own"``: batch normalisation sees the source's rows in a
            pass of their own, whose statistics do not enter the running ones, so that the trained network has those of
            the other sources. For rendered faces beside photos.
        rows: Number of pictures that a source draws which makes its own, such as ``"canvases"``.
        heads: Folder of rendered heads, below that of the data, for such a source; empty for none.
        margin_px: Pixels that are added to every side of a face box before the face is cut, for sets with boxes.
        least_photos: Least number of photos of a person, for sets that name persons; those with fewer are left out.
        least_yaw_deg: Least absolute yaw of a head, for sets with head poses; heads that are turned less are left out.
        contour_jaw: Whether rendered faces have landmarks along the jaw: on a turned head these follow the visible
            contour, while those of the landmark teacher are fixed places of the head.
    """

    name: str
    split: Literal["train", "valid", "test"] = "train"
    folder: str = ""
    primary: bool = True
    epoch_share: float = 1.0
    upscale: str = ""
    keypoints_only: bool = False
    only_with: tuple[str, ...] = ()
    statistics: Literal["shared", "own"] = "shared"
    rows: int = 0
    heads: str = ""
    margin_px: int = 0
    least_photos: int = 1
    least_yaw_deg: float = 0.0
    contour_jaw: bool = False

    def __post_init__(self) -> None:
        check_choices(self)
        check_number("margin_px", self.margin_px, 0, _MAX_MARGIN_PX)
        check_number("least_photos", self.least_photos, 1, _MAX_PHOTOS)
        if not 0 <= self.least_yaw_deg < 90:
            raise ConfigError(f"least_yaw_deg must be in [0, 90), got {self.least_yaw_deg}")
        unknown = [name for name in self.only_with if name not in ROW_NEEDS]
        if unknown:
            raise ConfigError(f"only_with names {', '.join(ROW_NEEDS)}, got {', '.join(unknown)}")
        if not 0 <= self.epoch_share <= 1:
            raise ConfigError(f"epoch_share must be in [0, 1], got {self.epoch_share}")
        if self.upscale and self.split != "train":
            raise ConfigError(f"{self.name} {self.split}: upscale is for training images; the others stay unchanged")


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """``[data]``: the sets to train on, to select on and to calibrate on.

    Attributes:
        sources: Sets to train on; their rows are joined, and a label that a set does not have is unknown there.
        valid: Sets to select weights on, and to calibrate on where ``calibration_rows`` is 0. A refit trains on them.
        expressions: Class order of the expression head, one of `mien.core.EXPRESSION_ORDERS`.
        calibration_rows: Number of rows of the sources, chosen by a hash of their group, that are held out for
            temperature and thresholds.
    """

    sources: tuple[SourceSettings, ...]
    valid: tuple[SourceSettings, ...] = ()
    expressions: str = "canonical"
    calibration_rows: int = 0

    def __post_init__(self) -> None:
        if not self.sources:
            raise ConfigError("at least one source is needed")
        if any(source.upscale for source in self.valid):
            raise ConfigError("[[data.valid]]: upscale is for training images; those of validation stay unchanged")
        if self.expressions not in EXPRESSION_ORDERS:
            raise ConfigError(f"expressions must be one of {sorted(EXPRESSION_ORDERS)}, got {self.expressions!r}")


@dataclass(frozen=True, kw_only=True)
class VectorSettings:
    """``[[model.vectors]]``: a stretch of the input vector, from shards that `mien features` wrote.

    Attributes:
        part: ``"features"`` or ``"scores"`` (logits, and values before they are clipped).
        n: Published length. The length in the shards replaces it.
        folder: Folder of the shards, below the folder of the source.
        every: Interval of the frames of a clip that are used: those whose number is a multiple of it.
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
        backbone: Name for `create_backbone`; empty where the input is feature vectors already.
        vectors: Stretches of stored vectors, side by side, in place of a backbone.
        sequences: Utterances as sequences of several modalities, in place of a backbone, see `SequenceSettings`.
        clip: Input of heads on stored vectors: ``"frames"`` one by one; of a whole clip its ``"statistics"`` (mean,
            standard deviation, minimum and maximum, see `mien.affect.clip_statistics`) or a ``"sequence"``.
        n_steps: Number of steps of a sequence, see `mien.affect.clip_sequences`.
        options: Further arguments of the backbone.
        start: ``"scratch"``; ``"imagenet"`` (for efficientnet_lite0, from the package that carries its weights);
            ``"faceres"`` or ``"sface"`` (for mobilenet_v1, from the trunk files in the folder of the data sets); or the
            path of a checkpoint of another recipe, of any torch file of tensors by name (a state dict), or of a file
            that `mien import start` wrote.
        start_names: Prefix of names in such a file -> prefix of the backbone's names; the first that fits counts.
        start_heads: Tasks whose heads come from that checkpoint, too.
        input_px: Side of the input of the exported bundle.
        colour: ``"gray"`` or ``"rgb"``.
        mean: Numbers to subtract from pixels on the 0-to-255 scale, one or one per channel.
        std: Numbers to divide by after that.
        template: Five keypoints (x, y) as fractions of the crop's side, in the order of `mien.core.CropSpec`.
        crop: ``"face"``: crops that are aligned or show the whole picture, as `mien.training.data.augmentation` draws
            them; ``"loose"``: crops around the keypoints as `mien.training.data.loose_crops` draws them, with room
            about the face. Heads for landmarks, pose and eyes need loose ones. ``"window"``: squares out of a larger
            picture, for detectors.
        given: How the bundle reads faces that the caller has cropped already, see `mien.core.CropSpec`; validation and
            calibration read them alike, at the keypoints of the data.
        mirror: Whether every output is the mean over the crop and its mirror image, outside of training: more accurate
            at twice the time.
        features: Whether the exported graph also outputs the features that the heads share.
        n_inputs: Length of the vectors of the source ``vectors``, where there is no backbone.
        drop_rate: Dropout between features and heads.
        unit_length: Whether the features are divided by their length (L2) before the heads.
        penalty: Weight of the backbone's own loss, for a backbone with `forward_with_penalty`.
    """

    backbone: str = "efficientnet_lite0"
    vectors: tuple[VectorSettings, ...] = ()
    sequences: SequenceSettings | None = None
    clip: Literal["frames", "statistics", "sequence"] = "frames"
    n_steps: int = 0
    options: Mapping[str, Option] = field(default_factory=dict)
    start: str = "scratch"
    start_names: Mapping[str, str] = field(default_factory=dict)
    start_heads: tuple[str, ...] = ()
    input_px: int = 112
    colour: Literal["gray", "rgb"] = "gray"
    mean: tuple[float, ...] = (127.5,)
    std: tuple[float, ...] = (127.5,)
    template: tuple[tuple[float, float], ...] = FERPLUS_TEMPLATE
    crop: Literal["face", "loose", "window"] = "face"
    given: CropReading = "whole"
    mirror: bool = False
    features: bool = True
    n_inputs: int = 0
    drop_rate: float = 0.0
    unit_length: bool = False
    penalty: float = 0.0

    def __post_init__(self) -> None:
        check_choices(self)
        if sum(map(bool, (self.backbone, self.n_inputs, self.vectors, self.sequences))) != 1:
            raise ConfigError("a model has either a backbone, or vectors, or n_inputs, or sequences")
        if self.mirror and self.crop == "loose":
            raise ConfigError("mirror = true averages outputs, which for landmarks and pose are another face's")
        if (self.n_steps > 0) != (self.clip == "sequence"):
            raise ConfigError(f"n_steps is for clip = 'sequence', got {self.n_steps} for {self.clip!r}")
        if any(len(values) not in (1, self.n_channels) for values in (self.mean, self.std)):
            raise ConfigError(f"mean and std have 1 or {self.n_channels} numbers for {self.colour} input")

    @property
    def n_channels(self) -> int:
        """1 for gray, else 3."""
        return 1 if self.colour == "gray" else 3

    @property
    def stretch_lengths(self) -> tuple[int, ...]:
        """Lengths of the stretches of the input vectors."""
        return tuple(self._length(stretch) for stretch in self.vectors)

    @property
    def n_vector(self) -> int:
        """Length of the input vectors; 0 where the input is pictures.

        Examples:
            >>> stretch = VectorSettings(part="features", n=1280)
            >>> ModelSettings(backbone="", vectors=(stretch,), clip="statistics").n_vector
            5120
        """
        of_sequences = 0 if self.sequences is None else self.sequences.n_vector
        return self.n_inputs + sum(self.stretch_lengths) + of_sequences

    def columns_of(self, part: str) -> tuple[int, int]:
        """First column and end of the stretch that holds a part of the stored vectors.

        Examples:
            >>> stretches = (VectorSettings(part="features", n=1280), VectorSettings(part="scores", n=10))
            >>> ModelSettings(backbone="", vectors=stretches).columns_of("scores")
            (1280, 1290)

        Raises:
            ConfigError: No stretch does, or several do.
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
        kind: Name in `mien.training.models.heads.HEADS`.
        columns: Columns of the features that the head gets: [first, end], the end left out, counted from the end where
            negative; an end of 0 is the end itself, and empty means all.
        sees: Part of stored vectors that the head gets, ``"features"`` or ``"scores"``; empty for all. In place of
            ``columns``, independent of the bundle's lengths.
        after: Tasks whose outputs are appended to the head's input; their heads must come first.
        hidden: Widths of the layers before the last, for kinds that have them.
        steps: Number of steps of a recurrent head's sequence, of the action units that an attending head follows, or
            of the windows along each side of a windows head's grid.
        unit: Factor of the outputs of kinds ``"scaled"`` and ``"offset"``, so that a step of the optimiser moves them
            by a sensible amount; highest value of kind ``"intensity"``; largest distance from the middle of the crop,
            as a fraction of its side, of kind ``"places"``.
        branches: Lengths of the sequences of a branches head, side by side in its input; empty for those of
            ``[[model.vectors]]``.
        branch_drop: Probability with which a branches head leaves a branch of a sample out in training.
        activation: Activation between layers: ``"relu"``, ``"gelu"``, ``"silu"`` or ``"tanh"``.
        drop_rate: Dropout after each hidden layer.
        l2: Factor of the sum of the squared kernels in the loss, as Keras has it; also in the loss of validation.
        start: Random weights to start from: ``"torch"``, or ``"glorot"`` for Keras' uniform kernels of Glorot and
            Bengio (AISTATS 2010) and biases of 0.
        auxiliary: Whether the head only helps in training; the bundle leaves it out.
    """

    kind: str = "linear"
    columns: tuple[int, ...] = ()
    sees: str = ""
    after: tuple[str, ...] = ()
    hidden: tuple[int, ...] = ()
    steps: int = 0
    unit: float = 1.0
    branches: tuple[int, ...] = ()
    branch_drop: float = 0.0
    activation: str = "relu"
    drop_rate: float = 0.0
    l2: float = 0.0
    start: Literal["torch", "glorot"] = "torch"
    auxiliary: bool = False

    def __post_init__(self) -> None:
        check_choices(self)
        if len(self.columns) not in (0, 2):
            raise ConfigError(f"columns must be empty or [first, end], got {self.columns}")
        if self.columns and self.sees:
            raise ConfigError("a head has either columns or sees")


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """``[losses.TASK]``: the loss between a task's outputs and its labels.

    Attributes:
        name: Name in `mien.training.losses.registry.LOSSES`.
        weight: Weight of the task in the sum.
        options: Further arguments of the loss, such as ``label_smoothing``.
    """

    name: str
    weight: float = 1.0
    options: Mapping[str, Option | tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CouplingSettings:
    """``[coupling]``: losses between expressions and action units.

    Source: distribution matching, Kollias et al., arXiv 2105.03790 and 2401.01219; the details are a reconstruction.

    Attributes:
        matching: Weight of the loss between predicted action units and those that the predicted expressions imply,
            and the reverse.
    """

    matching: float = 0.0


@dataclass(frozen=True, kw_only=True)
class AugmentationSettings:
    """``[augmentation]``: random changes of training pictures. Shares are probabilities; 0 leaves a change out.

    Attributes:
        aligned: Share of crops that are aligned by the picture's keypoints, where those are known; the others show the
            whole picture, as `Analyzer.crops` does. Loose crops always follow the keypoints.
        point_noise: Standard deviation of each keypoint in eye distances: a detector's keypoints are noisy.
        flip: Share of mirrored crops.
        low_resolution: Share of pictures that are reduced to 28 to 72 px (24 to 72 px for loose crops) first.
        rotation_deg: Standard deviation of the rotation, clipped at 3 of them (3.5 for loose crops).
        zoom: Largest logarithm of the zoom.
        shift: Largest shift as a share of the side.
        squeeze: Share of loose crops that are squeezed and sheared a little: other faces than those at hand.
        no_face: Share of loose crops that miss the face; only the task ``face`` has a target there.
        occlusion: Share of crops with a covered part: hands and cups, masks, sunglasses.
        blur: Share of blurred crops.
        gamma: Largest logarithm of the gamma.
        contrast: Largest loss of contrast, as a logarithm; the largest gain is two thirds of it.
        brightness: Largest shift of brightness, 1 being white.
        noise: Share of crops with sensor noise.
        saturation: Largest relative change of saturation (colour only).
        hue: Largest shift of hue, 1 being the full circle (colour only).
        grayscale: Share of crops that lose their colour (colour only).
        crop_area: Smallest and largest share of the picture's area that a crop shows, at an aspect ratio of 3 to 4 up
            to 4 to 3, as torchvision's RandomResizedCrop has them; empty for none. Not beside ``aligned``, ``zoom``,
            ``shift`` and ``rotation_deg``.
        colour_jitter: Largest relative changes of brightness, contrast and saturation and largest shift of hue, in a
            random order, as torchvision's ColorJitter has them; empty for none (colour only).
    """

    aligned: float = 0.0
    point_noise: float = 0.0
    flip: float = 0.0
    low_resolution: float = 0.0
    rotation_deg: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    squeeze: float = 0.0
    no_face: float = 0.0
    occlusion: float = 0.0
    blur: float = 0.0
    gamma: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    noise: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    grayscale: float = 0.0
    crop_area: tuple[float, ...] = ()
    colour_jitter: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.crop_area:
            if len(self.crop_area) != 2 or not 0 < self.crop_area[0] <= self.crop_area[1] <= 1:
                raise ConfigError(f"crop_area has two rising numbers in (0, 1] or none, got {self.crop_area}")
            if any((self.aligned, self.zoom, self.shift, self.rotation_deg)):
                raise ConfigError("crop_area does not go with aligned, zoom, shift and rotation_deg")
        if len(self.colour_jitter) not in (0, 4) or any(not 0 <= amount <= 1 for amount in self.colour_jitter):
            raise ConfigError(f"colour_jitter has four numbers from 0 to 1 or none, got {self.colour_jitter}")


@dataclass(frozen=True, kw_only=True)
class CalibrationSettings:
    """``[calibration]``: what is fitted after training, on held-out rows.

    Attributes:
        temperature: Whether expression logits get a temperature, so that confidence is the probability of being right.
        thresholds: Whether action units get thresholds.
        false_alarms: Share of held-out neutral faces (at least 0.8 of the votes) on which a threshold may be reached;
            0 for the thresholds of highest F1. For action units whose labels of real faces are not to be trusted.
        lowest_threshold: Lowest threshold where ``false_alarms`` is given.
        logit_adjustment: Strength t of -t log(frequency of the class in training) that is added to the expression
            logits at export: 0 for none, 1 for a classifier that treats all classes alike. Rare expressions are found
            more often, common ones less. Source: Menon et al., ICLR 2021 (post-hoc form).
    """

    temperature: bool = True
    thresholds: bool = True
    false_alarms: float = 0.0
    lowest_threshold: float = 0.3
    logit_adjustment: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.false_alarms < 1 or not 0 <= self.lowest_threshold <= 1:
            raise ConfigError(
                "false_alarms must be in [0, 1) and lowest_threshold in [0, 1], "
                f"got {self.false_alarms} and {self.lowest_threshold}"
            )


@dataclass(frozen=True, kw_only=True)
class PublishedSettings:
    """``[[published]]``: one metric of the publication that a recipe follows, to compare with the metrics of mien.

    Attributes:
        metric: Name of the metric, such as ``"accuracy"``.
        value: Value as printed there.
        data: Data set and split of the value, such as ``"AffectNet validation, 8 classes"``.
    """

    metric: str
    value: float
    data: str
