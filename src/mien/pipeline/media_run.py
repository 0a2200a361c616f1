# SPDX-License-Identifier: Apache-2.0
"""One input on its way through the analyzer, whether image, video or camera."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import pyarrow as pa

from mien.affect import AdaptiveRate, Analyzer, Smoothing
from mien.core import ConfigError, Frame, InputError
from mien.media import DecodeReport, FrameSource, MediaInput, VideoFrame, VideoInfo, load_image, open_camera, open_video
from mien.results import table_schema, thresholds_metadata

_NOTHING: Mapping[str, str] = MappingProxyType({})


def schema_for_analyzer(
    analyzer: Analyzer, *, landmarks: bool = False, metadata: Mapping[str, str] = _NOTHING
) -> pa.Schema:
    """Columns for what the analyzer answers; its bundle and thresholds travel along, so that the table needs neither.

    Args:
        analyzer: whose answers come.
        landmarks: whether the table has the points of each face.
        metadata: further facts about the run.
    """
    landmark_bundle = analyzer.landmark_bundle
    return table_schema(
        expression_labels=analyzer.expression_labels,
        action_unit_labels=analyzer.action_unit_labels,
        n_landmarks=analyzer.n_landmarks if landmarks else 0,
        metadata={
            "bundle_name": analyzer.spec.name,
            "bundle_sha256": analyzer.bundle_digest,
            **(
                {}
                if landmark_bundle is None
                else {"landmark_model_name": landmark_bundle.spec.name, "landmark_model_sha256": landmark_bundle.digest}
            ),
            **thresholds_metadata(analyzer.spec.action_unit_thresholds),
            **metadata,
        },
    )


SMOOTHING_KEY = "smoothing"
"""Under which a table keeps the settings that it was smoothed with."""

_ADAPTIVE_KEY = "adaptive"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which frames of a video are wanted, and whether faces are smoothed over them.

    Attributes:
        every: each n-th.
        start_s: none shown before; None from the beginning.
        stop_s: none shown from here on; None to the end.
        smooth: over time, each track on its own; None for not at all.
        adaptive: read sure stretches in few frames, see `mien.affect.AdaptiveRate`; None reads every wanted frame.
    """

    every: int = 1
    start_s: float | None = None
    stop_s: float | None = None
    smooth: Smoothing | None = None
    adaptive: AdaptiveRate | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError(f"every must be at least 1, got {self.every}")
        start_s, stop_s = self.start_s or 0.0, float("inf") if self.stop_s is None else self.stop_s
        if not 0 <= start_s < stop_s:  # also where one is not a number
            raise ConfigError(f"the range {self} is empty or starts before 0 s")

    def __str__(self) -> str:
        """The range in words."""
        start = f"from {self.start_s or 0:g} s"
        return f"{start} on" if self.stop_s is None else f"{start} to {self.stop_s:g} s"

    @property
    def metadata(self) -> dict[str, str]:
        """What a table must say of itself: that its rows are smoothed, or interpolated between readings."""
        settings = {SMOOTHING_KEY: self.smooth, _ADAPTIVE_KEY: self.adaptive}
        return {key: str(value) for key, value in settings.items() if value is not None}

    def n_expected(self, info: VideoInfo) -> int | None:
        """Frames to expect of a video, None where its container does not tell."""
        if info.average_fps is None or info.duration_s is None:
            return None
        stop_s = info.duration_s if self.stop_s is None else min(self.stop_s, info.duration_s)
        return max(0, round((stop_s - (self.start_s or 0.0)) * info.average_fps / self.every))

    def live(self, frames: Iterable[VideoFrame]) -> Generator[VideoFrame, None, None]:
        """The wanted frames of a camera, which knows no ranges; ends at ``stop_s``."""
        for frame in frames:
            if self.stop_s is not None and frame.time_s >= self.stop_s:
                return
            if frame.time_s >= (self.start_s or 0.0) and frame.index % self.every == 0:
                yield frame


class MediaRun(Protocol):
    """Frames of one input with their faces."""

    @property
    def info(self) -> VideoInfo | None:
        """Of the video; None for an image."""

    @property
    def n_expected(self) -> int | None:
        """Frames to expect, None if unknown."""

    @property
    def report(self) -> DecodeReport:
        """What was decoded and lost so far."""

    def frames(self, analyzer: Analyzer, *, images: bool) -> Generator[Frame, None, None]:
        """Analysed frames in order, at least one.

        Args:
            analyzer: finds and reads the faces.
            images: whether the frames carry their pixels.

        Raises:
            InputError: the input cannot be read, or shows nothing in the wanted range.
        """


class ImageRun:
    """An image: one frame at time 0."""

    info = None
    n_expected = 1

    def __init__(self, media: MediaInput) -> None:
        self._media = media
        self._n_decoded = 0

    @property
    def report(self) -> DecodeReport:
        """What was decoded so far."""
        return DecodeReport(n_decoded=self._n_decoded, n_lost=0)

    def frames(self, analyzer: Analyzer, *, images: bool) -> Generator[Frame, None, None]:
        """The frame; see `MediaRun.frames`."""
        pixels = load_image(self._media.name if self._media.path is None else self._media.path)
        self._n_decoded = 1
        yield Frame(index=0, time_s=0.0, faces=analyzer.image(pixels), image=pixels if images else None)


class VideoRun:
    """A video or a camera."""

    def __init__(self, source: FrameSource, name: str, selection: Selection) -> None:
        self._source = source
        self._name = name
        self._selection = selection

    @property
    def info(self) -> VideoInfo:
        """Facts about the video."""
        return self._source.info

    @property
    def n_expected(self) -> int | None:
        """Frames to expect, None if unknown."""
        return self._selection.n_expected(self.info)

    @property
    def report(self) -> DecodeReport:
        """What was decoded and lost so far."""
        return self._source.report

    def frames(self, analyzer: Analyzer, *, images: bool) -> Generator[Frame, None, None]:
        """The frames; see `MediaRun.frames`."""
        is_camera = self.info.path is None
        wanted = self._selection.live(self._source) if is_camera else self._source
        nothing_yet = True
        smooth, adaptive = self._selection.smooth, self._selection.adaptive
        with closing(analyzer.frames(wanted, images=images, smooth=smooth, adaptive=adaptive)) as frames:
            for frame in frames:
                nothing_yet = False
                yield frame
        if nothing_yet:
            lasts = "" if self.info.duration_s is None else f" (it lasts {self.info.duration_s:.2f} s)"
            raise InputError(f"{self._name}: shows nothing {self._selection}{lasts}; choose another range")


@contextmanager
def open_run(media: MediaInput, selection: Selection) -> Generator[MediaRun, None, None]:
    """Open an input and close it again.

    Raises:
        InputError: it cannot be opened.
    """
    if media.camera is not None:
        source: FrameSource = open_camera(media.camera)
    elif media.kind == "video" and media.path is not None:
        start_s, stop_s, every = selection.start_s, selection.stop_s, selection.every
        source = open_video(media.path, start_s=start_s, stop_s=stop_s, every=every)
    else:
        yield ImageRun(media)
        return
    with source:
        yield VideoRun(source, media.name, selection)
