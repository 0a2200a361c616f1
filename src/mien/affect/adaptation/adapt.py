# SPDX-License-Identifier: Apache-2.0
"""`adapt`: an overlay for one person or one site from a few labelled or neutral faces."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mien._version import __version__
from mien.affect.adaptation.corrections import values_before_activation
from mien.affect.adaptation.fit import (
    MIN_EXAMPLES,
    MIN_NEUTRAL,
    NEUTRAL_CAUTION,
    fit_expression,
    fit_neutral,
    fit_offsets,
    joined_corrections,
)
from mien.affect.adaptation.unit_fit import fit_units
from mien.affect.analyzer import Analyzer
from mien.core import (
    ADAPTATION_VERSION,
    ADAPTED_TASKS,
    Adaptation,
    AnalyzerConfig,
    ConfigError,
    Float32,
    Float64,
    InputError,
    PathName,
    TaskCorrection,
    TaskSpec,
    is_folder,
    is_value_name,
    label_value,
)
from mien.media import read_image

MAX_EXAMPLES = 10_000
"""Largest number of examples that are read."""

_IMAGE = "image"
_EXPRESSION = "expression"


@dataclass(frozen=True, eq=False, kw_only=True)
class Examples:
    """Images of faces with their labels.

    Attributes:
        images: N images, as `mien.Analyzer.image` takes them.
        expression: N expressions; None where unknown.
        values: Name (``"valence"``, ``"arousal"`` or an action unit) -> (N,) labels, NaN where unknown; action units
            are 0 or 1, or a probability.
    """

    images: Sequence[object]
    expression: tuple[str | None, ...]
    values: Mapping[str, Float64]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def all_neutral(self) -> bool:
        """Whether every face is labelled neutral and nothing else is known."""
        return set(self.expression) == {"neutral"} and not any(
            np.isfinite(values).any() for values in self.values.values()
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class ExampleOutputs:
    """What a bundle gives for examples, before any activation.

    Attributes:
        rows: (N,) which examples have a face.
        outputs: Output name -> (N, L) of those examples.
    """

    rows: tuple[int, ...]
    outputs: Mapping[str, Float32]


def read_examples(path: PathName) -> Examples:
    """Examples from a CSV file, or the images of a folder, which then are all neutral faces.

    The CSV has a column ``image`` (a path, relative to the CSV) and any of ``expression``, ``valence``, ``arousal`` and
    action units such as ``AU12`` (0 or 1); empty cells are unknown. Without a column of labels every face is neutral.

    Args:
        path: Path of the CSV or of the folder.

    Raises:
        InputError: The file cannot be read, or a row is malformed; the message names it.
    """
    path = Path(path)
    if is_folder(path):
        images: list[object] = [found for found in sorted(path.iterdir()) if found.suffix.lower() in _IMAGES]
        if not images:
            raise InputError(f"{path}: the folder holds no image ({', '.join(sorted(_IMAGES))})")
        return Examples(images=images, expression=("neutral",) * len(images), values={})
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from error
    if not rows or _IMAGE not in rows[0]:
        raise InputError(f"{path}: needs the column {_IMAGE!r} and at least one row")
    if len(rows) > MAX_EXAMPLES:
        raise InputError(f"{path}: has {len(rows)} rows; the first {MAX_EXAMPLES} are more than enough")
    columns = [name for name in rows[0] if name not in (_IMAGE, _EXPRESSION) and is_value_name(name)]
    labelled = columns or _EXPRESSION in rows[0]
    return Examples(
        images=[path.parent / str(row[_IMAGE]) for row in rows],
        expression=tuple((row.get(_EXPRESSION) or None) if labelled else "neutral" for row in rows),
        values={
            name: np.array([label_value(f"{path}: line {i}", name, row[name]) for i, row in enumerate(rows, 2)])
            for name in columns
        },
    )


def adapt(model: PathName | AnalyzerConfig, examples: Examples | PathName) -> Adaptation:
    """Fit the corrections of a bundle for one person or one site.

    With labels, expressions get a bias and a temperature, action units a bias (and a temperature where the examples
    label all of them), valence and arousal an offset. Neutral faces move action units, and valence and arousal where
    there are no labels, towards what neutral faces of many people have; the bundle's calibration says what that is.
    They say nothing about other expressions, whose probabilities stay. Each correction is shrunk, and left out unless
    leave-one-out shows less error with it.

    Args:
        model: Bundle by name or folder, or the options of an analyzer.
        examples: 5 to about 50 images of the person or site, or the path of a CSV or folder (`read_examples`).

    Returns:
        The overlay; ``tasks`` is empty where nothing helps, and it then changes nothing.

    Raises:
        ConfigError: There are fewer than 5 faces, an expression or action unit is not the bundle's, or all faces are
            neutral and the bundle's calibration does not say what neutral faces have.
        InputError: An image or the CSV cannot be read.
    """
    config = model if isinstance(model, AnalyzerConfig) else AnalyzerConfig(model=str(model))
    analyzer = Analyzer(replace(config, adapt=None, faces="largest"))
    given = examples if isinstance(examples, Examples) else read_examples(examples)
    return fit_adaptation(analyzer, given, example_outputs(analyzer, given))


def example_outputs(analyzer: Analyzer, examples: Examples) -> ExampleOutputs:
    """The raw outputs for the largest face of every image; images without a face are left out.

    Raises:
        InputError: An image cannot be read.
    """
    rows, parts = [], []
    for row, image in enumerate(examples.images):
        frame = analyzer.raw_image(read_image(image, name=f"example {row + 1}"))
        if frame.outputs:
            rows.append(row)
            parts.append(frame.outputs)
    names = parts[0] if parts else {}
    return ExampleOutputs(rows=tuple(rows), outputs={name: np.concatenate([p[name] for p in parts]) for name in names})


def fit_adaptation(analyzer: Analyzer, examples: Examples, found: ExampleOutputs) -> Adaptation:
    """As `adapt`, for outputs that are computed already.

    Raises:
        ConfigError: As for `adapt`.
    """
    n = len(found.rows)
    if n < MIN_EXAMPLES:
        raise ConfigError(
            f"an adaptation needs at least {MIN_EXAMPLES} faces, and {n} of the {len(examples)} images have one"
        )
    _check_names(analyzer, examples)
    tasks = _of_neutral(analyzer, found) if examples.all_neutral else _of_labels(analyzer, examples, found)
    spec = analyzer.spec
    return Adaptation(
        adaptation_version=ADAPTATION_VERSION,
        bundle=spec.name,
        sha256=spec.sha256,
        n_examples=n,
        examples="neutral" if examples.all_neutral else "labels",
        tasks={name: correction for name, correction in tasks.items() if correction is not None},
        made_by=__version__,
    )


def _of_neutral(analyzer: Analyzer, found: ExampleOutputs) -> dict[str, TaskCorrection | None]:
    spec = analyzer.spec
    levels = spec.uncertainty.neutral_levels if spec.uncertainty else {}
    if not levels:
        raise ConfigError(
            f"the bundle {spec.name} does not say what neutral faces have, so neutral examples say nothing about "
            "the person; give labels, or calibrate it with python -m benchmarks uncertainty"
        )
    fits = {}
    for name in ("valence_arousal", "action_units"):
        task = spec.task(name)
        if task is not None:
            own = values_before_activation(found.outputs, task)
            fits[name] = fit_neutral(own, task.labels, levels, caution=NEUTRAL_CAUTION[name])
    return fits


def _of_labels(analyzer: Analyzer, examples: Examples, found: ExampleOutputs) -> dict[str, TaskCorrection | None]:
    spec, rows = analyzer.spec, list(found.rows)
    fits: dict[str, TaskCorrection | None] = {}
    expression, affect, units = (spec.task(name) for name in ADAPTED_TASKS)
    labels = [examples.expression[row] for row in rows]
    known = np.array([label is not None for label in labels], np.bool_)
    if expression is not None and known.sum() >= MIN_EXAMPLES and len({label for label in labels if label}) > 1:
        targets = np.array([expression.labels.index(label) for label in labels if label])
        logits = values_before_activation(found.outputs, expression)[known]
        fits["expression"] = fit_expression(logits, targets, expression.labels)
    unknown = np.full(len(rows), np.nan)

    def truth(task: TaskSpec) -> Float64:
        return np.stack([examples.values[k][rows] if k in examples.values else unknown for k in task.labels], axis=1)

    if affect is not None:
        fits[affect.task] = fit_offsets(values_before_activation(found.outputs, affect), truth(affect), affect.labels)
    if units is not None:
        levels = spec.uncertainty.neutral_levels if spec.uncertainty else {}
        neutral = np.array([label == "neutral" for label in labels], np.bool_)
        own = values_before_activation(found.outputs, units)
        fits[units.task] = fit_units(own, truth(units), units.labels, neutral=neutral, levels=levels)
        if neutral.sum() >= MIN_NEUTRAL:
            at_rest = fit_neutral(own[neutral], units.labels, levels, caution=NEUTRAL_CAUTION[units.task])
            fits[units.task] = joined_corrections(fits[units.task], at_rest)
    return fits


def _check_names(analyzer: Analyzer, examples: Examples) -> None:
    spec = analyzer.spec
    known = {name: (task.labels if (task := spec.task(name)) else ()) for name in ADAPTED_TASKS}
    strange = sorted({label for label in examples.expression if label} - set(known["expression"]))
    if strange:
        raise ConfigError(f"{spec.name} has no expression {strange[0]!r}; choose from {', '.join(known['expression'])}")
    others = sorted(set(examples.values) - {*known["valence_arousal"], *known["action_units"]})
    if others:
        raise ConfigError(f"{spec.name} does not predict {', '.join(others)}; leave the column out")


_IMAGES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
