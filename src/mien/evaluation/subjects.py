# SPDX-License-Identifier: Apache-2.0
"""What a protocol evaluates: bundles, tables, heads and files, by name, by path or loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from mien.affect import Analyzer
from mien.core import (
    INTENSITY_LABELS,
    BundleKind,
    ConfigError,
    ModelError,
    ModelSpec,
    is_folder,
    is_regular_file,
    path_exists,
)
from mien.datasets import CropFolders
from mien.evaluation.challenge.blending import OWN, complete_weights
from mien.evaluation.challenge.clip_head_predictions import HeadsOnFeatures
from mien.evaluation.challenge.crop_scores import BundleOnCropFolder
from mien.evaluation.challenge.ensembles import TASKS, TablePredictor
from mien.evaluation.challenge.head_scores import HeadOnFrames
from mien.evaluation.challenge.post_processing import PostProcessing
from mien.evaluation.challenge.submission_formats import SubmissionFormat
from mien.evaluation.predictors import BlendOnImages, BundleOnCrops, PredictionFile, Predictor
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
        subject: A file of predictions; a folder of affect tables; a bundle (name, folder or analyzer); a folder of a
            head; several of the last three to blend; a predictor, which is returned unchanged.
        task_format: Format of the task.
        features: Folders of feature shards that heads read.
        crops: Folders of official crops for bundles that are blended, smoothed or thresholded.
        post_processing: Smoothing, thresholds, weights and filter; None for none.

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
    given = _given(subject)
    kinds = [_kind_of_model(each) for each in given]
    if "head" in kinds and (task_format.name in INTENSITY_LABELS or not task_format.per_frame):
        return _heads([Path(each) for each in given], task_format, features, post)
    if features and "head" not in kinds:
        raise ConfigError("features are for heads; name the folder of a head")
    if "file" in kinds:
        if len(given) > 1:
            raise ConfigError(
                "several predictions are blended only where each is a folder of affect tables, a bundle or a head"
            )
        _refuse(post, (), "a file of predictions is decided already")
        return PredictionFile(Path(given[0]))
    if kinds == ["bundle"]:
        if post.weights:
            raise ConfigError("weights are for several models; one bundle has none")
        analyzer = load_affect(given[0], task_format.name)
        if not post.decides:
            return BundleOnCrops(analyzer)
        given = [analyzer]
    elif not task_format.per_frame and crops is None and set(kinds) == {"bundle"}:
        return _blend_on_images([load_affect(each, task_format.name) for each in given], task_format, post)
    return blend_of_models(given, task_format, crops, features, post)


def blend_of_models(
    subjects: Sequence[Any],
    task_format: SubmissionFormat,
    crops: CropFolders | Path | None,
    features: Sequence[str | Path],
    post: PostProcessing,
) -> TablePredictor:
    """One or several bundles on a folder of crops, folders of tables and heads: blended, smoothed, filtered, decoded.

    Args:
        subjects: Bundles (name, folder or analyzer), folders of tables and of heads over frames, in the order of the
            weights.
        task_format: Format of the task.
        crops: Folder of crops; None where no bundle needs it.
        features: Folders of feature shards that heads read.
        post: Smoothing, thresholds, weights and filter. ``"bundle"`` stands for those of the first bundle that has any.

    Raises:
        ConfigError: The settings do not fit the format or the models.
        ModelError: A bundle is missing, damaged or of another kind.
        InputError: There is no such folder.
    """
    models: list[Path | BundleOnCropFolder | HeadOnFrames] = []
    specs: list[ModelSpec] = []
    for each in subjects:
        model = _model(each, task_format, crops, features)
        models.append(model)
        specs += [model.spec] if isinstance(model, BundleOnCropFolder) else []
    smoothing_spec = next((spec for spec in specs if spec.smoothing), specs[0] if specs else None)
    limits_spec = next((spec for spec in specs if spec.action_unit_thresholds), specs[0] if specs else None)
    named = [{} if isinstance(model, Path) else model.spec.blend for model in models]
    confident = None
    if post.confident is not None:
        confident = _model(post.confident, task_format, crops, features), post.confidence
    weights = complete_weights(post.weights, len(models), named)
    return TablePredictor(
        models,
        smoothing=post.filter(smoothing_spec),
        thresholds=post.limits(task_format, limits_spec),
        weights={task: own for task, own in weights.items() if post.weights != OWN or task in TASKS},
        blend_on=post.blend_on,
        confident=confident,
        compound_mean=post.compound_mean,
    )


def kind_of(subject: Any) -> SubjectKind | None:
    """The kind of a loaded subject, by its methods; None for names, paths and everything else."""
    methods: dict[str, SubjectKind] = {"predict_frames": "predictions", "read": "landmarks", "crops": "affect"}
    return next((kind for method, kind in methods.items() if callable(getattr(subject, method, None))), None)


def _given(subject: Any) -> list[Any]:
    """The models of a subject: paths, names of bundles, analyzers; None is the default bundle."""
    if not isinstance(subject, Sequence) or isinstance(subject, str):
        return [subject]
    if not subject:
        raise ConfigError("at least one file or folder of predictions is needed")
    return list(subject)


def _kind_of_model(each: Any) -> Literal["head", "tables", "bundle", "file"]:
    if not isinstance(each, (str, Path)):
        return "bundle"
    path = Path(each)
    if is_regular_file(path / "head.json"):
        return "head"
    if is_regular_file(path / "model.json"):
        return "bundle"
    if is_folder(path):
        return "tables"
    is_path = isinstance(each, Path) or path_exists(path) or path.suffix
    return "file" if is_path and str(path) not in list_bundles() else "bundle"


def _model(
    each: Any, task_format: SubmissionFormat, crops: CropFolders | Path | None, features: Sequence[str | Path]
) -> Path | BundleOnCropFolder | HeadOnFrames:
    kind = _kind_of_model(each)
    if kind == "tables":
        return Path(each)
    if kind == "head":
        return HeadOnFrames(each, features)
    if crops is None:
        raise ConfigError(
            f"blends, smoothing and thresholds of bundles need the official crops of a challenge; {task_format.name} "
            "has none here"
        )
    return BundleOnCropFolder(load_affect(each, task_format.name), crops)


def _heads(
    paths: Sequence[Path], task_format: SubmissionFormat, features: Sequence[str | Path], post: PostProcessing
) -> HeadsOnFeatures:
    if task_format.name not in INTENSITY_LABELS:
        raise ConfigError(f"heads predict frames of videos or {' and '.join(INTENSITY_LABELS)}, not {task_format.name}")
    if post.decides:
        raise ConfigError("a clip has one prediction; leave out smoothing and thresholds")
    return HeadsOnFeatures(paths, features, weights=post.weights)


def _blend_on_images(
    analyzers: Sequence[Analyzer], task_format: SubmissionFormat, post: PostProcessing
) -> BlendOnImages:
    if post.decides:
        raise ConfigError(f"{task_format.name} has single images; leave out smoothing, thresholds and the filter")
    weights = complete_weights(post.weights, len(analyzers), [analyzer.spec.blend for analyzer in analyzers])
    return BlendOnImages(analyzers, weights.get("expr"), post.blend_on)


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
