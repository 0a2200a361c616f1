# SPDX-License-Identifier: Apache-2.0
"""What a protocol evaluates: bundles, tables, heads and files, by name, by path or loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from mien.affect import Analyzer
from mien.core import INTENSITY_LABELS, BundleKind, ConfigError, ModelError
from mien.datasets import CropFolders
from mien.evaluation.challenge.clip_head_predictions import HeadsOnFeatures
from mien.evaluation.challenge.crop_scores import BundleOnCropFolder
from mien.evaluation.challenge.ensembles import TablePredictor
from mien.evaluation.challenge.post_processing import PostProcessing
from mien.evaluation.challenge.submission_formats import SubmissionFormat
from mien.evaluation.predictors import BundleOnCrops, PredictionFile, Predictor
from mien.evaluation.protocols.registry import SubjectKind
from mien.faces import DEFAULT_LANDMARK_MODEL, LandmarkNet, load_landmark_net
from mien.inference import DEFAULT_BUNDLE, list_bundles

Subject: TypeAlias = str | Path | Analyzer | LandmarkNet | Predictor | Sequence[str | Path] | None
"""A bundle (name, folder or loaded), predictions (file, folder of tables or of a head, several folders, loaded), or
None for the default bundle."""

_KINDS = {"affect": "an affect bundle", "landmarks": "a landmark net", "predictions": "predictions"}


def load_affect(subject: Any, purpose: str, *, landmark_model: str | Path | None = None) -> Analyzer:
    """The analyzer of an affect bundle.

    Args:
        subject: Name or folder of a bundle, a loaded analyzer, or None for the default bundle.
        purpose: What the bundle is for, for messages: the name of a protocol or a task.
        landmark_model: Name or folder of the landmark net; None for the default.

    Raises:
        ConfigError: The subject is predictions.
        ModelError: The bundle is missing, damaged or of another kind.
    """
    if isinstance(subject, (str, Path)) or subject is None:
        model = DEFAULT_BUNDLE if subject is None else subject
        return Analyzer(model, landmark_model=landmark_model or DEFAULT_LANDMARK_MODEL)
    _check_loaded(subject, "affect", purpose)
    analyzer: Analyzer = subject
    return analyzer


def load_landmarks(subject: Any, purpose: str) -> LandmarkNet:
    """The landmark net of a bundle.

    Args:
        subject: Name or folder of a bundle, a loaded net, or None for the default net.
        purpose: What the net is for, for messages.

    Raises:
        ConfigError: The subject is predictions.
        ModelError: The bundle is missing, damaged or of another kind.
    """
    if isinstance(subject, (str, Path)) or subject is None:
        model = DEFAULT_LANDMARK_MODEL if subject is None else subject
        return load_landmark_net(model)
    _check_loaded(subject, "landmarks", purpose)
    net: LandmarkNet = subject
    return net


def create_predictor(
    subject: Any,
    task_format: SubmissionFormat,
    *,
    features: Sequence[str | Path] = (),
    crops: CropFolders | None = None,
    post_processing: PostProcessing | None = None,
) -> Predictor:
    """The predictor of a challenge's task.

    Args:
        subject: A file of predictions; a folder of affect tables, or several to blend; a folder of a head over clips,
            or several; a bundle (name, folder or analyzer); a predictor, which is returned unchanged.
        task_format: Format of the task.
        features: Folders of feature shards that heads read.
        crops: Folders of official crops for a bundle that is smoothed or thresholded.
        post_processing: Smoothing, thresholds and weights; None for none.

    Raises:
        ConfigError: The settings do not fit the subject.
        ModelError: A bundle or head is missing, damaged or of another kind.
        InputError: A file or folder cannot be read.
    """
    post = post_processing or PostProcessing()
    if kind_of(subject) == "predictions":
        _refuse(post, features, "the predictor has its own settings")
        loaded: Predictor = subject
        return loaded
    paths = _paths(subject)
    if paths and (paths[0] / "head.json").is_file():
        return _heads(paths, task_format, features, post)
    if features:
        raise ConfigError("features are for heads over clips; name the folder of a head")
    if paths and paths[0].is_dir() and not (paths[0] / "model.json").is_file():
        return TablePredictor(paths, smoothing=post.filter(), thresholds=post.limits(task_format), weights=post.weights)
    if len(paths) > 1:
        raise ConfigError("several predictions are blended only where each is a folder of affect tables or of a head")
    if paths and not (paths[0] / "model.json").is_file():
        _refuse(post, (), "a file of predictions is decided already")
        return PredictionFile(paths[0])
    if post.weights:
        raise ConfigError("weights are for several models; one bundle has none")
    return _bundle(load_affect(subject, task_format.name), task_format, crops, post)


def kind_of(subject: Any) -> SubjectKind | None:
    """The kind of a loaded subject, by its methods; None for names, paths and everything else."""
    methods: dict[str, SubjectKind] = {"predict_frames": "predictions", "read": "landmarks", "crops": "affect"}
    return next((kind for method, kind in methods.items() if callable(getattr(subject, method, None))), None)


def _paths(subject: Any) -> list[Path]:
    """The files and folders of a subject; empty where it is a loaded bundle, None, or the name of a bundle."""
    if isinstance(subject, str):
        path = Path(subject)
        return [path] if path.exists() or path.suffix else []
    if isinstance(subject, Path):
        return [subject]
    if isinstance(subject, Sequence):
        if not subject:
            raise ConfigError("at least one file or folder of predictions is needed")
        return [Path(each) for each in subject]
    return []


def _heads(
    paths: Sequence[Path], task_format: SubmissionFormat, features: Sequence[str | Path], post: PostProcessing
) -> HeadsOnFeatures:
    if task_format.name not in INTENSITY_LABELS:
        raise ConfigError(
            f"heads over clips are for {' and '.join(INTENSITY_LABELS)}; a head over frames is part of a bundle"
        )
    if post.decides:
        raise ConfigError("a clip has one prediction; leave out smoothing and thresholds")
    return HeadsOnFeatures(paths, features, weights=post.weights)


def _bundle(
    analyzer: Analyzer, task_format: SubmissionFormat, crops: CropFolders | None, post: PostProcessing
) -> Predictor:
    if not post.decides:
        return BundleOnCrops(analyzer)
    if crops is None:
        raise ConfigError(
            f"smoothing and thresholds of a bundle need the official crops of a challenge; {task_format.name} has none"
            " here"
        )
    return bundle_on_crops(analyzer, task_format, crops, post)


def bundle_on_crops(
    analyzer: Analyzer, task_format: SubmissionFormat, crops: CropFolders | Path, post: PostProcessing
) -> TablePredictor:
    """A bundle on a folder of crops, smoothed and thresholded.

    Raises:
        ConfigError: The settings do not fit the format or the bundle.
        InputError: There is no such folder.
    """
    filters, limits = post.filter(analyzer.spec), post.limits(task_format, analyzer.spec)
    return TablePredictor([BundleOnCropFolder(analyzer, crops)], smoothing=filters, thresholds=limits)


def _refuse(post: PostProcessing, features: Sequence[str | Path], reason: str) -> None:
    if post.decides or post.weights or features:
        raise ConfigError(f"{reason}; leave out smoothing, thresholds, weights and features")


def _check_loaded(subject: Any, wanted: BundleKind, purpose: str) -> None:
    kind = kind_of(subject)
    if kind == wanted:
        return
    fits = ", ".join(list_bundles(wanted))
    if kind is None or kind == "predictions":
        given = "predictions" if kind or isinstance(subject, Sequence) else type(subject).__name__
        raise ConfigError(f"{purpose} evaluates {_KINDS[wanted]}, not {given}; name one of {fits}")
    raise ModelError(f"{purpose} needs {_KINDS[wanted]}, not {_KINDS[kind]}; choose from {fits}")
