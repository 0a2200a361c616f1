# SPDX-License-Identifier: Apache-2.0
"""Options of every run as frozen dataclasses: each option is written here once.

A field carries its help text, its name on the command line and whether it changes rows. The command line, the keyword
shortcuts of the Python functions, the run manifest and resume read these fields; none of them lists an option again.
"""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

from mien.core.errors import ConfigError
from mien.core.faces import FaceSelector
from mien.core.typed import read_typed

DEFAULT_BUNDLE = "mien-light"
"""Name of the affect bundle that is used where none is named."""

DEFAULT_LANDMARK_MODEL = "mien-points"
"""Name of the landmark bundle that is used where none is named."""

NO_LANDMARK_MODEL = "none"
"""Stands for no landmark model: faces keep the detector's five keypoints."""

Options = TypeVar("Options")
Kinds = TypeVarTuple("Kinds")
_INFO = "option"


@dataclass(frozen=True, kw_only=True)
class OptionInfo:
    """Description of one field of an options class.

    Attributes:
        help: One sentence that says what the option does, with its unit.
        flag: Name on the command line, such as ``--from``; ``--frames/--no-frames`` for a switch with both forms.
        metavar: Placeholder of the value in help texts; empty for a switch.
        minimum: Smallest number that is allowed; None for no limit.
        maximum: Largest number that is allowed; None for no limit.
        changes_rows: Whether rows of a table depend on the option; resume analyses an input again where one differs.
    """

    help: str
    flag: str
    metavar: str = ""
    minimum: float | None = None
    maximum: float | None = None
    changes_rows: bool = True


def option(help_text: str, flag: str, *, formerly: tuple[str, ...] = (), **facts: Any) -> dict[str, Any]:
    """Metadata of a field of an options class.

    Args:
        help_text: One sentence that says what the option does, with its unit.
        flag: Name on the command line, such as ``--from``.
        formerly: Names of the field in manifests of earlier versions.
        **facts: Further attributes of `OptionInfo`.

    Examples:
        >>> option("Analyse only every N-th frame.", "--every", metavar="N")["option"].metavar
        'N'
    """
    return {_INFO: OptionInfo(help=help_text, flag=flag, **facts), "formerly": formerly}


def option_info(one: Field[Any]) -> OptionInfo:
    """The description of a field of an options class."""
    info = one.metadata[_INFO]
    if not isinstance(info, OptionInfo):
        raise TypeError(f"{one.name} was not made by option()")
    return info


def _described(kind: type[Options]) -> type[Options]:
    """Add the help text of every field to the docstring of an options class."""
    lines = [f"    {one.name}: {option_info(one).help}" for one in fields(kind)]  # type: ignore[arg-type]
    kind.__doc__ = "\n".join([inspect.cleandoc(kind.__doc__ or ""), "", "Attributes:", *lines])
    return kind


class _Checked:
    """Base of the options classes: numbers are checked against the limits of their fields."""

    def __post_init__(self) -> None:
        for one in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            info, value = option_info(one), getattr(self, one.name)
            if value is None or (info.minimum is None and info.maximum is None):
                continue
            low = float("-inf") if info.minimum is None else info.minimum
            high = float("inf") if info.maximum is None else info.maximum
            if isinstance(value, bool) or not isinstance(value, Real) or not low <= float(value) <= high:
                limits = f"at least {low:g}" if info.maximum is None else f"from {low:g} to {high:g}"
                raise ConfigError(f"{one.name} must be {limits}, got {value!r}")


@_described
@dataclass(frozen=True, kw_only=True)
class AnalyzerConfig(_Checked):
    """Models of an analyzer and how they run.

    ``detector`` and ``landmark_model`` may also be objects with the methods of `mien.faces.FaceDetector` and
    `mien.faces.LandmarkModel`; ``landmark_model=None`` stands for ``"none"``.

    Raises:
        ConfigError: A number is out of range, or ``faces`` is no choice.

    Examples:
        >>> AnalyzerConfig(threads=2).model
        'mien-light'
        >>> AnalyzerConfig(landmark_model=None).landmark_model
        'none'
    """

    model: str | Path = field(
        default=DEFAULT_BUNDLE,
        metadata=option(
            "Bundle that predicts affect: its name or folder.",
            "--model",
            metavar="NAME",
            changes_rows=False,  # the digest of the bundle stands for it
        ),
    )
    detector: str | Any = field(
        default="mtcnn",
        metadata=option(
            "Face detector: mtcnn, or yunet=FILE.onnx for a model file of your own.", "--detector", metavar="NAME"
        ),
    )
    landmark_model: str | Path | Any = field(
        default=DEFAULT_LANDMARK_MODEL,
        metadata=option(
            "Bundle that predicts 68 landmarks and head pose: its name or folder; none for the detector's 5 keypoints.",
            "--landmark-model",
            metavar="NAME",
            formerly=("points",),
        ),
    )
    runtime: str = field(
        default="onnxruntime",
        metadata=option("Library that runs the models: onnxruntime, or openvino (extra).", "--runtime", metavar="NAME"),
    )
    threads: int | None = field(
        default=None,
        metadata=option(
            "Number of threads per model; all cores that the process may use if not given.",
            "--threads",
            metavar="N",
            minimum=1,
            changes_rows=False,
        ),
    )
    faces: str = field(
        default="all",
        metadata=option(
            "Faces to keep: all, largest (of each frame), or track=ID (of videos).", "--faces", metavar="WHICH"
        ),
    )
    min_quality: float = field(
        default=0.0,
        metadata=option(
            "Quality from 0 to 1 below which a face keeps its row but gets no affect.",
            "--min-quality",
            metavar="Q",
            minimum=0,
            maximum=1,
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        FaceSelector.for_media(self.faces)
        if self.landmark_model is None:
            object.__setattr__(self, "landmark_model", NO_LANDMARK_MODEL)

    @property
    def holds_objects(self) -> bool:
        """Whether a detector or landmark model is an object, so that no name says what it computes."""
        return not all(isinstance(one, (str, os.PathLike)) for one in (self.detector, self.landmark_model))


@_described
@dataclass(frozen=True, kw_only=True)
class VideoOptions(_Checked):
    """Frames of a video to analyse, and how predictions change over time.

    ``smooth`` and ``adaptive`` may also be `mien.affect.Smoothing` and `mien.affect.AdaptiveRate`.

    Raises:
        ConfigError: A number is out of range, or the range of time is empty.

    Examples:
        >>> VideoOptions(start_s=2, every=5).every
        5
        >>> VideoOptions(start_s=2, stop_s=1)
        Traceback (most recent call last):
            ...
        mien.core.errors.ConfigError: the range from 2 s to 1 s is empty; stop_s must be above start_s
    """

    start_s: float | None = field(
        default=None,
        metadata=option(
            "Time in seconds at which to start in videos; their beginning if not given.", "--from", metavar="SECONDS"
        ),
    )
    stop_s: float | None = field(
        default=None,
        metadata=option(
            "Time in seconds at which to stop in videos; their end if not given.", "--to", metavar="SECONDS"
        ),
    )
    every: int = field(
        default=1, metadata=option("Analyse only every N-th frame of videos.", "--every", metavar="N", minimum=1)
    )
    smooth: str | Any | None = field(
        default=None,
        metadata=option(
            "Smooth videos over time: half-widths in frames such as expr=50,va=50,au=3, or bundle for its own.",
            "--smooth",
            metavar="SETTINGS",
        ),
    )
    adaptive: str | Any | None = field(
        default=None,
        metadata=option(
            "Predict affect in fewer frames where it is certain, and interpolate: strides in frames, such as 25,5,1.",
            "--adaptive",
            metavar="STRIDES",
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        start_s, stop_s = self.start_s or 0.0, float("inf") if self.stop_s is None else self.stop_s
        if not start_s >= 0:  # also where it is not a number
            raise ConfigError(f"start_s must be at least 0, got {start_s}")
        if not start_s < stop_s:
            raise ConfigError(f"the range from {start_s:g} s to {stop_s:g} s is empty; stop_s must be above start_s")


@_described
@dataclass(frozen=True, kw_only=True)
class Outputs(_Checked):
    """Files that a run writes.

    Raises:
        ConfigError: ``anonymous`` is set without an overlay.

    Examples:
        >>> Outputs(table="faces.parquet", landmarks=True).landmarks
        True
    """

    table: str | os.PathLike[str] | None = field(
        default=None,
        metadata=option(
            "Table for all inputs (.parquet, .csv, .jsonl), or folder that gets one table per input.",
            "--out",
            metavar="PATH",
            formerly=("out",),
            changes_rows=False,
        ),
    )
    overlay: str | os.PathLike[str] | None = field(
        default=None,
        metadata=option(
            "Video, or picture of a photo, with all results drawn; for a single input.",
            "--overlay",
            metavar="FILE",
            changes_rows=False,
        ),
    )
    anonymous: bool = field(
        default=False,
        metadata=option("Make faces unrecognisable in the overlay.", "--overlay-anonymous", changes_rows=False),
    )
    report: str | os.PathLike[str] | None = field(
        default=None,
        metadata=option(
            "HTML page with timelines, key frames and a summary of all inputs.",
            "--report",
            metavar="FILE.html",
            changes_rows=False,
        ),
    )
    report_frames: bool = field(
        default=True, metadata=option("Show images of faces in the report.", "--frames/--no-frames", changes_rows=False)
    )
    openface: str | os.PathLike[str] | None = field(
        default=None,
        metadata=option(
            "The same results in the columns of OpenFace 2.2: a .csv for a single input, or a folder.",
            "--openface",
            metavar="PATH",
            changes_rows=False,
        ),
    )
    landmarks: bool = field(
        default=False, metadata=option("Add the landmarks of each face to the table, in pixels.", "--landmarks")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.anonymous and self.overlay is None:
            raise ConfigError("anonymous changes the overlay; name a file for it")


@_described
@dataclass(frozen=True, kw_only=True)
class JobOptions(_Checked):
    """Processes that share the inputs of a run.

    ``engine`` may also be an object with the methods of `mien.jobs.Engine`, whose own number of workers then counts.

    Examples:
        >>> JobOptions(workers=4).engine
        'local'
    """

    workers: int = field(
        default=1,
        metadata=option(
            "Number of inputs to analyse at the same time, for a folder of tables.",
            "--workers",
            metavar="N",
            minimum=1,
            changes_rows=False,
        ),
    )
    engine: str | Any = field(
        default="local",
        metadata=option(
            "What runs the workers: local (processes), or ray (extra; ray=ADDRESS for a cluster).",
            "--engine",
            metavar="NAME",
            changes_rows=False,
        ),
    )


@_described
@dataclass(frozen=True, kw_only=True)
class FeatureOptions(_Checked):
    """Vectors that `mien.pipeline.extract_features` stores.

    Raises:
        ConfigError: Sound is wanted from crops.

    Examples:
        >>> FeatureOptions(audio="egemaps").crops
        False
    """

    crops: bool = field(
        default=False, metadata=option("Read inputs as folders of cropped faces, <track>/00001.jpg.", "--crops")
    )
    audio: str | None = field(
        default=None,
        metadata=option(
            "Encode the sound in place of faces: egemaps (extra: audio), or onnx=FILE for an encoder of your own.",
            "--audio",
            metavar="NAME",
        ),
    )
    float16: bool = field(
        default=False, metadata=option("Store half precision, which takes half the space.", "--float16")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crops and self.audio is not None:
            raise ConfigError("crops have no sound; extract the sound of the videos into another folder")


def with_shortcuts(shortcuts: Mapping[str, Any], *options: *Kinds) -> tuple[*Kinds]:
    """Options with keyword shortcuts put in; each keyword goes to the options that have a field of its name.

    Args:
        shortcuts: Field name -> value.
        *options: Instances of options classes.

    Returns:
        The options in the same order.

    Raises:
        TypeError: No options have a field of that name.
        ConfigError: A value is refused.

    Examples:
        >>> with_shortcuts({"every": 2, "threads": 1}, AnalyzerConfig(), VideoOptions())[1].every
        2
        >>> with_shortcuts({"evry": 2}, VideoOptions())
        Traceback (most recent call last):
            ...
        TypeError: unknown option 'evry'; did you mean 'every'?
    """
    given: tuple[Any, ...] = options
    names = [{one.name for one in fields(each)} for each in given]
    known = set().union(*names)
    for name in shortcuts:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
            raise TypeError(f"unknown option {name!r}; {hint}")
    changed: Any = tuple(
        replace(each, **{name: value for name, value in shortcuts.items() if name in has})
        for each, has in zip(given, names, strict=True)
    )
    return changed  # type: ignore[no-any-return]  # the same classes in the same order


def refuse_unused(options: object, used: tuple[str, ...], user: str) -> None:
    """Refuse options that a function would ignore.

    Args:
        options: Instance of an options class.
        used: Names of the fields that have an effect.
        user: Name of the function, for the message.

    Raises:
        ConfigError: Another field differs from its default.
    """
    for one, value in _values(options):
        if one.name not in used and value != one.default:
            raise ConfigError(f"{user} has no use for {one.name}={value!r}; leave it out")


def options_json(*options: object) -> dict[str, Any]:
    """Field name -> value that JSON can hold, as the run manifest stores options.

    Settings such as `mien.affect.Smoothing` become their text, other objects the name of their class.

    Examples:
        >>> options_json(JobOptions(workers=2))
        {'workers': 2, 'engine': 'local'}
    """
    return {one.name: _plain(value) for each in options for one, value in _values(each)}


def row_options(*options: object) -> dict[str, Any]:
    """The part of `options_json` that rows of a table depend on."""
    return {
        one.name: _plain(value) for each in options for one, value in _values(each) if option_info(one).changes_rows
    }


def read_options(kind: type[Options], arguments: Mapping[str, Any]) -> Options:
    """Options as the ``arguments`` of a run manifest hold them, also under the names of earlier versions.

    Args:
        kind: Options class.
        arguments: Field name -> JSON value; names of other options are passed over.

    Raises:
        ConfigError: A value is not of its field's type or is refused.

    Examples:
        >>> read_options(AnalyzerConfig, {"points": "none", "every": 2}).landmark_model
        'none'
    """
    names = {name for one in fields(kind) for name in (one.name, *one.metadata["formerly"])}  # type: ignore[arg-type]
    return read_typed(kind, {name: arguments[name] for name in arguments if name in names}, "the arguments of the run")


def _values(options: object) -> Iterator[tuple[Field[Any], Any]]:
    for one in fields(options):  # type: ignore[arg-type]  # options are dataclasses
        yield one, getattr(options, one.name)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return str(value) if is_dataclass(value) else type(value).__name__
