# SPDX-License-Identifier: Apache-2.0
"""One input on its way through the analyzer, whether image, video or camera."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mien.affect import Analyzer
from mien.core import ConfigError, Frame
from mien.media import DecodeReport, FrameSource, MediaInput, VideoFrame, VideoInfo, load_image, open_camera, open_video


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which frames of a video are wanted.

    Attributes:
        every: each n-th.
        start_s: none shown before; None from the beginning.
        stop_s: none shown from here on; None to the end.
    """

    every: int = 1
    start_s: float | None = None
    stop_s: float | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError(f"every must be at least 1, got {self.every}")
        start_s = self.start_s or 0.0
        if start_s < 0 or (self.stop_s is not None and self.stop_s <= start_s):
            raise ConfigError(f"the range from {self.start_s} to {self.stop_s} s is empty or starts before 0")

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


class Reading:
    """Frames of one input with their faces.

    Attributes:
        info: of the video; None for an image.
        n_expected: frames to expect, None if unknown.
    """

    def __init__(self, media: MediaInput, selection: Selection, source: FrameSource | None) -> None:
        self._media = media
        self._selection = selection
        self._source = source
        self.info = None if source is None else source.info
        self.n_expected = 1 if self.info is None else selection.n_expected(self.info)

    @property
    def report(self) -> DecodeReport:
        """What was decoded and lost so far."""
        return DecodeReport(n_decoded=1, n_lost=0) if self._source is None else self._source.report

    def frames(self, analyzer: Analyzer, *, images: bool) -> Generator[Frame, None, None]:
        """Analysed frames in order; an image is one frame at time 0.

        Raises:
            InputError: the input cannot be read.
        """
        if self._source is not None:
            chosen = self._selection.live(self._source) if self._media.kind == "camera" else self._source
            with closing(analyzer.frames(chosen, images=images)) as frames:
                yield from frames
            return
        pixels = load_image(self._media.path or Path())
        yield Frame(index=0, time_s=0.0, faces=analyzer.image(pixels), image=pixels if images else None)


@contextmanager
def open_reading(media: MediaInput, selection: Selection) -> Generator[Reading, None, None]:
    """Open an input and close it again.

    Raises:
        InputError: it cannot be opened.
    """
    if media.kind == "image":
        yield Reading(media, selection, None)
        return
    start_s, stop_s, every = selection.start_s, selection.stop_s, selection.every
    source: FrameSource
    if media.camera is not None:
        source = open_camera(media.camera)
    else:
        source = open_video(media.path or Path(), start_s=start_s, stop_s=stop_s, every=every)
    with source:
        yield Reading(media, selection, source)
