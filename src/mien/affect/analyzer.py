# SPDX-License-Identifier: Apache-2.0
"""`Analyzer`: images, crops and videos in, `Faces` out."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.affect.adaptive import AdaptiveRate
from mien.affect.inference_stage import (
    AffectInference,
    AlignedFaces,
    Decoder,
    DetectedFrame,
    RawFrame,
    cut_faces,
    fit_crop,
    raw_outputs,
)
from mien.affect.temporal.frame_smoothing import smooth_frames
from mien.affect.temporal.smoothing import Smoothing
from mien.core import (
    DEFAULT_BUNDLE,
    AnalyzerConfig,
    ConfigError,
    Faces,
    FaceSelector,
    Frame,
    InputError,
    ModelSpec,
    with_shortcuts,
)
from mien.faces import (
    Detections,
    FaceDetector,
    FaceFollower,
    LandmarkNet,
    create_detector,
    create_landmark_model,
    load_quality_model,
    parse_detector,
    quality_signals,
    refine_landmarks,
)
from mien.faces.detector import N_KEYPOINTS, N_LANDMARKS
from mien.inference import Bundle, load_bundle, usable_cores
from mien.jobs import batched, map_in_order, prefetch
from mien.media import VideoFrame, as_rgb, load_image, open_video

_lock = threading.Lock()
_n_inside = 0
_n_threads = 0


@contextmanager
def opencv_on_one_thread() -> Iterator[None]:
    """Have OpenCV work in the thread that calls it, in the whole process, until the last one has left.

    Its helpers wait for the next small picture by spinning, and take the cores from the nets meanwhile.
    """
    global _n_inside, _n_threads
    with _lock:
        if not _n_inside:
            _n_threads = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _n_inside += 1
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            if not _n_inside:
                cv2.setNumThreads(_n_threads)


Image = npt.NDArray[np.uint8]

# Long side of the copy that the detector sees. On it a face needs 20 px.
_STILL_SIDE_PX, _MOVING_SIDE_PX = 1280, 640

# Frames whose faces go through the affect net together: more are no faster.
_FRAMES_A_BATCH = 8
# Batches that are worked on at a time, where there are cores for them: each holds its frames.
_MOST_BATCHES = 4
# Frames that may wait between two stages. Decoded ones hold their pixels; found faces are small, and enough of them
# keep the affect net busy while the detector searches a whole frame.
_DECODED_WAITING = 4
_FOUND_WAITING = 12


class Analyzer:
    """Predicts the affect of every face in images, crops and videos. Works offline with the models in the wheel.

    Args:
        model: Name of a bundle, path of its folder, or an `AnalyzerConfig` with this and the other options.
        features: Whether results carry the embedding of each face.
        **shortcuts: Fields of `AnalyzerConfig`, such as ``threads=1``. ``detector`` and ``landmark_model`` may also be
            objects with the methods of `mien.faces.FaceDetector` and `mien.faces.LandmarkModel`.

    Raises:
        ConfigError: An option is out of range or names something unknown.
        ModelError: A model is missing, damaged or of an unknown version.
        MissingExtraError: The runtime is not installed.
        TypeError: `AnalyzerConfig` has no field of that name.
    """

    def __init__(
        self, model: str | Path | AnalyzerConfig = DEFAULT_BUNDLE, *, features: bool = False, **shortcuts: Any
    ) -> None:
        given = model if isinstance(model, AnalyzerConfig) else AnalyzerConfig(model=model)
        (config,) = with_shortcuts(shortcuts, given)
        self._config = config
        self._choice = FaceSelector.for_media(config.faces)
        self._bundle = load_bundle(config.model, runtime=config.runtime, threads=config.threads)
        self._decoder = Decoder(self._bundle.spec, keep_features=features)
        self._reader = create_landmark_model(config.landmark_model, runtime=config.runtime)
        self._affect_inference = AffectInference(decoder=self._decoder, min_quality=config.min_quality)
        # Errors come now and not at the first image: an unknown name, a bad file, an object that cannot detect.
        if not isinstance(config.detector, str) or parse_detector(config.detector)[1]:
            self._create_detector(_MOVING_SIDE_PX)

    @property
    def config(self) -> AnalyzerConfig:
        """The options that the analyzer was made with."""
        return self._config

    @cached_property
    def _still_detector(self) -> FaceDetector:
        """Finds faces in photos, where small ones in a crowd count."""
        return self._create_detector(_STILL_SIDE_PX)

    @cached_property
    def _moving_detector(self) -> FaceDetector:
        """Finds faces in videos, where speed counts."""
        return self._create_detector(_MOVING_SIDE_PX)

    def _create_detector(self, max_side_px: int) -> FaceDetector:
        if not isinstance(self._config.detector, str):
            return create_detector(self._config.detector)
        name, model = parse_detector(self._config.detector)
        threads = {} if model else {"threads": self._config.threads}  # OpenCV runs a model of the user's
        return create_detector(name, max_side_px=max_side_px, **model, **threads)

    @cached_property
    def _moving_bundle(self) -> Bundle:
        """For videos, one thread to a batch: threads with batches of their own do not wait for each other."""
        if self._config.threads == 1:
            return self._bundle
        return load_bundle(self._bundle.folder, runtime=self._config.runtime, threads=1)

    @property
    def spec(self) -> ModelSpec:
        """What the bundle says of itself: labels, units, thresholds, what it was taught by."""
        return self._bundle.spec

    @property
    def bundle(self) -> Bundle:
        """The model itself."""
        return self._bundle

    @property
    def bundle_digest(self) -> str:
        """SHA-256 that stands for the bundle's description and weights."""
        return self._bundle.digest

    @property
    def landmark_bundle(self) -> Bundle | None:
        """The landmark net; None where nobody or an object of the caller's reads points."""
        return self._reader.bundle if isinstance(self._reader, LandmarkNet) else None

    @property
    def n_landmarks(self) -> int:
        """Number of points of each face that a table keeps: 68 landmarks, or 5 keypoints without a landmark model."""
        return N_KEYPOINTS if self._reader is None else N_LANDMARKS

    @property
    def expression_labels(self) -> tuple[str, ...]:
        """Labels of ``Faces.expression``."""
        return self._decoder.expression_labels

    @property
    def action_unit_labels(self) -> tuple[str, ...]:
        """Labels of ``Faces.action_units``."""
        return self._decoder.action_unit_labels

    def image(self, image: str | os.PathLike[str] | Any) -> Faces:
        """All faces of one image.

        Args:
            image: a path, an (H, W, 3) uint8 RGB array, an (H, W) gray one, or a PIL image.

        Returns:
            N >= 0 faces; boxes and landmarks in pixels of the upright image.

        Raises:
            InputError: the image cannot be read or is no image, or a track is wanted, of which an image has none.
        """
        self._choice.check_photo(os.fspath(image) if isinstance(image, (str, os.PathLike)) else "the image")
        pixels = load_image(image) if isinstance(image, (str, os.PathLike)) else as_rgb(image)
        return self._affect_inference.faces([self._found(pixels, self._detected(pixels))], self._bundle)[0]

    def crops(self, images: Sequence[Any]) -> Faces:
        """Faces that are already cropped: each image is one face and is looked at as it stands.

        No detection and no alignment take place; crops that frame the face from the brow to the chin with little
        around it fit the default bundle best.

        Args:
            images: paths, arrays (H, W, 3) RGB or (H, W) gray uint8, or PIL images, of any sizes.

        Returns:
            As many faces as images, in order; ``boxes`` cover the whole image, ``confidence`` is NaN.

        Raises:
            InputError: an image cannot be read; the message says which. Or a single image was given instead of a list.
        """
        if isinstance(images, (str, os.PathLike)) or (
            isinstance(images, np.ndarray) and (images.ndim < 3 or (images.ndim == 3 and images.shape[2] in (1, 3, 4)))
        ):
            raise InputError("crops takes a list of images, each of one face; for a single one write crops([image])")
        cut, boxes = [], []
        for index, image in enumerate(images):
            named = f"crop {index}"
            pixels = load_image(image) if isinstance(image, (str, os.PathLike)) else as_rgb(image, name=named)
            cut.append(fit_crop(pixels, self.spec))
            boxes.append((0, 0, pixels.shape[1], pixels.shape[0]))
        if not cut:
            return Faces.empty(self.expression_labels, self.action_unit_labels)
        return Faces(boxes=np.asarray(boxes, np.float32), **self._decoder(self._bundle.run(np.stack(cut))))

    def video(
        self,
        path: str | os.PathLike[str],
        *,
        start_s: float | None = None,
        stop_s: float | None = None,
        every: int = 1,
        images: bool = False,
        smooth: Smoothing | str | None = None,
        adaptive: AdaptiveRate | str | None = None,
    ) -> Generator[Frame, None, None]:
        """The frames of a video with their faces, one by one, in bounded memory.

        Args:
            path: of the video.
            start_s: leave out what is shown before.
            stop_s: leave out what is shown from here on.
            every: analyse each n-th frame only.
            images: whether the frames carry their pixels.
            smooth: half-widths in frames, such as ``"expr=50,va=50,au=3"``. The windows reach ahead, so a frame comes
                as many frames late, and up to a second more where its face is lost; with ``images`` the pixels of
                those frames are held too. ``"va=50,causal=true"`` uses no later frame and delays nothing;
                ``"bundle"`` is what the bundle names.
            adaptive: such as ``"25,5,1"``: read sure stretches of a track in few frames and interpolate between them,
                see `AdaptiveRate`. Faces are found and followed in every frame all the same.

        Yields:
            Every analysed frame in order, also those without a face. ``track_ids`` stay with a face through short
            losses and end at cuts.

        Raises:
            ConfigError: ``smooth`` or ``adaptive`` has an unknown setting, or the bundle names none.
            InputError: the video cannot be opened, or nothing of it can be decoded.
        """
        settings, rate = Smoothing.of(smooth, self.spec), AdaptiveRate.of(adaptive)
        with open_video(path, start_s=start_s, stop_s=stop_s, every=every) as frames:
            yield from self.frames(frames, images=images, smooth=settings, adaptive=rate)

    def frames(
        self,
        frames: Iterable[VideoFrame],
        *,
        images: bool = False,
        live: bool = False,
        smooth: Smoothing | str | None = None,
        adaptive: AdaptiveRate | str | None = None,
    ) -> Generator[Frame, None, None]:
        """The same for frames from anywhere: a camera, or a video that the caller has opened.

        Reading, finding faces and the affect net overlap in three threads; order and timestamps are kept.

        Args:
            frames: in order.
            images: whether the frames carry their pixels.
            live: answer each frame before the next is asked for, so that none is old by the time of its answer. That
                is slower over all: nothing overlaps.
            smooth: as `video` takes it; only causal settings suit what is live.
            adaptive: as `video` takes it.

        Raises:
            ConfigError: what is live cannot have an adaptive rate, which looks ahead.
        """
        settings, rate = Smoothing.of(smooth, self.spec), AdaptiveRate.of(adaptive)
        if live and rate is not None:
            raise ConfigError("an adaptive rate looks ahead; leave it out, or take every n-th frame of what is live")
        with closing(self._analyzed(frames, images=images, live=live, rate=rate)) as analyzed:
            yield from analyzed if settings is None else smooth_frames(analyzed, settings)

    def _analyzed(
        self, frames: Iterable[VideoFrame], *, images: bool, live: bool, rate: AdaptiveRate | None
    ) -> Generator[Frame, None, None]:
        size = _FRAMES_A_BATCH if rate is None else rate.strides[0]
        bundle = self._bundle if live else self._moving_bundle

        def read(batch: Sequence[DetectedFrame]) -> list[Frame]:
            faces = self._affect_inference.faces([one.found for one in batch], bundle, rate)
            return [
                Frame(index=one.index, time_s=one.time_s, faces=own, image=one.image)
                for one, own in zip(batch, faces, strict=True)
            ]

        with (
            closing(self._in_batches(frames, images=images, live=live, size=size)) as seen,
            closing(map_in_order(seen, read, 1 if live else self._n_workers)) as answered,
        ):
            for batch in answered:
                yield from batch

    @property
    def _n_workers(self) -> int:
        """Batches to work on at a time."""
        return min(self._config.threads or usable_cores(), _MOST_BATCHES)

    def _in_batches(
        self, frames: Iterable[VideoFrame], *, images: bool, live: bool, size: int = _FRAMES_A_BATCH
    ) -> Generator[list[DetectedFrame], None, None]:
        """Frames with their faces; while they are worked on, one thread decodes and another looks for faces."""
        if live:
            with opencv_on_one_thread(), closing(self._follow(frames, images=images)) as followed:
                yield from ([one] for one in followed)
            return
        with (
            opencv_on_one_thread(),
            closing(prefetch(frames, _DECODED_WAITING)) as decoded,
            closing(prefetch(self._follow(decoded, images=images), _FOUND_WAITING)) as followed,
        ):
            yield from batched(followed, size)

    def raw_image(self, image: Image) -> RawFrame:
        """The bare outputs of the net for the faces of an (H, W, 3) RGB image."""
        found = self._found(image, self._detected(image))
        return RawFrame(index=0, time_s=0.0, track_ids=found.track_ids, outputs=raw_outputs([found], self._bundle)[0])

    def raw_frames(self, frames: Iterable[VideoFrame]) -> Generator[RawFrame, None, None]:
        """The bare outputs of the net for the same frames: what heads are trained on."""

        def read(batch: Sequence[DetectedFrame]) -> list[RawFrame]:
            outputs = raw_outputs([one.found for one in batch], self._moving_bundle)
            return [
                RawFrame(index=one.index, time_s=one.time_s, track_ids=one.found.track_ids, outputs=own)
                for one, own in zip(batch, outputs, strict=True)
            ]

        with (
            closing(self._in_batches(frames, images=False, live=False)) as seen,
            closing(map_in_order(seen, read, self._n_workers)) as answered,
        ):
            for batch in answered:
                yield from batch

    def _follow(self, frames: Iterable[VideoFrame], *, images: bool) -> Generator[DetectedFrame, None, None]:
        follower = FaceFollower(self._moving_detector, self._reader)
        in_gray = self.spec.input.colour == "gray"
        for frame in frames:
            detections, track_ids = follower.follow(frame)
            found = self._found(frame.gray if in_gray else frame.image, detections, track_ids)
            yield DetectedFrame(frame.index, frame.time_s, found, frame.image if images else None)

    def _detected(self, image: Image) -> Detections:
        """The faces of a photo."""
        found = self._still_detector.detect(image)
        return found if self._reader is None else refine_landmarks(self._reader, image, found)

    def _found(
        self, image: Image, detections: Detections, track_ids: npt.NDArray[np.int64] | None = None
    ) -> AlignedFaces:
        """The faces that were asked for, and their crops as the bundle wants them."""
        if track_ids is None:
            track_ids = np.full(len(detections), -1, dtype=np.int64)
        wanted = self._choice.rows(detections.boxes, track_ids)
        if len(wanted) < len(detections):
            detections, track_ids = detections[wanted], track_ids[wanted]
        crops = cut_faces(image, detections, self.spec)
        quality = load_quality_model()(quality_signals(image.shape[:2], detections, crops))
        return AlignedFaces(detections, track_ids, crops, quality)
