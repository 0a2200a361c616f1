# SPDX-License-Identifier: Apache-2.0
"""Writes an overlay: the image or video with all results drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from mien.affect import FrameSmoother
from mien.core import ConfigError, FaceSelector, Frame, FrameGap, Image, InputError, OutputError, Outputs
from mien.jobs import deferred_interrupts
from mien.media import (
    SAVE_SUFFIXES,
    VIDEO_SAVE_SUFFIXES,
    MediaInput,
    RecentHeads,
    VideoFrame,
    VideoInfo,
    VideoReader,
    VideoWriter,
    anonymize_faces,
    blank_frame,
    draw_faces,
    open_video,
    save_image,
)

# For sources without a frame rate; it only affects the bit rate.
_FALLBACK_FPS = 30.0
_ALL_FACES = FaceSelector()


class Overlay(Protocol):
    """An output that takes analysed frames with their images, in order."""

    @property
    def messages(self) -> tuple[str, ...]:
        """What the user should know about the output."""

    def write(self, frame: Frame) -> None:
        """Draw one frame."""

    def show_gaps(self, gaps: Sequence[FrameGap], until_s: float) -> None:
        """Show the lost frames before a time, in order, as blank images.

        Args:
            gaps: All gaps that are known so far.
            until_s: Time of the next frame to write; infinity after the last one.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Painter:
    """Draws the results of the chosen faces, and hides heads on request.

    Attributes:
        choice: Faces whose results are drawn.
        heads: Heads that are hidden; None to hide none.
        thresholds: Action unit -> probability from which it counts as present.
        shows_time: Whether the time of the frame is shown.
        note: Note under the time, which says how values were smoothed; empty for raw ones.
    """

    choice: FaceSelector
    heads: RecentHeads | None
    thresholds: Mapping[str, float]
    shows_time: bool = False
    note: str = ""

    def __call__(self, image: npt.NDArray[np.uint8], frame: Frame) -> npt.NDArray[np.uint8]:
        """The image of a frame with all results drawn."""
        if self.heads is not None:
            image = anonymize_faces(image, self.heads.update(frame.faces, frame.time_s))
        time_s = frame.time_s if self.shows_time else None
        faces = self.choice.of(frame.faces)
        return draw_faces(image, faces, thresholds=self.thresholds, time_s=time_s, note=self.note)


class NoOverlay:
    """Draws nothing."""

    messages: tuple[str, ...] = ()

    def write(self, frame: Frame) -> None:
        """Do nothing."""

    def show_gaps(self, gaps: Sequence[FrameGap], until_s: float) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class ImageOverlay(NoOverlay):
    """An overlay of a photo; the file is written when the frame comes.

    Args:
        path: Path of the image, with an ending in `mien.media.SAVE_SUFFIXES`.
        painter: Draws on the frame.
    """

    def __init__(self, path: Path, painter: Painter) -> None:
        self._path = path
        self._painter = painter

    def write(self, frame: Frame) -> None:
        """Draw the faces and save the image.

        Raises:
            OutputError: The file cannot be written.
        """
        if frame.image is not None:
            save_image(self._path, self._painter(frame.image, frame))


class VideoOverlay:
    """An overlay of a video; its first frame is at 0 s and the others as far apart as in the source.

    Frames that are not analysed are read from the file again and shown with the values of the one before. They are left
    out where the source is no file, and where heads are hidden, since their places are not known there.

    Args:
        path: Path of the video.
        info: Facts about the source.
        every: Stride of the frames that will come.
        painter: Draws on the frames.
        sound: Whether the overlay gets the sound of the source.

    Attributes:
        messages: What the user should know about the overlay.

    Raises:
        OutputError: The ending is not that of a video, or the file cannot be written.
    """

    def __init__(self, path: Path, info: VideoInfo, painter: Painter, *, every: int, sound: bool = False) -> None:
        self.messages: tuple[str, ...] = ()
        holds = every > 1 and info.path is not None and painter.heads is None
        fps = (info.average_fps or _FALLBACK_FPS) / (1 if holds else every)
        self._writer = self._create_writer(path, info, fps, sound=sound)
        self._painter = painter
        self._info = info
        self._every = every
        self._holds = holds
        self._between: VideoReader | None = None
        self._waiting: VideoFrame | None = None  # the next frame of that reader
        self._held: Frame | None = None
        self._size = info.width, info.height
        self._start_s: float | None = None
        self._last_s = 0.0
        self._n_gaps_shown = 0

    def write(self, frame: Frame) -> None:
        """Draw the faces and append the frame.

        Raises:
            OutputError: The disk is full or the file cannot be written.
        """
        if frame.image is None:
            return
        if self._start_s is None:
            self._start_s = frame.time_s  # an overlay of a later part must not begin with minutes of nothing
            self._writer.begin_sound(self._info.start_offset_s + frame.time_s)
            self._open_between(frame.time_s)
        self._hold(frame.index)
        self._held = replace(frame, image=None)
        self._paint(frame.image, frame)

    def _paint(self, image: Image, frame: Frame) -> None:
        self._writer.write(self._painter(image, frame), frame.time_s - (self._start_s or 0.0))
        self._last_s = frame.time_s

    def _open_between(self, start_s: float) -> None:
        if not self._holds or self._info.path is None:
            return
        try:
            self._between = open_video(self._info.path, start_s=start_s)
        except InputError as error:
            self.messages += (f"the overlay shows only the analysed frames: {error}",)

    def _hold(self, until_index: int, until_s: float = float("inf")) -> None:
        """Shows the frames after the last one that was analysed, with its values.

        Args:
            until_index: Index of the first frame that is not shown.
            until_s: Time from which no frame is shown.
        """
        held = self._held
        if self._between is None or held is None:
            return
        while True:
            frame = self._waiting or next(iter(self._between), None)
            self._waiting = frame
            if frame is None or frame.index >= until_index or frame.time_s >= until_s:
                return
            self._waiting = None
            if held.index < frame.index < held.index + self._every:
                self._paint(frame.image, replace(held, index=frame.index, time_s=frame.time_s))

    def _create_writer(self, path: Path, info: VideoInfo, fps: float, *, sound: bool) -> VideoWriter:
        create = partial(VideoWriter, path, info.width, info.height, fps=fps)
        if not sound or info.path is None:
            self.messages = ("the overlay has no sound: only that of files is kept",) if sound else ()
            return create()
        try:
            return create(sound_of=info.path)
        except InputError as error:
            self.messages = (f"the overlay has no sound: {error}",)
            return create()

    def show_gaps(self, gaps: Sequence[FrameGap], until_s: float) -> None:
        """Write a blank image where each gap begins; the next frame ends it. See `Overlay.show_gaps`.

        Raises:
            OutputError: The disk is full or the file cannot be written.
        """
        for gap in gaps[self._n_gaps_shown :]:
            if gap.from_s >= until_s:
                return
            self._n_gaps_shown += 1
            if self._held is not None:
                self._hold(self._held.index + self._every, gap.from_s)
                self._held = None  # what happens in a gap is not known
            if self._start_s is None or gap.from_s <= self._last_s:
                continue  # before the range of this overlay
            blank = blank_frame(*self._size, f"no picture: {gap.from_s:.1f} to {gap.to_s:.1f} s are lost")
            self._writer.write(blank, gap.from_s - self._start_s)
            if until_s == float("inf"):
                self._writer.write(blank, gap.to_s - self._start_s)

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with deferred_interrupts():  # a second Ctrl-C must not cost the frames that the first one leaves
            try:
                if kind is None and self._held is not None:
                    self._hold(self._held.index + self._every)
            finally:
                if self._between is not None:
                    self._between.close()
                self._writer.__exit__(kind, error, trace)


class SmoothedOverlay:
    """An overlay that shows smoothed values; frames wait until those of their window have come.

    Args:
        overlay: Overlay that draws the frames.
        smoother: Smooths the values of their faces.
    """

    def __init__(self, overlay: Overlay, smoother: FrameSmoother) -> None:
        self._overlay = overlay
        self._smoother = smoother
        self._gaps: Sequence[FrameGap] = ()

    @property
    def messages(self) -> tuple[str, ...]:
        """What the user should know about the overlay."""
        return self._overlay.messages

    def write(self, frame: Frame) -> None:
        """Take a frame, and draw those whose windows are complete.

        Raises:
            OutputError: The disk is full or the file cannot be written.
        """
        self._smoother.add(frame)
        while self._smoother.ready():
            self._draw(self._smoother.take())

    def show_gaps(self, gaps: Sequence[FrameGap], until_s: float) -> None:
        """Keep the gaps for the frames that wait; after the last frame, draw the rest. See `Overlay.show_gaps`."""
        self._gaps = gaps
        if until_s == float("inf"):
            self._finish()
            self._overlay.show_gaps(gaps, until_s)

    def _draw(self, frame: Frame) -> None:
        self._overlay.show_gaps(self._gaps, frame.time_s)
        self._overlay.write(frame)

    def _finish(self) -> None:
        for frame in self._smoother.rest():
            self._draw(frame)

    def __enter__(self) -> Self:
        self._overlay.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with deferred_interrupts():  # the frames that wait were read and are part of the overlay
            try:
                if kind is None or not issubclass(kind, OutputError):
                    self._finish()
            finally:
                self._overlay.__exit__(kind, error, trace)


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Settings of the overlay of a run.

    Attributes:
        path: Path of the image or video.
        anonymous: Whether all faces are made unrecognisable, also those that were not chosen.
        choice: Faces whose results are drawn.
        sound: Whether a video gets the sound of its source.
    """

    path: Path
    anonymous: bool
    choice: FaceSelector = _ALL_FACES
    sound: bool = False

    @classmethod
    def of(cls, outputs: Outputs, choice: FaceSelector = _ALL_FACES) -> Drawing | None:
        """The overlay of a run's outputs; None without one."""
        if outputs.overlay is None:
            return None
        return cls(path=Path(outputs.overlay), anonymous=outputs.anonymous, choice=choice, sound=outputs.sound)

    def check(self, media: MediaInput) -> None:
        """Refuse an overlay that cannot be written, before any work is done.

        Raises:
            ConfigError: The ending does not fit the input, or the overlay would replace the input.
        """
        kind = "image" if media.kind == "image" else "video"
        endings = SAVE_SUFFIXES if kind == "image" else VIDEO_SAVE_SUFFIXES
        if self.path.suffix.lower() not in endings:
            article = "an" if media.kind == "image" else "a"
            known = ", ".join(sorted(endings))
            raise ConfigError(
                f"{self.path}: the overlay of {article} {media.kind} is {article} {kind}; name it one of {known}"
            )
        if media.path is not None and self.path.exists() and self.path.samefile(media.path):
            raise ConfigError(f"{self.path}: the overlay would replace the input; choose another name")

    def open(self, info: VideoInfo | None, every: int, thresholds: Mapping[str, float], *, note: str = "") -> Overlay:
        """An overlay for a video, or for an image if there is no ``info``. Missing folders are created.

        Args:
            info: Facts about the video; None for an image.
            every: Stride of the frames that will come.
            thresholds: Action unit -> probability from which it counts as present.
            note: Note under the time of a video, which says how values were smoothed; empty for raw ones.

        Raises:
            OutputError: The file cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror}); choose another place") from error
        heads = RecentHeads() if self.anonymous else None
        painter = Painter(
            choice=self.choice, heads=heads, thresholds=thresholds, shows_time=info is not None, note=note
        )
        if info is None:
            return ImageOverlay(self.path, painter)
        return VideoOverlay(self.path, info, painter, every=every, sound=self.sound)
