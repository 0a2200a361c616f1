# SPDX-License-Identifier: Apache-2.0
"""Videos and photos to vectors: faces are found, followed and aligned as `mien analyze` does it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from mien.affect import Analyzer
from mien.core import InputError
from mien.media import MediaInput, find_inputs, load_image, open_video
from mien.pipeline.features_source import FaceVectors, FeatureSource
from mien.pipeline.sources import Selection
from mien.results import FeatureInfo, FrameVectors, InputFailure


class VideoExtractor:
    """An `Extractor` of everything that may show faces.

    Args:
        analyzer: finds the faces and makes the vectors.
        float16: whether they are halved.
        every: take each n-th frame of videos only.
        settings: of the analyzer, for the shards.
    """

    def __init__(self, analyzer: Analyzer, *, float16: bool, every: int, settings: dict[str, object]) -> None:
        self._analyzer = analyzer
        self._faces = FaceVectors.of(analyzer.bundle)
        self._selection = Selection(every=every)
        self._kinds: dict[Path, MediaInput] = {}
        self.info: FeatureInfo = self._faces.info(
            analyzer.bundle_digest, float16=float16, settings={"crops": False, "every": every, **settings}
        )

    def find(self, inputs: Sequence[str]) -> tuple[list[FeatureSource], list[InputFailure]]:
        """Files, folders and patterns; a camera has no frames that could be read again after a kill."""
        failures: list[InputFailure] = []
        found: dict[Path, MediaInput] = {}
        for name in inputs:
            try:
                for media in find_inputs([name]):
                    if media.path is None:
                        raise InputError(f"{media.name}: features are extracted from files; record the camera first")
                    found.setdefault(media.path.resolve(), media)
            except InputError as error:
                failures.append(InputFailure(path=name, reason=str(error)))
        sources = [FeatureSource(media.name, media.path) for media in found.values() if media.path is not None]
        self._kinds = {media.path: media for media in found.values() if media.path is not None}
        return sources, failures

    def read(self, source: FeatureSource, after: int) -> ImageVectors | VideoVectors:
        """Begin with a file. A video is followed from its start, since its tracks depend on all that came before."""
        if self._kinds[source.path].kind == "image":
            return ImageVectors(self._analyzer, self._faces, source)
        return VideoVectors(self._analyzer, self._faces, source, self._selection, after)


class ImageVectors:
    """A photo: one frame; see `VectorReading`."""

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
    """A video; see `VectorReading`."""

    def __init__(
        self, analyzer: Analyzer, faces: FaceVectors, source: FeatureSource, selection: Selection, after: int
    ) -> None:
        self._analyzer = analyzer
        self._faces = faces
        self._source = source
        self._selection = selection
        self._after = after
        self.n_expected: int | None = None
        self.n_frames = 0
        self.messages: tuple[str, ...] = ()

    def vectors(self) -> Generator[FrameVectors, None, None]:
        """The frames; those up to ``after`` are followed but not given out."""
        with open_video(self._source.path, every=self._selection.every) as video:
            self.n_expected = self._selection.n_expected(video.info)
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
