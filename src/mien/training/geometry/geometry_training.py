# SPDX-License-Identifier: Apache-2.0
"""Trains a geometry recipe: landmarks to the front, distances, partial least squares, an evaluated bundle."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import logging
import os
import platform
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import sklearn
from sklearn.cross_decomposition import PLSRegression

from mien.affect import GeometryModel
from mien.core import (
    GEOMETRY_OUTPUTS,
    GEOMETRY_VERSION,
    ConfigError,
    DatasetError,
    Float32,
    Float64,
    GeometrySpec,
    Indices,
    MetricValue,
    ModelError,
)
from mien.evaluation import bootstrap_metric
from mien.faces import frontal_shapes, normalized_shapes, shape_distances
from mien.inference import GeometryWeights, load_geometry
from mien.metrics import ccc
from mien.training.data.point_sources import INTENSITY
from mien.training.data.sources import load_source, load_training_data
from mien.training.data.training_set import TrainingSet
from mien.training.export.bundle_files import write_geometry
from mien.training.geometry.frontalization import fit_frontalization, identity_frontalization
from mien.training.recipes.geometry_recipe import GeometryRecipe

logger = logging.getLogger(__name__)

_MAX_PARITY_GAP = 1e-3
_N_PARITY = 64


@dataclass(frozen=True, eq=False)
class FittedDistances:
    """A partial least squares regression, with the outputs of every smaller number of components.

    Attributes:
        mean: (P,) mean of each distance.
        offset: (3,) mean of each target.
        rotations: (P, C) from distances, centred and divided by their deviations, to components.
        loadings: (3, C) from components to targets.
        deviation: (P,) standard deviation of each distance; 1 where it does not vary.
        target_deviation: (3,) standard deviation of each target.
    """

    mean: Float64
    offset: Float64
    rotations: Float64
    loadings: Float64
    deviation: Float64
    target_deviation: Float64

    def weights(self, components: int) -> Float64:
        """(P, 3) change of each output per unit of each distance, from the first components alone."""
        scaled = self.rotations[:, :components] @ self.loadings[:, :components].T
        return scaled * self.target_deviation / self.deviation[:, None]

    def predict(self, distances: Float64 | Float32, components: int) -> Float64:
        """(N, 3) outputs of (N, P) distances, not clipped."""
        predicted: Float64 = (distances - self.mean) @ self.weights(components) + self.offset
        return predicted


def fit_distances(distances: Float64, targets: Float64, components: int) -> FittedDistances:
    """Fit scikit-learn's `PLSRegression`, which centres and divides distances and targets by their deviations.

    Args:
        distances: (N, P) float64.
        targets: (N, 3) arousal, valence and intensity, float64.
        components: Number of components C.

    Raises:
        DatasetError: There are no more rows than components.
    """
    if len(distances) <= components:
        raise DatasetError(f"{len(distances)} faces are too few for {components} components")
    fitted = PLSRegression(n_components=components).fit(distances, targets)
    return FittedDistances(
        mean=fitted._x_mean,
        offset=fitted._y_mean,
        rotations=fitted.x_rotations_,
        loadings=fitted.y_loadings_,
        deviation=fitted._x_std,
        target_deviation=fitted._y_std,
    )


def affect_targets(samples: TrainingSet) -> Float64:
    """(N, 3) arousal, valence and intensity of a set of points."""
    affect = samples.targets["valence_arousal"]
    targets: Float64 = np.concatenate([affect[:, [1, 0]], samples.targets[INTENSITY]], axis=1).astype(np.float64)
    return targets


def landmarks_of(samples: TrainingSet) -> Float32:
    """(N, 68, 2) landmarks in pixels of a set of points."""
    return np.asarray(samples.inputs[:, :136], np.float32).reshape(-1, 68, 2)  # type: ignore[index]


def train_geometry(recipe: GeometryRecipe, data: Path, out: Path) -> GeometrySpec:
    """Fit a geometry recipe and write an evaluated bundle.

    Args:
        recipe: Recipe to fit.
        data: Folder of the data sets (layouts: docs/how-to/training.md and docs/reference/datasets.md).
        out: Folder of the new bundle.

    Returns:
        The description of the bundle.

    Raises:
        ConfigError: A source of the recipe has no landmarks, or the map to the front cannot be learned from these sets.
        DatasetError: The data are incomplete, or too few.
        ModelError: The written bundle and the regression disagree.
    """
    started, settings = time.monotonic(), recipe.geometry
    training_data = load_training_data(recipe, data)
    samples = training_data.train_set
    shapes = normalized_shapes(landmarks_of(samples))
    usable = np.isfinite(shapes).all(axis=1)
    if not usable.all():
        raise DatasetError(f"{data}: row {int((~usable).argmax())} of {recipe.name} has landmarks without a size")
    frontal = frontal_map(recipe, samples)
    distances = shape_distances(frontal_shapes(shapes, frontal), settings.points).astype(np.float64)
    logger.info("fitting %d components to %d distances of %d faces", settings.components, *distances.shape[::-1])
    fitted = fit_distances(distances, affect_targets(samples), settings.components)
    weights = GeometryWeights(
        frontal=frontal,
        mean=fitted.mean.astype(np.float32),
        weights=fitted.weights(settings.components).astype(np.float32),
        offset=fitted.offset.astype(np.float32),
    )
    content = weights.to_bytes()
    spec = GeometrySpec(
        geometry_version=GEOMETRY_VERSION,
        name=recipe.bundle or recipe.name,
        version="1",
        sha256=hashlib.sha256(content).hexdigest(),
        points=settings.points,
        n_components=settings.components,
        weights_notice=training_data.card.notice,
        training_sources=training_data.card.training_sources,
        recipe=recipe.name,
        limitations=(*training_data.card.limitations, *recipe.limitations),
    )
    write_geometry(out, content, spec)
    model = GeometryModel(out)
    gap = _parity_gap(model, fitted, distances, samples)
    seconds = time.monotonic() - started
    spec = dataclasses.replace(
        spec, provenance=_provenance(recipe, gap, seconds), metrics=_metrics(recipe, data, model)
    )
    write_geometry(out, content, spec)
    return spec


def frontal_map(recipe: GeometryRecipe, samples: TrainingSet) -> Float32:
    """(137, 136) map to the front that a recipe asks for.

    Raises:
        ConfigError: It is to be learned, and the training faces have no head poses.
        DatasetError: Too few faces look to the front.
        ModelError: The named geometry bundle is missing or damaged.
    """
    settings = recipe.geometry
    if settings.frontal == "none":
        return identity_frontalization()
    if settings.frontal != "learned":
        return load_geometry(settings.frontal).weights.frontal
    poses = np.asarray(samples.inputs[:, 136:], np.float32)  # type: ignore[index]
    posed = np.isfinite(poses).all(axis=1)
    if not posed.any():
        raise ConfigError(
            f"{recipe.name}: no training face has a head pose to learn the map to the front from; set [geometry] "
            "frontal to 'none' or to a geometry bundle"
        )
    shapes = normalized_shapes(landmarks_of(samples)[posed])
    return fit_frontalization(shapes, poses[posed], turns=settings.turns, seed=recipe.seed)


def _parity_gap(model: GeometryModel, fitted: FittedDistances, distances: Float64, samples: TrainingSet) -> float:
    """Largest difference between the bundle in the runtime and scikit-learn's numbers on the same faces."""
    expected = np.clip(fitted.predict(distances[:_N_PARITY], model.spec.n_components), [-1, -1, 0], 1)
    gap = float(np.abs(model.predict(landmarks_of(samples)[:_N_PARITY]) - expected).max())
    if not gap <= _MAX_PARITY_GAP:
        raise ModelError(f"the bundle differs from the regression by {gap:.2e}, more than {_MAX_PARITY_GAP:.0e}")
    return gap


def _metrics(recipe: GeometryRecipe, data: Path, model: GeometryModel) -> tuple[MetricValue, ...]:
    """CCC and mean squared error of each output on each validation source, persons resampled whole."""
    found: list[MetricValue] = []
    for source in recipe.data.valid:
        samples = load_source(source, data, recipe)
        truth, predicted = affect_targets(samples), model.predict(landmarks_of(samples)).astype(np.float64)
        groups = np.unique(np.array(samples.groups), return_inverse=True)[1]
        whole = groups if groups.max() + 1 < len(groups) else None
        for column, output in enumerate(GEOMETRY_OUTPUTS):
            for name, statistic in (("CCC", _concordance), ("mean squared error", _squared_error)):
                bound = partial(statistic, truth=truth[:, column], predicted=predicted[:, column])
                metric = bootstrap_metric(f"{name} {output}", len(samples), bound, groups=whole)
                values = {key: round(getattr(metric, key), 4) for key in ("value", "low", "high")}
                command = f"mien train {recipe.name} --data DATA --out OUT"
                found.append(dataclasses.replace(metric, **values, data=samples.records[0].title, command=command))
    return tuple(found)


def _concordance(rows: Indices, *, truth: Float64, predicted: Float64) -> float:
    return ccc(predicted[rows], truth[rows])


def _squared_error(rows: Indices, *, truth: Float64, predicted: Float64) -> float:
    return float(((predicted[rows] - truth[rows]) ** 2).mean())


def _provenance(recipe: GeometryRecipe, gap: float, seconds: float) -> str:
    return (
        f"{datetime.datetime.now(datetime.UTC).date().isoformat()}, {recipe.geometry.components} components in "
        f"{seconds / 60:.0f} min on {os.cpu_count()} CPU cores ({platform.machine()}), seed {recipe.seed}, "
        f"scikit-learn {sklearn.__version__}; parity with it {gap:.1e}"
    )
