# SPDX-License-Identifier: Apache-2.0
"""Options of every run as frozen dataclasses: each option is written here once.

A field carries its help text, its name on the command line and whether it changes rows. The command line, the keyword
shortcuts of the Python functions, the run manifest and resume read these fields; none of them lists an option again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mien.core.errors import ConfigError
from mien.core.face_types import FaceSelector
from mien.core.option_fields import CheckedOptions, described, option

PathName = str | os.PathLike[str]
"""Path of a file or a folder."""

DEFAULT_BUNDLE = "mien-light"
"""Name of the affect bundle that is used where none is named."""

DEFAULT_LANDMARK_MODEL = "mien-points"
"""Name of the landmark bundle that is used where none is named."""

MAX_THREADS = 1024
"""Highest number of threads per model: each takes memory, also where there is no core for it."""

MAX_WORKERS = 1024
"""Highest number of workers, those of a cluster included."""

MAX_VIEWS = 8
"""Highest number of further views of a face."""

MAX_SECONDS = 1e8
"""Highest time in a video: three years."""

MAX_STRIDE = 1_000_000
"""Highest distance of the frames to analyse, and highest half-width of a filter in frames: hours of a video."""

MAX_SHARD_SIZE = 1_000_000
"""Highest number of photos in one table."""

MAX_SEED = 2**63 - 1
"""Highest seed of random numbers."""

DISPLAY_SMOOTHING = "0.4s"
"""Smoothing of what summaries, reports, overlays and live views show, where none is named; tables keep raw values."""

NO_SMOOTHING = "none"
"""Stands for raw values in summaries, reports, overlays and live views."""

NO_LANDMARK_MODEL = "none"
"""Stands for no landmark model: faces keep the detector's five keypoints."""


@described
@dataclass(frozen=True, kw_only=True)
class AnalyzerConfig(CheckedOptions):
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
            "Face detector: mtcnn, mien-faces, or yunet=FILE.onnx for a model file of your own.",
            "--detector",
            metavar="NAME",
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
            maximum=MAX_THREADS,
            changes_rows=False,
        ),
    )
    faces: str = field(
        default="all",
        metadata=option(
            "Faces to keep: all, largest (of each frame), or track=ID (of videos).", "--faces", metavar="WHICH"
        ),
    )
    va: str = field(
        default="network",
        metadata=option(
            "Valence and arousal of the network, of the landmarks (geometry), or the mean of both (mean); geometry=DIR "
            "and mean=DIR for a geometry bundle of your own.",
            "--va",
            metavar="WHICH",
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

    adapt: str | Path | None = field(
        default=None,
        metadata=option(
            "Overlay file of mien adapt, which corrects the model for one person or one site.",
            "--adapt",
            metavar="FILE",
            changes_rows=False,  # the digest of the file stands for it
        ),
    )
    views: int = field(
        default=0,
        metadata=option(
            "Further views of each face (mirrored, shifted, scaled) that measure how stable its expression is; each "
            "costs one run of the network.",
            "--views",
            metavar="N",
            minimum=0,
            maximum=MAX_VIEWS,
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


@described
@dataclass(frozen=True, kw_only=True)
class VideoOptions(CheckedOptions):
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
        mien.core.errors.ConfigError: the range from 2 s to 1 s is empty; it must end after it starts
    """

    start_s: float | None = field(
        default=None,
        metadata=option(
            "Time in seconds at which to start in videos; their beginning if not given.",
            "--from",
            metavar="SECONDS",
            minimum=0,
            maximum=MAX_SECONDS,
        ),
    )
    stop_s: float | None = field(
        default=None,
        metadata=option(
            "Time in seconds at which to stop in videos; their end if not given.",
            "--to",
            metavar="SECONDS",
            minimum=0,
            maximum=MAX_SECONDS,
        ),
    )
    every: int = field(
        default=1,
        metadata=option(
            "Analyse only every N-th frame of videos.", "--every", metavar="N", minimum=1, maximum=MAX_STRIDE
        ),
    )
    smooth: str | Any | None = field(
        default=None,
        metadata=option(
            "Smooth videos over time: half-widths such as expr=50,va=50,au=3 (frames), 0.2s (all three), or bundle.",
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
    network: bool = field(
        default=False,
        metadata=option(
            "Read inputs that are network addresses (rtsp://, http://, https://); without it no network is used.",
            "--network",
            changes_rows=False,
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        start_s, stop_s = self.start_s or 0.0, float("inf") if self.stop_s is None else self.stop_s
        if not start_s < stop_s:
            raise ConfigError(f"the range from {start_s:g} s to {stop_s:g} s is empty; it must end after it starts")


@described
@dataclass(frozen=True, kw_only=True)
class Outputs(CheckedOptions):
    """Files that a run writes.

    Raises:
        ConfigError: ``anonymous`` or ``sound`` is set without an overlay or both are, or ``no_pixels`` with one.

    Examples:
        >>> Outputs(table="faces.parquet", landmarks=True).landmarks
        True
    """

    table: PathName | None = field(
        default=None,
        metadata=option(
            "Table for all inputs (.parquet, .csv, .jsonl), or folder that gets one table per input.",
            "--out",
            metavar="PATH",
            formerly=("out",),
            changes_rows=False,
        ),
    )
    shard_size: int | None = field(
        default=None,
        metadata=option(
            "Number of photos per table in a folder; each photo has a table of its own if not given.",
            "--shard-size",
            metavar="N",
            minimum=1,
            maximum=MAX_SHARD_SIZE,
            changes_rows=False,
        ),
    )
    overlay: PathName | None = field(
        default=None,
        metadata=option(
            "Video, or image of a photo, with all results drawn; for a single input.",
            "--overlay",
            metavar="FILE",
            changes_rows=False,
        ),
    )
    anonymous: bool = field(
        default=False,
        metadata=option("Make faces unrecognisable in the overlay.", "--overlay-anonymous", changes_rows=False),
    )
    sound: bool = field(
        default=False,
        metadata=option("Give the overlay of a video its sound.", "--overlay-sound", changes_rows=False),
    )
    report: PathName | None = field(
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
    display_smooth: str | Any | None = field(
        default=DISPLAY_SMOOTHING,
        metadata=option(
            "Smooth the values that overlay and report show, not those of the table: a half-width such as 0.4s, "
            "settings as for --smooth, or none.",
            "--display-smooth",
            metavar="SETTINGS",
            changes_rows=False,
        ),
    )
    openface: PathName | None = field(
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
    intervals: bool = field(
        default=False,
        metadata=option(
            "Add the interval of each action unit to the table, where the bundle is calibrated.", "--intervals"
        ),
    )
    no_pixels: bool = field(
        default=False,
        metadata=option(
            "Write no image of any kind: refuse an overlay, and leave images out of the report.",
            "--no-pixels",
            changes_rows=False,
        ),
    )
    private: bool = field(
        default=False,
        metadata=option(
            "Close all files and folders of the run to other users of this machine.", "--private", changes_rows=False
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("table", "overlay", "report", "openface"):
            path = getattr(self, name)
            if path is not None:
                require_path(path, name)
        if self.anonymous and self.overlay is None:
            raise ConfigError("anonymous changes the overlay; name a file for it")
        if self.no_pixels and self.overlay is not None:
            raise ConfigError("no_pixels writes no image; leave the overlay out")
        if self.no_pixels:
            object.__setattr__(self, "report_frames", False)
        if self.sound and self.overlay is None:
            raise ConfigError("sound is for the overlay; name a file for it")
        if self.sound and self.anonymous:
            raise ConfigError("a voice is not anonymous; leave out the sound, or the anonymous overlay")


def require_path(path: PathName, name: str) -> None:
    r"""Refuse a text that can be the path of no file.

    Args:
        path: Path that the user gave.
        name: Name of the option, for the message.

    Raises:
        ConfigError: The text is empty or holds a null character.

    Examples:
        >>> require_path("", "--out")
        Traceback (most recent call last):
            ...
        mien.core.errors.ConfigError: --out is empty; name a file or a folder
    """
    text = os.fspath(path)
    if not text:
        raise ConfigError(f"{name} is empty; name a file or a folder")
    if "\0" in text:
        raise ConfigError(f"{name} holds a null character, which no name of a file has")


@described
@dataclass(frozen=True, kw_only=True)
class JobOptions(CheckedOptions):
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
            maximum=MAX_WORKERS,
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


@described
@dataclass(frozen=True, kw_only=True)
class FeatureOptions(CheckedOptions):
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
    from_openface: bool = field(
        default=False,
        metadata=option("Read inputs as CSV files of OpenFace, one a track: 35 action units.", "--from-openface"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.from_openface and (self.crops or self.audio is not None):
            raise ConfigError("files of OpenFace hold neither crops nor sound; extract these into another folder")
        if self.crops and self.audio is not None:
            raise ConfigError("crops have no sound; extract the sound of the videos into another folder")
