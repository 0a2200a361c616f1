# SPDX-License-Identifier: Apache-2.0
"""Saliency maps put to the test on held-out faces: curves beside random orders, and sanity checks (minutes).

python -m benchmarks explanations --data DATA --model NAME --page docs/research/explanations.md
"""

from __future__ import annotations

import dataclasses
import hashlib
import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from benchmarks import create_parser
from benchmarks.machine import today
from benchmarks.page import bundle_page, table, write_page
from mien.affect import Analyzer, Explanation, curve_area, explain_crop, fit_crop, insertion_curve, target_score
from mien.core import DEFAULT_BUNDLE, Image
from mien.datasets import load_fairface, load_ferplus, load_lfw
from mien.evaluation import bootstrap_metric
from mien.evaluation.face_crops import decode_pictures
from mien.faces import load_landmark_net
from mien.inference import find_bundle, load_spec, machine_name
from mien.training.export.bundle_files import write_bundle

_NAME = "explanations"
_METHODS = ("rise", "occlusion")
_N_RANDOM = 3
_LEAST_WEIGHTS = 64

Values = npt.NDArray[np.float64]


def shuffled_bundle(model: str, folder: Path, seed: int = 0) -> Path:
    """Write a bundle whose weights are those of another one, each tensor in a random order.

    Args:
        model: name or folder of the bundle.
        folder: folder of the new one.
        seed: seed of the order.
    """
    import onnx
    from onnx import numpy_helper

    rng = np.random.default_rng(seed)
    graph = onnx.load(find_bundle(model) / "model.onnx")
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.size >= _LEAST_WEIGHTS:
            mixed = rng.permutation(values.ravel()).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(mixed, tensor.name))
    content = graph.SerializeToString()
    digest = hashlib.sha256(content).hexdigest()
    write_bundle(folder, content, dataclasses.replace(load_spec(model), sha256=digest))
    return folder


def insertion_areas(analyzer: Analyzer, one: Explanation, seed: int) -> tuple[float, float]:
    """Area under the insertion curve of a map, and the mean area of random orders."""
    score = target_score(analyzer, one.target)
    rng = np.random.default_rng([seed, 2])
    random = [curve_area(insertion_curve(one.crop, rng.random(one.saliency.shape), score)) for _ in range(_N_RANDOM)]
    return curve_area(insertion_curve(one.crop, one.saliency, score)), float(np.mean(random))


def rank_correlation(first: Values, second: Values) -> float:
    """Spearman's rank correlation of two maps; 0 where one of them is flat."""
    ranks = [np.argsort(np.argsort(values.ravel(), kind="stable"), kind="stable") for values in (first, second)]
    if any(np.ptp(values) == 0 for values in (first, second)):
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])


def interval(values: Values, digits: int = 3) -> str:
    """Mean with its 95 % bootstrap interval over faces."""
    found = bootstrap_metric("mean", len(values), lambda rows: float(values[rows].mean()))
    return f"{found.value:+.{digits}f} ({found.low:+.{digits}f} to {found.high:+.{digits}f})"


def curve_rows(analyzer: Analyzer, name: str, crops: Sequence[Image], n_masks: int) -> list[list[str]]:
    """A row for each method: gains of deletion and insertion over random orders.

    Args:
        analyzer: analyzer of the bundle.
        name: name of the set.
        crops: aligned crops.
        n_masks: masks of RISE.
    """
    rows = []
    for method in _METHODS:
        found = [explain_crop(analyzer, crop, method=method, n_masks=n_masks, n_prototypes=0) for crop in crops]
        deleted = np.array([one.random_area - one.deletion_area for one in found])
        shown = np.array([np.subtract(*insertion_areas(analyzer, one, row)) for row, one in enumerate(found)])
        both = (deleted > 0).mean(), (shown > 0).mean()
        rows.append(
            [name, method, str(len(found)), interval(deleted), interval(shown), *(f"{one:.2f}" for one in both)]
        )
        print(*rows[-1], sep="; ", flush=True)
    return rows


def sanity_rows(analyzer: Analyzer, crops: Sequence[Image], n_masks: int) -> list[list[str]]:
    """Rank correlations of the maps of RISE with those of other masks and of shuffled weights.

    Args:
        analyzer: analyzer of the bundle.
        crops: aligned crops.
        n_masks: masks of RISE.
    """
    explain = partial(explain_crop, n_masks=n_masks, n_prototypes=0)
    first = [explain(analyzer, crop) for crop in crops]

    def correlations(other: Callable[[Explanation], Explanation]) -> Values:
        return np.array([rank_correlation(one.saliency, other(one).saliency) for one in first])

    with TemporaryDirectory(prefix="mien-") as folder:
        strange = Analyzer(shuffled_bundle(str(analyzer.bundle.folder), Path(folder) / "shuffled"), threads=1)
        cases = {
            "other masks of the same network": correlations(
                lambda one: explain(analyzer, one.crop, target=one.target, seed=1)
            ),
            "the same masks, weights in a random order": correlations(
                lambda one: explain(strange, one.crop, target=one.target)
            ),
        }
    return [[name, str(len(values)), interval(values, 2)] for name, values in cases.items()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the page."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--model", default=DEFAULT_BUNDLE, help="bundle")
    parser.add_argument("--n", type=int, default=60, help="faces of each set")
    parser.add_argument("--masks", type=int, default=400, help="masks of RISE")
    parser.add_argument("--page", type=Path, help="page to write")
    options = parser.parse_args(arguments)
    analyzer, net = Analyzer(options.model, threads=1), load_landmark_net()
    sets = {
        "FER+ valid": load_ferplus(options.data, "valid"),
        "FairFace val": load_fairface(options.data, "valid"),
        "LFW test people": load_lfw(options.data, "test"),
    }
    rows, checked = [], []
    for name, samples in sets.items():
        some = samples.take(np.random.default_rng(0).permutation(len(samples))[: options.n])
        crops = [fit_crop(picture, analyzer.spec, net) for picture in decode_pictures(some)]
        rows += curve_rows(analyzer, name, crops, options.masks)
        checked += crops[: options.n // 2]
    about = (
        "Does a map find what the prediction needs? Deletion blurs the cells of the crop that the map ranks highest, "
        "insertion shows them first; the area under the probability of the top expression is compared with random "
        "orders of the same cells on the same face. A gain above 0 is better than random, for both curves. Intervals "
        "are 95 % bootstrap intervals over faces that trained nothing; the faces are the first of a random order."
    )
    sanity = (
        "Sanity checks of RISE on half of these faces: rank correlation of two maps. A map that shows the network and "
        "not the picture changes when the weights do (Adebayo et al., NeurIPS 2018), and stays with other masks."
    )
    header = ["faces", "method", "n", "gain of deletion", "gain of insertion", "deletion above 0", "insertion above 0"]
    sections = [
        [f"RISE has {options.masks} masks.", "", *table(header, rows)],
        [
            *textwrap.wrap(sanity, 120),
            "",
            *table(["maps", "n", "correlation"], sanity_rows(analyzer, checked, options.masks)),
        ],
    ]
    of = "" if analyzer.spec.name == DEFAULT_BUNDLE else f" of {analyzer.spec.name}"
    title = f"Explanations{of}: curves and sanity checks"
    page = bundle_page(_NAME, title, about, analyzer.spec, sections, machine=machine_name(), date=today())
    if options.page:
        write_page(options.page, page)
    return 0
