# SPDX-License-Identifier: Apache-2.0
"""The sound of films to vectors over time, and the vectors of a film's frames."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing

import numpy as np
import numpy.typing as npt

from mien.affect import AudioEncoder, align_audio
from mien.core import InputError
from mien.datasets import base_video
from mien.media import audio_blocks, find_inputs
from mien.pipeline.features_source import FeatureSource
from mien.results import FeatureArrays, FeatureInfo, FrameVectors, InputFailure


class SoundExtractor:
    """An `Extractor` of the sound of files; a frame is a step of the encoder.

    Args:
        encoder: makes the vectors.
        float16: whether they are halved.
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
        """Files, folders and patterns; a sound file must be named itself."""
        failures: list[InputFailure] = []
        found: dict[object, FeatureSource] = {}
        for name in inputs:
            try:
                for media in find_inputs([name]):
                    if media.kind != "video" or media.path is None:
                        raise InputError(f"{media.name}: has no sound; name films")
                    found.setdefault(media.path.resolve(), FeatureSource(media.name, media.path))
            except InputError as error:
                failures.append(InputFailure(path=name, reason=str(error)))
        return list(found.values()), failures

    def read(self, source: FeatureSource, after: int) -> SoundVectors:
        """Begin with a file. It is encoded from its start, since blocks depend on those before."""
        return SoundVectors(self._encoder, source, after)


class SoundVectors:
    """One file; see `VectorReading`."""

    n_expected: int | None = None

    def __init__(self, encoder: AudioEncoder, source: FeatureSource, after: int) -> None:
        self._encoder = encoder
        self._source = source
        self._after = after
        self.n_frames = 0

    @property
    def messages(self) -> tuple[str, ...]:
        """Whether the sound is too short."""
        return () if self.n_frames else ("its sound is too short for a single step",)

    def vectors(self) -> Generator[FrameVectors, None, None]:
        """One step at a time; those up to ``after`` are not given out."""
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
    """The vector of sound for each frame of a video; tracks of one video (``X``, ``X_left``, ``X_right``) share it.

    Args:
        sound: of an extraction of sound; a source is recognised by its file name without ending.
        track: name of a track or a video.
        n_frames: of the video, not of the track.

    Returns:
        (n_frames, D).

    Raises:
        InputError: there is no sound of that video, or of several of one name.
    """
    wanted = base_video(track)
    names = [name for name in sound.sources if _stem(name) == wanted]
    if len(names) != 1:
        raise InputError(f"{track}: {len(names)} sources are called {wanted}; there must be one with sound")
    rows = sound.rows_of(names[0])
    chosen: npt.NDArray[np.floating] = sound.features[rows[align_audio(len(rows), n_frames)]]
    return chosen


def _stem(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
