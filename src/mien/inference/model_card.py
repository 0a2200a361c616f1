# SPDX-License-Identifier: Apache-2.0
"""The model card: the description of a bundle as Markdown that also reads well on a terminal."""

from __future__ import annotations

from mien.core import GeometrySpec, ModelSpec, TaskSpec, UncertaintySpec

_MAX_LISTED = 40


def model_card(spec: ModelSpec) -> str:
    """What a user should know before trusting the predictions of a bundle: inputs, outputs, data, metrics, limits.

    Args:
        spec: Description of the bundle.

    Examples:
        >>> from mien.inference import load_spec
        >>> card = model_card(load_spec("mien-light"))
        >>> print(card.splitlines()[0])
        # mien-light, version 3
    """
    lines = [
        *_heading(spec),
        f"{_input(spec)} SHA-256 of the weights: `{spec.sha256}`.",
        "",
        "| task | labels | range | unit |",
        "|---|---|---|---|",
    ]
    lines += [f"| {t.task} | {_labels(t)} | {t.low:g} to {t.high:g} | {t.unit} |" for t in spec.tasks]
    for task in spec.tasks:
        if task.temperature != 1:
            lines += ["", f"Logits of {task.task} are divided by the temperature {task.temperature:g}."]
        if task.thresholds:
            pairs = zip(task.labels, task.thresholds, strict=True)
            chosen = ", ".join(f"{label} {threshold:g}" for label, threshold in pairs)
            rule = f", {task.threshold_rule}" if task.threshold_rule else ""
            lines += ["", f"Thresholds of {task.task}{rule}: {chosen}."]
        if task.inferred:
            inferred = ", ".join(task.inferred)
            lines += ["", f"Inferred from other actions, not observed by the teacher: {inferred}."]
    if spec.kind == "affect":
        lines += ["", _quality(spec)]
    if spec.uncertainty is not None:
        lines += ["", _uncertainty(spec.uncertainty)]
    lines += _history(spec)
    return "\n".join(lines)


def geometry_card(spec: GeometrySpec) -> str:
    """What a user should know before trusting the values of a geometry bundle.

    Args:
        spec: Description of the bundle.

    Examples:
        >>> from mien.inference import load_geometry
        >>> print(geometry_card(load_geometry().spec).splitlines()[0])
        # mien-geometry, version 1
    """
    lines = [
        *_heading(spec),
        f"Input: 68 landmarks in pixels, and no pixels; the distances between {_POINTS[spec.points]}, after a linear "
        f"map to the front, through {spec.n_components} components. SHA-256 of the weights: `{spec.sha256}`.",
        "",
        "| output | range | unit |",
        "|---|---|---|",
        "| arousal | -1 to 1 | mean rating on a scale from -1 to 1 |",
        "| valence | -1 to 1 | mean rating on a scale from -1 to 1 |",
        "| intensity | 0 to 1 | distance of both from neutral |",
        *_history(spec),
    ]
    return "\n".join(lines)


_POINTS = {
    "inner": "the 51 points without the jaw",
    "all": "all 68 points",
    "published": "the first 51 points (without the mouth)",
}


def _heading(spec: ModelSpec | GeometrySpec) -> list[str]:
    """The lines above the inputs: name, licences and where the weights come from."""
    return [
        f"# {spec.name}, version {spec.version}",
        "",
        spec.weights_notice,
        f"The code is {spec.code_licence}. Provenance: {spec.provenance or 'not stated'}. "
        f"Recipe: {spec.recipe or 'not stated'}.",
        "",
        "## Input and output",
        "",
    ]


def _history(spec: ModelSpec | GeometrySpec) -> list[str]:
    """Lines on training data, metrics and limitations."""
    lines = ["", "## Training data", "", "| source | n | role | licence |", "|---|---|---|---|"]
    lines += [
        f"| {source.name} | {source.n or '-'} | {source.role} | {source.licence} |" for source in spec.training_sources
    ]
    lines += [
        "",
        "## Metrics",
        "",
        "On faces that the weights were neither trained nor tuned on; 95 % bootstrap intervals."
        if spec.metrics
        else "None yet: `mien evaluate` computes them on your data.",
    ]
    for command in dict.fromkeys(metric.command for metric in spec.metrics):
        metrics = [metric for metric in spec.metrics if metric.command == command]
        lines += [
            "",
            f"{metrics[0].data}, by `{command}`:",
            "",
            "| metric | value | interval | n |",
            "|---|---|---|---|",
        ]
        lines += [f"| {m.name} | {m.value:.3f} | {m.low:.3f} to {m.high:.3f} | {m.n} |" for m in metrics]
    lines += ["", "## Limitations", "", *(f"- {limitation}" for limitation in spec.limitations), ""]
    return lines


_GIVEN = {
    "whole": "faces that are already cropped are resized",
    "aligned": "faces that are already cropped are aligned again by the landmark model",
}


def _input(spec: ModelSpec) -> str:
    colour, side = spec.input.colour, spec.input.size_px
    if spec.grid is None:
        return f"Input: {side} x {side} px {colour} crops, aligned by five keypoints; {_GIVEN[spec.crop.given]}."
    grid = spec.grid
    strides = ", ".join(map(str, grid.strides))
    return (
        f"Input: whole {colour} pictures whose sides are multiples of {grid.multiple_px} px; it was trained on windows "
        f"of {side} px. Each cell of {len(grid.strides)} grids ({strides} px) may be a face: from a confidence of "
        f"{grid.threshold:g} alone, from {grid.proposed:g} where second looks and a landmark model confirm it."
    )


def _quality(spec: ModelSpec) -> str:
    if spec.quality is None:
        return "There is no quality model for these weights: the quality of faces is unknown (NaN)."
    fitted = f"The quality of faces comes from a model that was fitted on {spec.quality.n} faces: {spec.quality.data}."
    if not spec.quality.hiding:
        return fitted
    hiding = spec.quality.hiding[0]
    return f"{fitted} It is lower where a face is hidden, as fitted to {hiding.n} copies of faces: {hiding.data}."


def _uncertainty(known: UncertaintySpec) -> str:
    return (
        f"Sets of possible expressions and intervals have a coverage of {known.coverage:g}; they were fitted to "
        f"{known.n} faces: {known.data}. Command: `{known.command}`."
    )


def _labels(task: TaskSpec) -> str:
    labels = task.labels
    return ", ".join(labels) if len(labels) <= _MAX_LISTED else f"{labels[0]}, {labels[1]} ... {labels[-1]}"
