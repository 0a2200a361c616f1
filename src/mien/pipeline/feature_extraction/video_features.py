# SPDX-License-Identifier: Apache-2.0
"""Extracts vectors of videos, photos and sound; faces are found, tracked and aligned as in `mien analyze`."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer, AudioEncoder
from mien.core import InputError, VideoOptions
from mien.evaluation import sound_rows
from mien.media import MediaInput, audio_blocks, load_image, open_video
from mien.pipeline.feature_extraction.feature_source import FaceVectors, FeatureSource
from mien.pipeline.media_run import n_frames_expected
from mien.pipeline.plan import find_all
from mien.results import FeatureArrays, FeatureInfo, FrameVectors, InputFailure


class VideoExtractor:
    """An `Extractor` of videos and photos.

    Args:
        analyzer: Finds the faces and gives their vectors.
        float16: Whether vectors are stored in half precision.
        video: Frames of videos to use.
        settings: Settings of the analyzer, for the shards.
    """

    def __init__(self, analyzer: Analyzer, *, float16: bool, video: VideoOptions, settings: dict[str, object]) -> None:
        self._analyzer = analyzer
        self._faces = FaceVectors.of(analyzer.video_bundle)
        self._video = video
        self._kinds: dict[Path, MediaInput] = {}
        self.info: FeatureInfo = self._faces.info(
            analyzer.bundle_digest, float16=float16, settings={"crops": False, "every": video.every, **settings}
        )

    def find(self, inputs: Sequence[str]) -> tuple[list[FeatureSource], list[InputFailure]]:
        """Files of names, folders and patterns; a camera is refused, since its frames are gone after a crash."""
        files, failures = find_all(inputs)
        found = [media for media in files.values() if media.path is not None]
        reason = "features are extracted from files; record the camera first"
        cameras = [media for media in files.values() if media.path is None]
        failures += [InputFailure(path=media.name, reason=f"{media.name}: {reason}") for media in cameras]
        sources = [FeatureSource(media.name, media.path) for media in found if media.path is not None]
        self._kinds = {media.path: media for media in found if media.path is not None}
        return sources, failures

    def open(self, source: FeatureSource, after: int) -> ImageVectors | VideoVectors:
        """Open a file. A video is tracked from its start, since tracks depend on all frames before."""
        if self._kinds[source.path].kind == "image":
            return ImageVectors(self._analyzer, self._faces, source)
        return VideoVectors(self._analyzer, self._faces, source, self._video, after)


class ImageVectors:
    """A `VectorRun` of a photo, which is one frame."""

    n_expected: int | None = 1
    messages: tuple[str, ...] = ()

    def __init__(self, analyzer: Analyzer, faces: FaceVectors, source: FeatureSource) -> None:
        self._analyzer = analyzer
        self._faces = faces
        self._source = source
        self.n_frames = 0

    def vectors(self) -> Generator[FrameVectors, None, None]:
        """The frame."""
        raw = self._analyzer.raw_image(load_image(self._source.path))
        self.n_frames = 1
        yield self._faces.frame(raw.outputs, source=self._source.name, frame=0, time_s=0.0, tracks=raw.track_ids)


class VideoVectors:
    """A `VectorRun` of a video."""

    def __init__(
        self, analyzer: Analyzer, faces: FaceVectors, source: FeatureSource, video: VideoOptions, after: int
    ) -> None:
        self._analyzer = analyzer
        self._faces = faces
        self._source = source
        self._video = video
        self._after = after
        self.n_expected: int | None = None
        self.n_frames = 0
        self.messages: tuple[str, ...] = ()

    def vectors(self) -> Generator[FrameVectors, None, None]:
        """The frames; those up to ``after`` are tracked but not given."""
        with open_video(self._source.path, every=self._video.every) as video:
            self.n_expected = n_frames_expected(self._video, video.info)
            try:
                with closing(self._analyzer.raw_frames(video)) as frames:
                    for raw in frames:
                        self.n_frames += 1
                        if raw.index > self._after:
                            yield self._faces.frame(
                                raw.outputs,
                                source=self._source.name,
                                frame=raw.index,
                                time_s=raw.time_s,
                                tracks=raw.track_ids,
                            )
            finally:
                self.messages = video.report.messages
            lost = video.report
            if lost.n_lost or not lost.complete:
                n_frames = lost.n_decoded + lost.n_lost
                raise InputError(f"{self._source.name}: {lost.n_lost} of {n_frames} frames are lost; copy it again")


class SoundExtractor:
    """An `Extractor` of the sound of files; a frame is a step of the encoder.

    Args:
        encoder: Encoder that gives the vectors.
        float16: Whether vectors are stored in half precision.
    """

    def __init__(self, encoder: AudioEncoder, *, float16: bool) -> None:
        self._encoder = encoder
        self.info = FeatureInfo(
            made_by=encoder.name,
            digest=encoder.digest,
            n_features=encoder.n_features,
            dtype="float16" if float16 else "float32",
            settings={"audio": True},
        )

    def find(self, inputs: Sequence[str]) -> tuple[list[FeatureSource], list[InputFailure]]:
        """Files of names, folders and patterns; a sound file must be named itself."""
        files, failures = find_all(inputs)
        found = []
        for media in files.values():
            if media.kind == "video" and media.path is not None:
                found.append(FeatureSource(media.name, media.path))
            else:
                failures.append(InputFailure(path=media.name, reason=f"{media.name}: has no sound; name videos"))
        return found, failures

    def open(self, source: FeatureSource, after: int) -> SoundVectors:
        """Open a file. It is encoded from its start, since blocks depend on those before."""
        return SoundVectors(self._encoder, source, after)


class SoundVectors:
    """A `VectorRun` of the sound of one file."""

    n_expected: int | None = None

    def __init__(self, encoder: AudioEncoder, source: FeatureSource, after: int) -> None:
        self._encoder = encoder
        self._source = source
        self._after = after
        self.n_frames = 0

    @property
    def messages(self) -> tuple[str, ...]:
        """A sentence where the sound is too short."""
        return () if self.n_frames else ("its sound is too short for a single step",)

    def vectors(self) -> Generator[FrameVectors, None, None]:
        """One step at a time; those up to ``after`` are not given."""
        blank = np.empty((1, 0), np.float32)
        with closing(audio_blocks(self._source.path)) as blocks:
            for times_s, vectors in self._encoder.encode(blocks):
                for time_s, vector in zip(times_s, vectors, strict=True):
                    step, self.n_frames = self.n_frames, self.n_frames + 1
                    if step > self._after:
                        yield FrameVectors(
                            source=self._source.name,
                            frame=step,
                            time_s=float(time_s),
                            tracks=np.array([-1], np.int64),
                            features=vector[None],
                            scores=blank,
                        )


def sound_of_frames(sound: FeatureArrays, track: str, n_frames: int) -> npt.NDArray[np.floating]:
    """Vector of the sound for each frame of a video; tracks of one video (``X``, ``X_left``, ``X_right``) share it.

    Args:
        sound: Vectors of an extraction of sound; a source is recognised by its file name without ending.
        track: Name of a track or a video.
        n_frames: Number of frames of the video, not of the track.

    Returns:
        (n_frames, D).

    Raises:
        InputError: There is no sound of that video, or sound of several videos of one name.
    """
    chosen: npt.NDArray[np.floating] = sound.features[sound_rows(sound, track, n_frames)]
    return chosen
