# SPDX-License-Identifier: Apache-2.0
"""`Analyzer`: the affect of the faces in images, crops and videos."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from functools import cached_property, partial
from itertools import starmap
from pathlib import Path
from typing import Any, get_args

import numpy as np

from mien.affect.adaptation.corrections import load_adaptation
from mien.affect.adaptive import AdaptiveRate
from mien.affect.colour_order import ColourOrderCheck
from mien.affect.geometry import GeometryModel, create_geometry_share
from mien.affect.inference_stage import (
    AffectInference,
    AlignedFaces,
    Decoder,
    DetectedFrame,
    RawFrame,
    aligned_faces,
    cut_faces,
    given_crop,
    raw_frames,
    read_crop,
)
from mien.affect.opencv_threads import opencv_on_one_thread
from mien.affect.temporal.frame_smoothing import smooth_frames
from mien.affect.temporal.smoothing import Smoothing
from mien.core import (
    DEFAULT_BUNDLE,
    AnalyzerConfig,
    ConfigError,
    CropReading,
    Faces,
    FaceSelector,
    Frame,
    Image,
    InputError,
    Int64,
    ModelError,
    ModelSpec,
    UncertaintySpec,
    numbers_from_left,
    with_shortcuts,
)
from mien.faces import (
    N_KEYPOINTS,
    N_LANDMARKS,
    Detections,
    FaceDetector,
    FaceFollower,
    LandmarkNet,
    QualityModel,
    create_detector,
    create_landmark_model,
    is_dark,
    parse_detector,
    refine_landmarks,
    search_photo,
    sides,
)
from mien.inference import Bundle, open_bundle, usable_cores
from mien.jobs import batched, map_in_order, prefetch
from mien.media import VideoFrame, is_address, open_address, open_camera, open_video, read_image, read_picture

# Long side of the copy that the detector searches. On it a face needs 20 px.
_STILL_SIDE_PX, _MOVING_SIDE_PX = 1280, 640
# A JPEG is decoded to no less than this longer side, and with all pixels if a face would have fewer than this.
_REDUCED_SIDE_PX, _ENOUGH_FACE_PX = 1600, 110

# Frames whose faces go through the affect network together: more are no faster.
_FRAMES_PER_BATCH = 8
# Images whose faces go through the affect network together, which hold their crops and not their pixels.
_IMAGES_PER_BATCH = 16
# Batches that are processed at the same time, where there are cores for them: each holds its frames.
_MAX_BATCHES = 4
# Frames that may wait between two stages. Decoded ones hold their pixels; enough found faces keep the network busy.
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
        ConfigError: An option is out of range or names something unknown, or ``min_quality`` is set for a bundle
            without a quality model.
        ModelError: A model is missing, damaged, of an unknown version or of another kind.
        MissingExtraError: The runtime is not installed.
        TypeError: `AnalyzerConfig` has no field of that name.

    Examples:
        >>> analyzer = Analyzer(threads=1)
        >>> faces = analyzer.image(np.zeros((90, 120, 3), np.uint8))
        >>> len(faces), faces.expression.shape
        (0, (0, 8))
    """

    def __init__(
        self, model: str | Path | AnalyzerConfig = DEFAULT_BUNDLE, *, features: bool = False, **shortcuts: Any
    ) -> None:
        given = model if isinstance(model, AnalyzerConfig) else AnalyzerConfig(model=model)
        (config,) = with_shortcuts(shortcuts, given)
        self._config = config
        self._choice = FaceSelector.for_media(config.faces)
        self._files = open_bundle(config.model, kind="affect", runtime=config.runtime, threads=config.threads)
        spec = self._files.spec
        if spec.smoothing:
            try:
                Smoothing.of(spec.smoothing)
            except ConfigError as error:
                raise ModelError(f"{self._files.folder}: model.json: smoothing: {error}") from error
        if config.min_quality > 0 and spec.quality is None:
            raise ConfigError(
                f"min_quality={config.min_quality:g} needs a quality model, and the bundle {spec.name} has none; "
                "leave min_quality out"
            )
        self._quality_model = None if spec.quality is None else QualityModel(spec.quality)
        adaptation = None if config.adapt is None else load_adaptation(config.adapt, spec)
        self._decoder = Decoder(spec, keep_features=features, adaptation=adaptation)
        self._landmark_model = create_landmark_model(config.landmark_model, runtime=config.runtime)
        self._colour_order = ColourOrderCheck()
        self._geometry = create_geometry_share(config.va, spec, reads_landmarks=self._landmark_model is not None)
        self._affect_inference = AffectInference(
            decoder=self._decoder,
            min_quality=config.min_quality,
            quality_model=self._quality_model,
            n_views=config.views,
            geometry=self._geometry,
        )
        # Unknown names, bad files and objects that cannot detect are errors now and not at the first image.
        if not isinstance(config.detector, str) or parse_detector(config.detector)[1]:
            _ = self._moving_detector

    @property
    def geometry(self) -> GeometryModel | None:
        """Geometry model of the option ``va``; None for the network alone."""
        return None if self._geometry is None else self._geometry.model

    @property
    def config(self) -> AnalyzerConfig:
        """Options of the analyzer."""
        return self._config

    @cached_property
    def _still_detector(self) -> FaceDetector:
        """Detector for photos, in which small faces in a crowd count."""
        return self._create_detector(_STILL_SIDE_PX)

    @cached_property
    def _moving_detector(self) -> FaceDetector:
        """Detector for videos, in which speed counts."""
        return self._create_detector(_MOVING_SIDE_PX)

    def _create_detector(self, max_side_px: int) -> FaceDetector:
        if not isinstance(self._config.detector, str):
            return create_detector(self._config.detector)
        name, model = parse_detector(self._config.detector)
        threads = {} if model else {"threads": self._config.threads}  # OpenCV runs the user's model file
        return create_detector(name, max_side_px=max_side_px, **model, **threads)

    @property
    def spec(self) -> ModelSpec:
        """Description of the affect bundle: labels, units, thresholds, training data."""
        return self._files.spec

    @property
    def bundle(self) -> Bundle:
        """The affect bundle on the option's number of threads."""
        return self._files.load(self._config.threads)

    @property
    def video_bundle(self) -> Bundle:
        """The affect bundle on one thread, for videos: threads with separate batches do not wait for each other."""
        return self._files.load(1)

    @property
    def bundle_digest(self) -> str:
        """SHA-256 that identifies the description and weights of the affect bundle."""
        return self._files.digest

    @property
    def landmark_bundle(self) -> Bundle | None:
        """The landmark bundle; None without a landmark model or where it is an object of the caller's."""
        return self._landmark_model.bundle if isinstance(self._landmark_model, LandmarkNet) else None

    @property
    def quality_model(self) -> QualityModel | None:
        """Quality model of the affect bundle; None where it has none."""
        return self._quality_model

    @property
    def uncertainty(self) -> UncertaintySpec | None:
        """Calibration of the bundle, as far as it holds for these settings; None for none."""
        return self._affect_inference.uncertainty

    @property
    def n_landmarks(self) -> int:
        """Number of landmarks per face in tables: 68, or the 5 keypoints without a landmark model."""
        return N_KEYPOINTS if self._landmark_model is None else N_LANDMARKS

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
            image: Path; (H, W, 3) uint8 RGB or (H, W) uint8 gray array; PIL image; content of an image file as bytes;
                or a binary file object.

        Returns:
            N >= 0 faces from left to right; boxes and landmarks in pixels of the upright image.

        Raises:
            InputError: The image cannot be read or is no image, or ``faces`` selects a track, which images do not have.

        Warns:
            UserWarning: An array seems to be in BGR order.
        """
        return self.photo(image).faces

    def photo(self, image: str | os.PathLike[str] | Any, *, images: bool = False) -> Frame:
        """An image, given as for `image`, as a frame at time 0; with its pixels if ``images``.

        Raises:
            InputError: As for `image`.
        """
        return self._affect_inference.frames([self._seen_in(image, "image", images=images)], self.bundle)[0]

    def photos(self, images: Iterable[Any]) -> Generator[Frame | InputError, None, None]:
        """Frames of several images as by `photo`, without pixels, a few read ahead; the error of one that fails."""
        for batch in batched(starmap(self._seen_or_error, enumerate(images)), _IMAGES_PER_BATCH):
            seen = [one for one in batch if isinstance(one, DetectedFrame)]
            frames = iter(self._affect_inference.frames(seen, self.bundle))
            yield from (one if isinstance(one, InputError) else next(frames) for one in batch)

    def _seen_or_error(self, number: int, image: Any) -> DetectedFrame | InputError:
        try:
            return self._seen_in(image, f"image {number}")
        except InputError as error:
            return error

    def images(self, images: Iterable[Any]) -> list[Faces]:
        """All faces of several images; the affect network takes the faces of several images at once.

        Args:
            images: Images of any sizes, each as for `image`.

        Returns:
            The faces of each image, in order.

        Raises:
            InputError: An image cannot be read; the message says which. Or a single image was given instead of a list.

        Examples:
            >>> [len(faces) for faces in Analyzer(threads=1).images([np.zeros((40, 60), np.uint8)] * 2)]
            [0, 0]
        """
        if isinstance(images, (str, bytes, os.PathLike)) or (isinstance(images, np.ndarray) and images.ndim < 4):
            raise InputError("images takes a list of images; for a single one write analyzer.image(image)")
        found: list[Faces] = []
        for frame in self.photos(images):
            if isinstance(frame, InputError):
                raise frame
            found.append(frame.faces)
        return found

    def _seen_in(self, image: Any, name: str, *, images: bool = False) -> DetectedFrame:
        """The faces of an image as the caller gave it; of a large JPEG in fewer pixels, if these are enough."""
        self._choice.check_photo(os.fspath(image) if isinstance(image, (str, os.PathLike)) else f"the {name}")
        picture = read_picture(image, name=name, enough_px=_REDUCED_SIDE_PX)
        pixels, detections = picture.pixels, self._detected(picture.pixels)
        if picture.reduction > 1:
            if len(detections) and (sides(detections.boxes) >= _ENOUGH_FACE_PX).all():
                found = self._found(pixels, detections).enlarged(picture.reduction)
                return DetectedFrame(0, 0.0, found, picture.whole() if images else None)
            pixels = picture.whole()
            detections = self._detected(pixels)
        if self._colour_order.applies_to(image):
            self._colour_order.check(pixels, detections, self._still_detector)
        dark = not len(detections) and is_dark(pixels)
        return DetectedFrame(0, 0.0, self._found(pixels, detections), pixels if images else None, dark)

    def crops(self, images: Sequence[Any], *, aligned: bool = False, given: CropReading | None = None) -> Faces:
        """Affect of faces that are already cropped: each image is one face.

        No detection takes place. The bundle says how an image is read (``spec.crop.given``): ``"whole"`` resizes it;
        ``"aligned"`` cuts it again at the keypoints that the landmark model sees in it, and resizes it where that
        model sees no face. Crops from the brow to the chin with a small margin fit the default bundle best.

        Args:
            images: Paths, arrays (H, W, 3) RGB or (H, W) gray uint8, or PIL images, of any sizes.
            aligned: Whether the images are aligned by the bundle's template already; they are then read whole.
            given: ``"whole"`` or ``"aligned"`` in place of the bundle's own way.

        Returns:
            As many faces as images, in order; ``boxes`` cover the whole image, ``confidence`` is NaN. Landmarks,
            keypoints, pose, openness of the eyes and quality are NaN where an image is read whole.

        Raises:
            ConfigError: ``given`` is neither of the two.
            InputError: An image cannot be read; the message says which. Or a single image was given instead of a list.
        """
        if given not in (None, *get_args(CropReading)):
            raise ConfigError(f"given must be 'whole' or 'aligned', got {given!r}")
        way = "whole" if aligned else given or self.spec.crop.given
        if isinstance(images, (str, os.PathLike)) or (
            isinstance(images, np.ndarray) and (images.ndim < 3 or (images.ndim == 3 and images.shape[2] in (1, 3, 4)))
        ):
            raise InputError("crops takes a list of images, each of one face; for a single one write crops([image])")
        found: list[AlignedFaces] = []
        for index, image in enumerate(images):
            pixels = read_image(image, name=f"crop {index}")
            crop, face = read_crop(pixels, self.spec, self._landmark_model, way)
            found.append(given_crop(self._quality_model, pixels.shape[:2], crop, face))
        if not found:
            return Faces.empty(self.expression_labels, self.action_unit_labels)
        return self._affect_inference.given(found, self.bundle)

    def video(
        self,
        path: str | os.PathLike[str] | int,
        *,
        start_s: float | None = None,
        stop_s: float | None = None,
        every: int = 1,
        images: bool = False,
        smooth: Smoothing | str | None = None,
        adaptive: AdaptiveRate | str | None = None,
        network: bool = False,
    ) -> Generator[Frame, None, None]:
        """The frames of a video with their faces, one by one, in bounded memory.

        Args:
            path: Path of the video, a network address, or the number of a camera, from 0; a camera has no end, and each
                of its frames is analysed before the next one is read.
            start_s: Time in seconds at which to start; the beginning if None.
            stop_s: Time in seconds at which to stop; the end if None.
            every: Stride: only every n-th frame is analysed.
            images: Whether the frames carry their pixels.
            smooth: Half-widths in frames, such as ``"expr=50,va=50,au=3"``. The windows reach into the future, so a
                frame comes as many frames late, and up to a second more while its face is lost; with ``images`` the
                pixels of those frames are held, too. ``"va=50,causal=true"`` uses no later frame and delays nothing;
                ``"bundle"`` stands for the smoothing that the bundle recommends.
            adaptive: Strides such as ``"25,5,1"``: affect is predicted in few frames of a stretch of a track where it
                is certain, and interpolated between them, see `AdaptiveRate`. Faces are detected and tracked in every
                frame.
            network: Whether the path may be an address (``rtsp://``, ``http://``, ``https://``).

        Yields:
            Every analysed frame in order, also those without a face. ``track_ids`` stay with a face through short
            losses and end at cuts.

        Raises:
            ConfigError: ``smooth`` or ``adaptive`` has an unknown setting, or the bundle recommends no smoothing.
            InputError: The video or camera cannot be opened, or nothing of it can be decoded.
        """
        settings, rate = Smoothing.of(smooth, self.spec), AdaptiveRate.of(adaptive)
        if isinstance(path, int):
            if (start_s, stop_s, every) != (None, None, 1):
                raise ConfigError("start_s, stop_s and every are for files; a camera gives every frame")
            with open_camera(path) as camera:
                yield from self.frames(camera, images=images, live=True, smooth=settings, adaptive=rate)
            return
        place = os.fspath(path)
        opener: Any = partial(open_address, network=network) if is_address(place) else open_video
        with opener(place, start_s=start_s, stop_s=stop_s, every=every) as frames:
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
        """Like `video`, for frames from any source: a camera, or a video that the caller has opened.

        Decoding, face detection and the affect network overlap in three threads; order and timestamps are kept.

        Args:
            frames: Frames in order of time.
            images: Whether the frames carry their pixels.
            live: Whether each frame is analysed before the next is requested, so that results have no delay. Without
                overlap this is slower in total.
            smooth: Smoothing as for `video`; live frames need causal settings.
            adaptive: Strides as for `video`.

        Raises:
            ConfigError: Live frames cannot have an adaptive rate, which needs later frames.
        """
        settings, rate = Smoothing.of(smooth, self.spec), AdaptiveRate.of(adaptive)
        if live and rate is not None:
            raise ConfigError("an adaptive rate needs later frames; leave it out, or analyse every n-th live frame")
        with closing(self._analyzed(frames, images=images, live=live, rate=rate)) as analyzed:
            if settings is None:
                yield from analyzed
                return
            yield from smooth_frames(analyzed, settings, uncertainty=self.uncertainty)

    def _analyzed(
        self, frames: Iterable[VideoFrame], *, images: bool, live: bool, rate: AdaptiveRate | None
    ) -> Generator[Frame, None, None]:
        size = _FRAMES_PER_BATCH if rate is None else rate.strides[0]
        bundle = self.bundle if live else self.video_bundle

        predict = partial(self._affect_inference.frames, bundle=bundle, rate=rate)
        with (
            closing(self._in_batches(frames, images=images, live=live, size=size)) as seen,
            closing(map_in_order(seen, predict, 1 if live else self._n_workers)) as done,
        ):
            for batch in done:
                yield from batch

    @property
    def _n_workers(self) -> int:
        """Number of batches that are processed at the same time."""
        return min(self._config.threads or usable_cores(), _MAX_BATCHES)

    def _in_batches(
        self, frames: Iterable[VideoFrame], *, images: bool, live: bool, size: int = _FRAMES_PER_BATCH
    ) -> Generator[list[DetectedFrame], None, None]:
        """Frames with their faces; one thread decodes and another detects while the caller processes them."""
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
        """Raw outputs of the affect network for the faces of an (H, W, 3) RGB image."""
        found = self._found(image, self._detected(image))
        return raw_frames([DetectedFrame(0, 0.0, found, None)], self.bundle)[0]

    def raw_frames(self, frames: Iterable[VideoFrame]) -> Generator[RawFrame, None, None]:
        """Raw outputs of the affect network for the faces of frames: the inputs of clip heads."""
        predict = partial(raw_frames, bundle=self.video_bundle)
        with (
            closing(self._in_batches(frames, images=False, live=False)) as seen,
            closing(map_in_order(seen, predict, self._n_workers)) as done,
        ):
            for batch in done:
                yield from batch

    def _follow(self, frames: Iterable[VideoFrame], *, images: bool) -> Generator[DetectedFrame, None, None]:
        follower = FaceFollower(self._moving_detector, self._landmark_model)
        for frame in frames:
            detections, track_ids = follower.follow(frame)
            pixels = frame.gray if self.spec.input.colour == "gray" else frame.image
            found, dark = self._found(pixels, detections, track_ids), not len(detections) and is_dark(frame.gray)
            yield DetectedFrame(frame.index, frame.time_s, found, frame.image if images else None, dark)

    def _detected(self, image: Image) -> Detections:
        """The faces of a photo, with landmarks if there is a landmark model."""
        found = search_photo(self._still_detector, image, self._landmark_model)
        return found if self._landmark_model is None else refine_landmarks(self._landmark_model, image, found)

    def _found(self, image: Image, detections: Detections, track_ids: Int64 | None = None) -> AlignedFaces:
        """The selected faces from left to right, and their crops as the bundle reads them."""
        track_ids = np.full(len(detections), -1, dtype=np.int64) if track_ids is None else track_ids
        wanted = self._choice.rows(detections.boxes, track_ids)
        numbers = numbers_from_left(detections.boxes)[wanted]
        wanted, numbers = wanted[np.argsort(numbers)], np.sort(numbers)
        if not np.array_equal(wanted, np.arange(len(detections))):
            detections, track_ids = detections[wanted], track_ids[wanted]
        crops = cut_faces(image, detections, self.spec)
        return aligned_faces(self._quality_model, image.shape[:2], detections, track_ids, crops, numbers)
