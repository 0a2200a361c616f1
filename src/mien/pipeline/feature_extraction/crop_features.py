# SPDX-License-Identifier: Apache-2.0
"""Extracts vectors of cropped faces: folders ``<track>/00001.jpg`` in which every image is one face."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mien.affect import fit_crop
from mien.core import ConfigError, Image, InputError
from mien.datasets import crop_files
from mien.faces import LandmarkModel, LandmarkNet
from mien.inference import Bundle
from mien.jobs import batched, prefetch
from mien.media import load_image
from mien.pipeline.feature_extraction.feature_source import FaceVectors, FeatureSource
from mien.results import FeatureInfo, FrameVectors, InputFailure

_CROPS_A_BATCH = 32
_BATCHES_WAITING = 2
_NO_TRACK = np.array([-1], np.int64)


class CropExtractor:
    """An `Extractor` of crops, which are read as the bundle says (``spec.crop.given``), without detection.

    Args:
        bundle: Bundle that gives the vectors.
        landmark_model: Landmark model for a bundle that reads given crops aligned; None reads them whole.
        float16: Whether vectors are stored in half precision.
        every: Only crops whose number is a multiple of this one are used.
    """

    def __init__(
        self, bundle: Bundle, landmark_model: LandmarkModel | None = None, *, float16: bool, every: int
    ) -> None:
        self._bundle = bundle
        self._fit = partial(fit_crop, spec=bundle.spec, landmark_model=landmark_model)
        self._faces = FaceVectors.of(bundle)
        self._every = every
        self.info: FeatureInfo = self._faces.info(
            bundle.digest, float16=float16, settings={"crops": True, "every": every} | _aligned_by(landmark_model)
        )

    def find(self, inputs: Sequence[str]) -> tuple[list[FeatureSource], list[InputFailure]]:
        """Every folder with crops among the inputs or one level below; its name is the track's.

        Raises:
            ConfigError: Two folders stand for one track.
        """
        found: dict[str, FeatureSource] = {}
        failures = []
        for name in inputs:
            try:
                own = list(_tracks(Path(name)))
            except InputError as error:
                failures.append(InputFailure(path=name, reason=str(error)))
                continue
            for track in own:
                other = found.setdefault(track.name, track)
                if other.path.resolve() != track.path.resolve():
                    raise ConfigError(
                        f"{other.path} and {track.path} are both the track {track.name}; extract them to two folders"
                    )
        return list(found.values()), failures

    def open(self, source: FeatureSource, after: int) -> CropVectors:
        """Open a track; crops up to number ``after`` are passed over."""
        files = [(number, name) for number, name in crop_files(source.path) if number % self._every == 0]
        return CropVectors(self._bundle, self._faces, self._fit, source, files, after)


class CropVectors:
    """A `VectorRun` of one track."""

    messages: tuple[str, ...] = ()

    def __init__(
        self,
        bundle: Bundle,
        faces: FaceVectors,
        fit: Callable[[Image], Image],
        source: FeatureSource,
        files: list[tuple[int, str]],
        after: int,
    ) -> None:
        self._bundle = bundle
        self._faces = faces
        self._fit = fit
        self._source = source
        self._files = [(number, name) for number, name in files if number > after]
        self.n_expected: int | None = len(files)
        self.n_frames = len(files) - len(self._files)

    def vectors(self) -> Generator[FrameVectors, None, None]:
        """One row per crop; reading the images overlaps with the network."""
        with closing(prefetch(self._batches(), _BATCHES_WAITING)) as stacks:
            for stack in stacks:
                yield from self._run(stack)

    def _batches(self) -> Iterator[list[_Crop]]:
        return batched(map(self._load, self._files), _CROPS_A_BATCH)

    def _load(self, file: tuple[int, str]) -> _Crop:
        number, name = file
        try:
            return _Crop(number, self._fit(load_image(self._source.path / name)), "")
        except InputError as error:
            return _Crop(number, None, str(error))

    def _run(self, crops: list[_Crop]) -> Iterator[FrameVectors]:
        pixels = [crop.pixels for crop in crops if crop.pixels is not None]
        outputs = self._bundle.run(np.stack(pixels)) if pixels else {}
        name, row = self._source.name, 0
        for crop in crops:
            self.n_frames += 1
            if crop.pixels is None:
                yield self._faces.failed(name, crop.number, crop.failure)
                continue
            own = {key: values[row : row + 1] for key, values in outputs.items()}
            row += 1
            yield self._faces.frame(own, source=name, frame=crop.number, time_s=float("nan"), tracks=_NO_TRACK)


@dataclass(frozen=True, eq=False)
class _Crop:
    """One image in the size of the network's input, or why there is none."""

    number: int
    pixels: Image | None
    failure: str


def _aligned_by(model: LandmarkModel | None) -> dict[str, str]:
    """What the vectors depend on where crops are aligned: the landmark net, as far as it comes from a bundle."""
    return {"landmark_model": model.bundle.digest} if isinstance(model, LandmarkNet) else {}


def _tracks(folder: Path) -> Iterator[FeatureSource]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; crops lie in folders, <track>/00001.jpg")
    if crop_files(folder):
        yield FeatureSource(folder.absolute().name, folder)
        return
    tracks = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    if not tracks:
        raise InputError(f"{folder}: no folder with crops here; expected <track>/00001.jpg in it")
    yield from (FeatureSource(path.name, path) for path in tracks)
