# SPDX-License-Identifier: Apache-2.0
"""Opens one input of a run, image, video or camera, and gives its analysed frames."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import pyarrow as pa

from mien.affect import Analyzer
from mien.core import AnalyzerConfig, Frame, InputError, VideoOptions
from mien.media import (
    DecodeReport,
    FrameSource,
    MediaInput,
    VideoFrame,
    VideoInfo,
    open_address,
    open_camera,
    open_video,
    picture_note,
)
from mien.results import limits_metadata, table_schema, thresholds_metadata

_NOTHING: Mapping[str, str] = MappingProxyType({})


def schema_for_analyzer(
    analyzer: Analyzer, *, landmarks: bool = False, intervals: bool = False, metadata: Mapping[str, str] = _NOTHING
) -> pa.Schema:
    """Columns for the predictions of an analyzer; names of its bundles and its thresholds go into the metadata.

    Args:
        analyzer: Gives the predictions.
        landmarks: Whether the table has the landmarks of each face.
        intervals: Whether the table has the intervals of the action units, where the bundle is calibrated.
        metadata: Further facts about the run.
    """
    landmark_bundle, uncertainty = analyzer.landmark_bundle, analyzer.spec.uncertainty
    with_intervals = () if uncertainty is None or not intervals else analyzer.action_unit_labels
    return table_schema(
        expression_labels=analyzer.expression_labels,
        action_unit_labels=analyzer.action_unit_labels,
        n_landmarks=analyzer.n_landmarks if landmarks else 0,
        intensity_labels=(*analyzer.spec.intensity_labels, *analyzer.spec.side_labels),
        stream_offset=True,
        uncertainty=uncertainty is not None,
        interval_labels=[label for label in with_intervals if uncertainty and label in uncertainty.unit_offsets],
        metadata={
            "bundle_name": analyzer.spec.name,
            "bundle_sha256": analyzer.bundle_digest,
            **(
                {}
                if landmark_bundle is None
                else {"landmark_model_name": landmark_bundle.spec.name, "landmark_model_sha256": landmark_bundle.digest}
            ),
            **thresholds_metadata(analyzer.spec.action_unit_thresholds),
            **({} if uncertainty is None else limits_metadata(uncertainty.expression_limits)),
            **metadata,
        },
    )


SMOOTHING_KEY = "smoothing"
"""Key of a table's metadata under which the settings of its smoothing are."""

_ADAPTIVE_KEY = "adaptive"
_MIN_QUALITY_KEY = "min_quality"
_VA_KEY = "va"


def settings_metadata(analyzer: AnalyzerConfig, video: VideoOptions) -> dict[str, str]:
    """Metadata of a table: smoothed, interpolated, without affect below a quality, or with affect of landmarks."""
    quality = f"{analyzer.min_quality:g}" if analyzer.min_quality else None
    va = None if analyzer.va == "network" else analyzer.va
    settings = {SMOOTHING_KEY: video.smooth, _ADAPTIVE_KEY: video.adaptive, _MIN_QUALITY_KEY: quality, _VA_KEY: va}
    return {key: str(value) for key, value in settings.items() if value is not None}


def n_frames_expected(video: VideoOptions, info: VideoInfo) -> int | None:
    """Number of frames to expect of a video; None where its container gives no duration or frame rate."""
    if info.average_fps is None or info.duration_s is None:
        return None
    stop_s = info.duration_s if video.stop_s is None else min(video.stop_s, info.duration_s)
    return max(0, round((stop_s - (video.start_s or 0.0)) * info.average_fps / video.every))


def wanted_frames(frames: Iterable[VideoFrame], video: VideoOptions) -> Generator[VideoFrame, None, None]:
    """The chosen frames of a camera, which cannot seek; ends at ``stop_s``."""
    for frame in frames:
        if video.stop_s is not None and frame.time_s >= video.stop_s:
            return
        if frame.time_s >= (video.start_s or 0.0) and frame.index % video.every == 0:
            yield frame


def _range_text(video: VideoOptions) -> str:
    start = f"from {video.start_s or 0:g} s"
    return f"{start} on" if video.stop_s is None else f"{start} to {video.stop_s:g} s"


_LATE_S = 0.5


class MediaRun(Protocol):
    """Frames of one opened input with their faces."""

    @property
    def info(self) -> VideoInfo | None:
        """Facts about the video; None for an image."""

    @property
    def n_expected(self) -> int | None:
        """Number of frames to expect; None if unknown."""

    @property
    def report(self) -> DecodeReport:
        """Numbers of frames decoded and lost so far."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Facts about the input that the user should know, beside those of the report."""

    def frames(self, analyzer: Analyzer, *, images: bool) -> Generator[Frame, None, None]:
        """Analysed frames in order, at least one.

        Args:
            analyzer: Finds faces and predicts their affect.
            images: Whether the frames carry their pixels.

        Raises:
            InputError: The input cannot be read, or has no frame in the chosen range.
        """


class ImageRun:
    """A `MediaRun` of an image: one frame at time 0.

    Args:
        media: The image.
        seen: Its frame, or why there is none, where it was analysed with others; None to analyse it alone.
    """

    info = None
    n_expected = 1
    remarks: tuple[str, ...] = ()

    def __init__(self, media: MediaInput, seen: Frame | InputError | None = None) -> None:
        self._media = media
        self._seen = seen
        self._n_decoded = 0
        self._messages: tuple[str, ...] = ()

    @property
    def report(self) -> DecodeReport:
        """Number of frames decoded so far."""
        return DecodeReport(n_decoded=self._n_decoded, n_lost=0, messages=self._messages)

    def frames(self, analyzer: Analyzer, *, images: bool) -> Generator[Frame, None, None]:
        """The frame; see `MediaRun.frames`."""
        if isinstance(self._seen, InputError):
            raise self._seen
        frame = analyzer.photo(_place(self._media), images=images) if self._seen is None else self._seen
        self._n_decoded = 1
        note = "" if self._media.path is None else picture_note(self._media.path)
        self._messages = (note,) if note else ()
        yield frame


def image_runs(media: Sequence[MediaInput], analyzer: Analyzer) -> Generator[ImageRun, None, None]:
    """Runs of several images, in order, whose faces go through the affect network together; they give no pixels."""
    for one, seen in zip(media, analyzer.photos(map(_place, media)), strict=True):
        yield ImageRun(one, seen)


def _place(media: MediaInput) -> str | Path:
    return media.name if media.path is None else media.path


class VideoRun:
    """A `MediaRun` of a video or a camera."""

    def __init__(self, source: FrameSource, name: str, video: VideoOptions) -> None:
        self._source = source
        self._name = name
        self._video = video

    @property
    def info(self) -> VideoInfo:
        """Facts about the video."""
        return self._source.info

    @property
    def n_expected(self) -> int | None:
        """Number of frames to expect; None if unknown."""
        return n_frames_expected(self._video, self.info)

    @property
    def report(self) -> DecodeReport:
        """Numbers of frames decoded and lost so far."""
        return self._source.report

    @property
    def remarks(self) -> tuple[str, ...]:
        """Facts about the video; see `MediaRun.remarks`."""
        start_s = self.info.start_offset_s if self.info.path is not None else 0.0
        late = f"second 0 of its rows is {start_s:.3f} s on the clock of the file, by which its sound goes"
        return (late,) if abs(start_s) >= _LATE_S else ()

    def frames(self, analyzer: Analyzer, *, images: bool) -> Generator[Frame, None, None]:
        """The frames; see `MediaRun.frames`."""
        video = self._video
        is_camera = self.info.path is None
        wanted = wanted_frames(self._source, video) if is_camera else self._source
        is_empty = True
        with closing(analyzer.frames(wanted, images=images, smooth=video.smooth, adaptive=video.adaptive)) as frames:
            for frame in frames:
                is_empty = False
                yield frame
        if is_empty:
            duration = "" if self.info.duration_s is None else f" (it lasts {self.info.duration_s:.2f} s)"
            raise InputError(f"{self._name}: has no frame {_range_text(video)}{duration}; choose another range")


@contextmanager
def open_run(media: MediaInput, video: VideoOptions) -> Generator[MediaRun, None, None]:
    """Open an input and close it again.

    Args:
        media: The input.
        video: Frames to analyse, where the input is a video or a camera.

    Raises:
        InputError: It cannot be opened.
    """
    if media.camera is not None:
        source: FrameSource = open_camera(media.camera)
    elif media.address is not None:
        source = open_address(
            media.address, network=video.network, start_s=video.start_s, stop_s=video.stop_s, every=video.every
        )
    elif media.kind == "video" and media.path is not None:
        source = open_video(media.path, start_s=video.start_s, stop_s=video.stop_s, every=video.every)
    else:
        yield ImageRun(media)
        return
    with source:
        yield VideoRun(source, media.name, video)
