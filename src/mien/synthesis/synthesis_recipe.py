# SPDX-License-Identifier: Apache-2.0
"""`SynthesisRecipe`: what synthetic faces a run samples, read from TOML."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from mien.core import MAX_SEED, ConfigError, check_number, read_regular, read_typed

_RECIPES = Path(__file__).with_name("recipes")


MAX_FACES = 100_000_000
"""Highest number of faces or clips of a data set."""


@dataclass(frozen=True, kw_only=True)
class ExpressionMix:
    """Shares of the kinds of expressions, and how strong and how even they are.

    Attributes:
        neutral: Share of neutral faces.
        basic: Share of the seven basic expressions.
        compound: Share of compound expressions.
        units: Share of independently drawn action units, free of the correlations of prototypes.
        speech: Share of mouths in speech.
        first_neutral: Whether the first face of each identity is neutral.
        strength: Least and greatest strength of an expression.
        asymmetry: Share of faces whose sides differ by up to half.
        one_sided: Share of faces on which each sided action unit has its own two sides, often one side alone.
        blink_share: Share of faces with closed or half-closed eyes.
        gaze_share: Share of faces with averted gaze.
        only: Names of the basic expressions to draw; empty for all.
    """

    neutral: float = 0.15
    basic: float = 0.35
    compound: float = 0.10
    units: float = 0.30
    speech: float = 0.10
    first_neutral: bool = True
    strength: tuple[float, float] = (0.15, 1.0)
    asymmetry: float = 0.2
    one_sided: float = 0.0
    blink_share: float = 0.06
    gaze_share: float = 0.4
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shares = (self.neutral, self.basic, self.compound, self.units, self.speech)
        if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise ConfigError(f"neutral, basic, compound, units and speech must be shares that sum to 1, got {shares}")
        _check_range("strength", self.strength, 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class PoseRange:
    """Distribution of head poses.

    Attributes:
        yaw_deg: Standard deviation of yaw in degrees.
        pitch_deg: Standard deviation of pitch.
        roll_deg: Standard deviation of roll.
        wide_share: Share of faces whose yaw is drawn evenly up to ``max_yaw_deg``.
        max_yaw_deg: Greatest yaw in degrees; 90 is a full profile.
    """

    yaw_deg: float = 15.0
    pitch_deg: float = 8.0
    roll_deg: float = 6.0
    wide_share: float = 0.2
    max_yaw_deg: float = 90.0

    def __post_init__(self) -> None:
        if not 0 <= self.max_yaw_deg <= 90:
            raise ConfigError(f"max_yaw_deg must be in [0, 90], got {self.max_yaw_deg}")


@dataclass(frozen=True, kw_only=True)
class OcclusionShares:
    """Shares of faces that something hides in part; at most one of a hand and a mask.

    Attributes:
        glasses: Share with clear glasses.
        sunglasses: Share with dark glasses.
        face_mask: Share with a cloth mask over nose and mouth.
        hand: Share with a hand before the face.
    """

    glasses: float = 0.12
    sunglasses: float = 0.03
    face_mask: float = 0.03
    hand: float = 0.05


@dataclass(frozen=True, kw_only=True)
class CameraRange:
    """Distribution of camera positions.

    Attributes:
        face_share: Share of the image's height from chin to hairline, least and greatest.
        distance_dm: Distance of the camera in decimetres; near ones distort the face.
        shift: Greatest offset of the face from the middle, as a share of the image.
    """

    face_share: tuple[float, float] = (0.68, 0.95)
    distance_dm: tuple[float, float] = (6.0, 25.0)
    shift: float = 0.05

    def __post_init__(self) -> None:
        _check_range("face_share", self.face_share, 0.05, 1.5)
        _check_range("distance_dm", self.distance_dm, 3.0, 1000.0)


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """What happens to a rendered image.

    Attributes:
        low_resolution_share: Share of images that are shrunk and enlarged again.
        low_resolution_px: Least and greatest width to which they are shrunk.
        blur_share: Share of images with motion blur.
        noise: Least and greatest standard deviation of the sensor noise, where 1 is white.
        jpeg_quality: Least and greatest JPEG quality.
        gray_share: Share of images without colour.
    """

    low_resolution_share: float = 0.25
    low_resolution_px: tuple[int, int] = (28, 64)
    blur_share: float = 0.1
    noise: tuple[float, float] = (0.002, 0.025)
    jpeg_quality: tuple[int, int] = (60, 95)
    gray_share: float = 0.1

    def __post_init__(self) -> None:
        _check_range("low_resolution_px", self.low_resolution_px, 8, 4096)
        _check_range("jpeg_quality", self.jpeg_quality, 1, 100)


@dataclass(frozen=True, kw_only=True)
class ClipOptions:
    """Short videos of one identity that moves between expressions.

    Attributes:
        duration_s: Length in seconds.
        fps: Frames per second.
        expressions: Number of expressions that the face passes through, the first one included.
    """

    duration_s: float = 3.0
    fps: float = 25.0
    expressions: int = 4

    def __post_init__(self) -> None:
        if not (self.duration_s > 0 and self.fps > 0 and self.expressions >= 2):
            raise ConfigError("clips need a duration and a frame rate above 0 and at least 2 expressions")


@dataclass(frozen=True, kw_only=True)
class SynthesisRecipe:
    """What synthetic faces a run samples.

    Attributes:
        name: Name of the recipe.
        description: Purpose of the recipe.
        seed: Seed of all random draws.
        size_px: Width and height of the images.
        oversampling: Rendering resolution over image resolution, against jagged edges.
        faces_per_identity: Number of faces of each identity.
        age_years: Youngest and oldest age.
        presence: Intensity from which an action unit counts as present; 0.4 is level 2 of 5.
        valid_share: Share of identities in the split ``valid``.
        test_share: Share of identities in the split ``test``.
        expressions: Kinds of expressions.
        pose: Head poses.
        occlusion: What hides faces.
        camera: Camera positions.
        degradation: What happens to the rendered image.
        clips: Length and content of clips.
    """

    name: str
    description: str = ""
    seed: int = 0
    size_px: int = 112
    oversampling: int = 2
    faces_per_identity: int = 8
    age_years: tuple[float, float] = (14.0, 80.0)
    presence: float = 0.4
    valid_share: float = 0.1
    test_share: float = 0.1
    expressions: ExpressionMix = field(default_factory=ExpressionMix)
    pose: PoseRange = field(default_factory=PoseRange)
    occlusion: OcclusionShares = field(default_factory=OcclusionShares)
    camera: CameraRange = field(default_factory=CameraRange)
    degradation: Degradation = field(default_factory=Degradation)
    clips: ClipOptions = field(default_factory=ClipOptions)

    def __post_init__(self) -> None:
        if not 32 <= self.size_px <= 1024:
            raise ConfigError(f"size_px must be in [32, 1024], got {self.size_px}")
        if self.oversampling not in (1, 2, 3):
            raise ConfigError(f"oversampling must be 1, 2 or 3, got {self.oversampling}")
        check_number("faces_per_identity", self.faces_per_identity, 1, MAX_FACES)
        check_number("seed", self.seed, 0, MAX_SEED)
        _check_range("age_years", self.age_years, 12.0, 90.0)
        if min(self.valid_share, self.test_share) < 0 or self.valid_share + self.test_share > 1:
            raise ConfigError("valid_share and test_share must be shares that leave some identities to train")


def _check_range(name: str, pair: tuple[float, float], least: float, greatest: float) -> None:
    if not least <= pair[0] <= pair[1] <= greatest:
        raise ConfigError(f"{name} must be two ascending numbers in [{least}, {greatest}], got {pair}")


def list_synthesis_recipes() -> tuple[str, ...]:
    """Names of the recipes that mien ships.

    Examples:
        >>> list_synthesis_recipes()
        ('action-unit-sides', 'action-units', 'clips', 'lsd', 'turned-faces', 'units')
    """
    return tuple(sorted(path.stem for path in _RECIPES.glob("*.toml")))


def load_synthesis_recipe(recipe: str | Path) -> SynthesisRecipe:
    """A shipped recipe by name, or that of a TOML file.

    Raises:
        ConfigError: There is no such recipe, or a key is unknown, missing or wrong.

    Examples:
        >>> load_synthesis_recipe("units").size_px
        112
    """
    path = _RECIPES / f"{recipe}.toml" if str(recipe) in list_synthesis_recipes() else Path(recipe)
    try:
        content = tomllib.loads(read_regular(path).decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(list_synthesis_recipes())
        raise ConfigError(f"{path}: no recipe can be read; give a TOML file or one of {known}") from error
    except (RecursionError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: is no valid TOML ({error})") from error
    return read_typed(SynthesisRecipe, content, str(path))
