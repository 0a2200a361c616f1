# SPDX-License-Identifier: Apache-2.0
"""The model card: what a bundle says of itself, as Markdown that also reads well on a terminal."""

from __future__ import annotations

from mien.core import ModelSpec, TaskSpec

_MAX_LISTED = 40


def model_card(spec: ModelSpec) -> str:
    """Everything in the spec that a person should know before trusting a number."""
    lines = [
        f"# {spec.name}, version {spec.version}",
        "",
        spec.weights_notice,
        f"The code is {spec.code_licence}. Made: {spec.provenance or 'not stated'}. Recipe: {spec.recipe or 'not stated'}.",
        "",
        "## In and out",
        "",
        f"Input: {spec.input.size_px} x {spec.input.size_px} px {spec.input.colour} crops, aligned by five points. "
        f"SHA-256 of the weights: `{spec.sha256}`.",
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
            lines += ["", f"Thresholds of {task.task} with the best F1 on faces set aside: {chosen}."]
        if task.inferred:
            inferred = ", ".join(task.inferred)
            lines += ["", f"Implied by other actions, not observed by the teacher: {inferred}."]
    lines += ["", "## Taught by", "", "| source | n | what for | licence |", "|---|---|---|---|"]
    lines += [
        f"| {source.name} | {source.n or '-'} | {source.role} | {source.licence} |" for source in spec.training_sources
    ]
    lines += [
        "",
        "## Measured",
        "",
        "On faces that neither taught nor tuned the weights; 95 % bootstrap intervals."
        if spec.metrics
        else "Not yet: `mien evaluate` measures it on data of yours.",
    ]
    for command in dict.fromkeys(metric.command for metric in spec.metrics):
        metrics = [metric for metric in spec.metrics if metric.command == command]
        lines += [
            "",
            f"{metrics[0].data}, by `{command}`:",
            "",
            "| measure | value | interval | n |",
            "|---|---|---|---|",
        ]
        lines += [f"| {f.name} | {f.value:.3f} | {f.low:.3f} to {f.high:.3f} | {f.n} |" for f in metrics]
    lines += ["", "## Limits", "", *(f"- {limit}" for limit in spec.limitations), ""]
    return "\n".join(lines)


def _labels(task: TaskSpec) -> str:
    labels = task.labels
    return ", ".join(labels) if len(labels) <= _MAX_LISTED else f"{labels[0]}, {labels[1]} ... {labels[-1]}"
