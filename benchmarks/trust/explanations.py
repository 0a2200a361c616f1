# SPDX-License-Identifier: Apache-2.0
"""Deletion curves of saliency maps beside random orders, on held-out faces (minutes on one core).

python -m benchmarks explanations --data DATA --model NAME --page docs/research/explanations.md
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import create_parser
from benchmarks.machine import today
from benchmarks.page import measured_by
from mien.affect import Analyzer, explain_crop, fit_crop
from mien.core import DEFAULT_BUNDLE
from mien.datasets import load_fairface, load_ferplus, load_lfw
from mien.evaluation import bootstrap_metric
from mien.evaluation.face_crops import decode_pictures
from mien.faces import load_landmark_net
from mien.inference import machine_name

_NAME = "explanations"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the page."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--model", default=DEFAULT_BUNDLE, help="bundle")
    parser.add_argument("--n", type=int, default=40, help="faces of each set")
    parser.add_argument("--masks", type=int, default=400, help="masks of RISE")
    parser.add_argument("--page", type=Path, help="page to write")
    options = parser.parse_args(arguments)
    analyzer, net = Analyzer(options.model, threads=1), load_landmark_net()
    sets = {
        "FER+ valid": load_ferplus(options.data, "valid"),
        "FairFace val": load_fairface(options.data, "valid"),
        "LFW test people": load_lfw(options.data, "test"),
    }
    rows = []
    for name, samples in sets.items():
        some = samples.take(np.random.default_rng(0).permutation(len(samples))[: options.n])
        crops = [fit_crop(picture, analyzer.spec, net) for picture in decode_pictures(some)]
        for method in ("rise", "occlusion"):
            found = [explain_crop(analyzer, crop, method=method, n_masks=options.masks) for crop in crops]
            own = np.array([one.deletion_area for one in found])
            random = np.array([one.random_area for one in found])
            gain = random - own
            value = bootstrap_metric("gain", len(gain), lambda drawn, gain=gain: float(gain[drawn].mean()))
            rows.append(
                f"| {name} | {method} | {len(gain)} | {random.mean():.3f} | {own.mean():.3f} | "
                f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f}) | {(gain > 0).mean():.2f} |"
            )
            print(rows[-1], flush=True)
    text = "\n".join(
        [
            "# Explanations: deletion curves",
            "",
            "Area under the probability of the top expression while cells of the crop are blurred, from none to",
            "all: those that the map ranks highest first, beside the mean of five random orders. Lower means that",
            "the map finds what the prediction needs. Intervals are 95 % bootstrap intervals over faces that",
            "trained nothing.",
            "",
            f"{analyzer.spec.name} {analyzer.spec.version}, weights `{analyzer.spec.sha256[:12]}`, "
            f"RISE with {options.masks} masks.",
            "",
            "| faces | method | n | random | map | gain | faces with a gain |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            measured_by(_NAME, machine=machine_name(), date=today()),
            "",
        ]
    )
    if options.page:
        options.page.write_text(text, "utf-8")
    return 0
