# SPDX-License-Identifier: Apache-2.0
"""Named sources of a recipe, and the training, validation and calibration sets that are read from them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, DatasetError, Registry
from mien.datasets import DATASETS
from mien.training.data.source_records import SourceRecord
from mien.training.data.training_images import TrainingImages
from mien.training.data.training_set import TrainingSet, join_sets
from mien.training.export.card_content import Card, create_card
from mien.training.recipes.geometry_recipe import GeometryRecipe
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import SourceSettings


@dataclass(frozen=True, kw_only=True)
class Source:
    """One line of the table of sources.

    Attributes:
        name: Name in recipes.
        target: ``"module:function"`` of (source settings, folder, recipe) that returns a `TrainingSet`.
        summary: One line for the docs.
        protocols: Names in `mien.evaluation.PROTOCOLS` that evaluate on the set's own validation split.
        has_fixture: Whether `mien.datasets.create_example` writes a small tree to train on.
    """

    name: str
    target: str
    summary: str
    protocols: tuple[str, ...] = ()
    has_fixture: bool = True


def _dataset(name: str, summary: str, *protocols: str) -> Source:
    target = "mien.training.data.dataset_sources:load_named_dataset"
    return Source(name=name, target=target, summary=summary, protocols=protocols)


def _open_set(name: str, function: str, summary: str) -> Source:
    target = f"mien.training.data.open_sources:{function}"
    return Source(name=name, target=target, summary=summary, has_fixture=False)


_POINTS = "mien.training.data.point_sources"
# Whether a recipe is one of geometry -> what is wrong with a source of the other kind.
_FITS = {True: "pictures or vectors; geometry needs landmarks", False: "landmarks; a network needs pictures or vectors"}


def _points(name: str, function: str, summary: str) -> Source:
    target = f"{_POINTS}:{function}"
    return Source(name=name, target=target, summary=summary, has_fixture=False)


SOURCES = Registry(
    "source",
    (
        _open_set("open-ferplus", "load_open_ferplus", "FER+: votes, mapped valence and arousal, pseudo action units"),
        _open_set("open-fairface", "load_open_fairface", "FairFace: pseudo action units"),
        _open_set("fairface-more", "load_fairface_more", "FairFace, further gray training faces: pseudo action units"),
        _open_set("open-lfw", "load_open_lfw", "LFW, training people: noisy expressions, pseudo action units"),
        _open_set("landmarks-ferplus", "load_open_landmarks", "FER+: landmarks, pose, eye openness of a teacher"),
        _open_set("landmarks-fairface", "load_open_landmarks", "FairFace: landmarks, pose, eye openness of a teacher"),
        _open_set("landmarks-lfw", "load_open_landmarks", "LFW: landmarks, pose, eye openness of a teacher"),
        _open_set(
            "landmarks-rendered",
            "load_rendered_landmarks",
            "rendered faces of `mien synthesize`: exact landmarks and head pose",
        ),
        _open_set(
            "fairface-traits",
            "load_fairface_traits",
            "age, gender and race of FairFace's faces: a pretext for start weights, of which no bundle comes",
        ),
        _open_set(
            "lfw-people",
            "load_lfw_people",
            "LFW's training people by name: a pretext for start weights, of which no bundle comes",
        ),
        Source(
            name="person-folders",
            target="mien.training.data.dataset_sources:load_people",
            summary="photos in one folder a person (VGGFace2): who it is, a pretext for start weights",
        ),
        _open_set(
            "rendered",
            "load_rendered",
            "rendered faces of `mien synthesize`: exact action units and their intensities, expressions",
        ),
        _points("points-ferplus", "load_points_ferplus", "FER+: landmarks, mapped valence and arousal; for geometry"),
        _points("points-lfw", "load_points_lfw", "LFW, training people: landmarks, valence and arousal; for geometry"),
        _points("morphset", "load_points_morphset", "MorphSet: landmarks, valence and arousal; for geometry"),
        Source(
            name="canvases",
            target="mien.training.data.canvases.canvas_source:load_canvases",
            summary="canvases with faces of all sizes on scenes, for detectors",
            has_fixture=False,
        ),
        Source(
            name="stick-figures",
            target="mien.training.data.canvases.figure_source:load_stick_figures",
            summary="drawn bodies with known joints and limbs, as many as `rows`",
            has_fixture=False,
        ),
        Source(
            name="utterances",
            target="mien.training.data.utterance_sources:load_utterance_set",
            summary="utterances with text and features, and any of emotion, sentiment and sarcasm",
            has_fixture=False,
        ),
        Source(
            name="vectors",
            target="mien.training.data.feature_sources:load_vectors",
            summary="feature vectors and labels as NumPy files, memory-mapped",
            has_fixture=False,
        ),
        _dataset(
            "affectnet", "AffectNet, classic release: expression, valence, arousal; cut by the face boxes", "affectnet"
        ),
        _dataset("affectnet-npy", "AffectNet, later release: expression, valence, arousal"),
        _dataset("affwild2-va", "Aff-Wild2: valence, arousal of every frame with a crop", "va"),
        _dataset("affwild2-expr", "Aff-Wild2: expression of every frame with a crop", "expr"),
        _dataset("affwild2-au", "Aff-Wild2: action units of every frame with a crop", "au"),
        _dataset(
            "affwild2-mtl", "s-Aff-Wild2: expression, valence, arousal and action units, any of them unknown", "mtl"
        ),
        _dataset("emi", "Hume-Vidmimic2: six mimicry intensities of a clip, from stored vectors"),
        _dataset("eri", "Hume-Reaction: seven reaction intensities of a clip, from stored vectors"),
        _dataset("ferplus", "FER+ CSV and images: shares of votes"),
        _dataset("fer2013", "FER2013 CSV: expression"),
        _dataset("lsd", "ABAW 4 synthetic faces: expression of six", "lsd"),
        _dataset("rafdb", "RAF-DB: expression of seven"),
    ),
)
"""Name -> `Source`."""


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The sets of a recipe.

    Attributes:
        train_set: Rows to train on.
        valid: Rows to select on; None without ``[[data.valid]]``.
        calibration: Held-out rows for calibration; None where none are held out and there is no validation set.
        card: What the bundle says about its training data.
    """

    train_set: TrainingSet
    valid: TrainingSet | None
    calibration: TrainingSet | None
    card: Card

    def cached(self, folder: Path, max_side_px: int) -> TrainingData:
        """The same data with all pictures decoded into cache files."""
        return replace(
            self,
            train_set=self.train_set.cached(folder, max_side_px),
            valid=self.valid and self.valid.cached(folder, max_side_px),
            calibration=self.calibration and self.calibration.cached(folder, max_side_px),
        )


def load_training_data(recipe: Recipe | GeometryRecipe, data: Path) -> TrainingData:
    """Read the sets of a recipe.

    Args:
        recipe: Recipe that names them.
        data: Folder of the data sets.

    Raises:
        ConfigError: A source is unknown.
        DatasetError: A set is missing, malformed or empty.
    """
    train_set = join_sets([load_source(source, data, recipe) for source in recipe.data.sources])
    valid = None
    if recipe.data.valid:
        valid = join_sets([load_source(source, data, recipe) for source in recipe.data.valid])
    calibration = valid
    if recipe.data.calibration_rows:
        held_out = hold_out(train_set, recipe.data.calibration_rows)
        train_set, calibration = train_set.take(~held_out), _as_they_are(train_set.take(held_out))
    if not len(train_set):
        raise DatasetError(f"{data}: no row is left to train on after {recipe.data.calibration_rows} were held out")
    return TrainingData(train_set, valid, calibration, create_card(train_set))


def _as_they_are(samples: TrainingSet) -> TrainingSet:
    """The samples with the images that users will have, without super-resolution."""
    if not isinstance(samples.inputs, TrainingImages):
        return samples
    return replace(samples, inputs=replace(samples.inputs, networks=()))


def load_source(source: SourceSettings, data: Path, recipe: Recipe | GeometryRecipe) -> TrainingSet:
    """One source of a recipe.

    Raises:
        ConfigError: The source is unknown, or has no images to upscale.
        DatasetError: It is missing, malformed or empty.
        MissingExtraError: The runtime of its super-resolution network is not installed.
        ModelError: The weights of that network are missing or damaged.
    """
    if SOURCES[source.name].target.startswith(_POINTS) != isinstance(recipe, GeometryRecipe):
        raise ConfigError(f"{recipe.name}: the source {source.name} is {_FITS[isinstance(recipe, GeometryRecipe)]}")
    read: Callable[[SourceSettings, Path, Recipe | GeometryRecipe], TrainingSet] = SOURCES.load(source.name)
    found = read(source, data / source.folder if source.folder else data, recipe)
    if not len(found):
        raise DatasetError(f"{data}: {source.name} {source.split} has no usable row")
    if source.keypoints_only:
        found = found.take(~np.isnan(found.keypoints).any(axis=(1, 2)))
        if not len(found):
            raise DatasetError(f"{data}: {source.name} {source.split} has no picture with known keypoints")
    if source.least_yaw_deg:
        found = _turned(found, source, data)
    records = found.records or (_record(source),)
    if source.upscale:
        if not isinstance(found.inputs, TrainingImages):
            raise ConfigError(f"{source.name} has vectors; upscale is for images")
        found = replace(found, inputs=found.inputs.upscaled(source.upscale))
    return replace(
        found,
        primary=found.primary & source.primary,
        records=tuple(
            replace(
                record,
                epoch_share=source.epoch_share,
                source=source.name,
                own_statistics=source.statistics == "own",
            )
            for record in records
        ),
    )


def _turned(samples: TrainingSet, source: SourceSettings, data: Path) -> TrainingSet:
    """The rows whose head is turned by at least the yaw that the source asks for."""
    pose = samples.targets.get("pose")
    if pose is None:
        raise ConfigError(f"{source.name} has no head poses; least_yaw_deg is for sources with them")
    with np.errstate(invalid="ignore"):
        turned = np.abs(np.degrees(pose[:, 1])) >= source.least_yaw_deg  # an unknown pose is not
    if not turned.any():
        raise DatasetError(
            f"{data}: {source.name} {source.split} has no head turned by {source.least_yaw_deg:g} degrees or more"
        )
    return samples.take(turned)


def _record(source: SourceSettings) -> SourceRecord:
    """Facts about a set that has no record of its own."""
    protocols = SOURCES[source.name].protocols
    title, licence = source.name, "the user's own data"
    if source.name in DATASETS:
        known = DATASETS[source.name]
        title, licence = known.title, f"as granted by its owners ({known.owner})"
    return SourceRecord(title=f"{title}, {source.split}", licence=licence, protocols=protocols)


def hold_out(samples: TrainingSet, n_rows: int) -> npt.NDArray[np.bool_]:
    """(N,) at least ``n_rows`` primary rows, by whole groups in the order of a hash of their names.

    The choice survives reordering and new rows, and no video or person is on both sides.
    """
    order = {group: rank for rank, group in enumerate(sorted(set(samples.groups), key=_hash))}
    ranks = np.array([order[group] for group in samples.groups])
    ranks[~samples.primary] = len(order)
    in_order = np.sort(ranks[samples.primary])
    last = in_order[min(n_rows, len(in_order)) - 1]
    held_out: npt.NDArray[np.bool_] = ranks <= last
    return held_out


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
