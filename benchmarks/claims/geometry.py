# SPDX-License-Identifier: Apache-2.0
"""Claims about landmark geometry and partial least squares on FER+ faces.

Completes docs/research/systems/pls-geometry.md.

    python -m benchmarks geometry --data DATA --work WORK

Every seed draws its own training faces from FER+ train; FER+ valid fits nothing. A claim is supported where the 95 %
interval of the paired differences over the seeds is above 0, not supported where it is below, else undecided:

1. The map to the front makes faces more accurate that look aside (yaw beyond 25 degrees).
2. The 51 points without the jaw are more accurate than the first 51 of the public code.
3. All 68 points are more accurate than the 51.
4. 31 components are more accurate than 9.

An interrupted run resumes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ROOT, create_parser
from benchmarks.claims.verdicts import Difference, KeptResults, paired, spread
from benchmarks.machine import today
from benchmarks.page import measured_by, replace_between, table, write_page
from mien.faces import frontal_shapes, normalized_shapes, shape_distances
from mien.inference import machine_name
from mien.metrics import ccc
from mien.training import GeometryRecipe, load_geometry_recipe, load_source
from mien.training.data.training_set import TrainingSet
from mien.training.geometry.geometry_training import affect_targets, fit_distances, frontal_map, landmarks_of
from mien.training.recipes.geometry_recipe import GeometrySettings

_NAME = "geometry"
_PAGE = ROOT / "docs" / "research" / "systems" / "pls-geometry.md"
_MARKS = ("<!-- results: written by `python -m benchmarks geometry` -->\n", "<!-- end of results -->")
_ASIDE_RAD = np.deg2rad(25.0)
_COMPONENTS = (1, 9, 31)
_VARIANTS = {
    "51 points, turned to the front": GeometrySettings(points="inner"),
    "51 points, as they are": GeometrySettings(points="inner", frontal="none"),
    "first 51 points (public code), turned": GeometrySettings(points="published"),
    "68 points, turned": GeometrySettings(points="all"),
}
_OUTPUTS = ("arousal", "valence", "intensity")


def evaluate_variant(
    recipe: GeometryRecipe, train: TrainingSet, valid: TrainingSet, *, n: int, seed: int
) -> dict[str, float]:
    """CCC of each output by number of components, on all validation faces and on those that look aside.

    Args:
        recipe: with the variant's settings.
        train: faces to draw n of, without replacement.
        valid: faces to evaluate on.
        n: number of faces to fit on; all if there are fewer.
        seed: of the draw.
    """
    rows = np.random.default_rng(seed).permutation(len(train))[:n]
    drawn, settings = train.take(rows), recipe.geometry
    frontal = frontal_map(replace(recipe, seed=seed), drawn)

    def distances(samples: TrainingSet) -> np.ndarray[Any, np.dtype[np.float64]]:
        shapes = frontal_shapes(normalized_shapes(landmarks_of(samples)), frontal)
        return shape_distances(shapes, settings.points).astype(np.float64)

    fitted = fit_distances(distances(drawn), affect_targets(drawn), settings.components)
    truth, inputs = affect_targets(valid), distances(valid)
    aside = np.abs(np.asarray(valid.inputs[:, 137])) > _ASIDE_RAD  # type: ignore[index]
    found: dict[str, float] = {}
    for components in {*(number for number in _COMPONENTS if number < settings.components), settings.components}:
        predicted = np.clip(fitted.predict(inputs, components), -1, 1)
        for column, output in enumerate(_OUTPUTS):
            found[f"{output} {components}"] = ccc(predicted[:, column], truth[:, column])
            if components == settings.components and aside.any():
                found[f"{output} aside"] = ccc(predicted[aside, column], truth[aside, column])
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit all variants with all seeds, and write the results into the page."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the open face sets (docs/how-to/training.md)"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of the results; a run resumes from there")
    parser.add_argument("--faces", type=int, default=8000, help="number of training faces per seed [8000]")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds [5]")
    parser.add_argument("--page", type=Path, default=_PAGE, help="page to complete")
    options = parser.parse_args(arguments)
    recipe = load_geometry_recipe("pls-geometry")
    train, valid = (load_source(one[0], options.data, recipe) for one in (recipe.data.sources, recipe.data.valid))
    kept = KeptResults(options.work / f"{_NAME}.json")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in _VARIANTS}
    for seed in range(1, options.seeds + 1):
        for name, settings in _VARIANTS.items():
            variant = replace(recipe, geometry=settings)
            compute = partial(evaluate_variant, variant, train, valid, n=options.faces, seed=seed)
            found[name].append(kept.get(f"{name}, {options.faces} faces, seed {seed}", compute))
    lines = report(found)
    facts = (f"{options.faces} training faces and {options.seeds} seeds", f"{len(valid)} validation faces")
    lines += ["", measured_by(_NAME, *facts, machine=machine_name(), date=today()), ""]
    text = options.page.read_text("utf-8")
    write_page(options.page, replace_between(text, {_MARKS: "\n".join(lines)}).splitlines())
    print("\n".join(lines))
    return 0


def report(found: dict[str, list[dict[str, float]]]) -> list[str]:
    """The table of all variants and the verdicts, as lines of Markdown."""
    columns = ["arousal 31", "valence 31", "intensity 31", "arousal aside", "valence aside"]
    heading = ["variant", "CCC arousal", "CCC valence", "CCC intensity", "arousal, looking aside", "valence, aside"]
    rows = [[name, *(spread([run[key] for run in runs]) for key in columns)] for name, runs in found.items()]
    main_variant = found["51 points, turned to the front"]
    for components in _COMPONENTS[:-1]:
        cells = [spread([run[f"{output} {components}"] for run in main_variant]) for output in _OUTPUTS]
        rows.append([f"51 points, turned, {components} component{'s' * (components > 1)}", *cells, "", ""])
    claims = [[claim, str(difference), difference.verdict] for claim, difference in _claims(found).items()]
    return [
        *table(heading, rows),
        "",
        "Means over the seeds, standard deviations in brackets. Claims, as the mean of arousal and valence:",
        "",
        *table(["claim", "difference in CCC, 95 % interval", "verdict"], claims),
    ]


def _claims(found: dict[str, list[dict[str, float]]]) -> dict[str, Difference]:
    turned, as_is, public, whole = (list(found[name]) for name in _VARIANTS)

    def mean(runs: list[dict[str, float]], key: str) -> list[float]:
        return [(run[f"arousal {key}"] + run[f"valence {key}"]) / 2 for run in runs]

    return {
        "the map to the front helps faces that look aside": paired(mean(turned, "aside"), mean(as_is, "aside")),
        "the 51 points without the jaw beat the first 51": paired(mean(turned, "31"), mean(public, "31")),
        "all 68 points beat the 51": paired(mean(whole, "31"), mean(turned, "31")),
        "31 components beat 9": paired(mean(turned, "31"), mean(turned, "9")),
    }
