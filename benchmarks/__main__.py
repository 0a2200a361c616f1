# SPDX-License-Identifier: Apache-2.0
"""`python -m benchmarks NAME [OPTIONS]`: the table of benchmarks, and the runner that calls one of them."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType

_TEST, _TRAIN = "pip install -e '.[test]'", "pip install -e '.[test,train]'"

USAGE_ERROR, MISSING_PACKAGE = 2, 5


@dataclass(frozen=True)
class Benchmark:
    """One entry of the table.

    Attributes:
        target: ``module:function``, imported when the benchmark runs. The function takes a list of arguments and
            returns an exit code.
        summary: one line for the listing.
        install: command that installs what the benchmark imports.
    """

    target: str
    summary: str
    install: str = _TEST


BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType(
    {
        "ablation": Benchmark(
            "benchmarks.training.ablation:main",
            "Train variants of one recipe under one budget; writes docs/research/ablation.md (hours).",
            _TRAIN,
        ),
        "adaptation": Benchmark(
            "benchmarks.trust.adaptation:main",
            "Error of adapted bundles against the number of examples; writes docs/research/adaptation.md (minutes).",
            "pip install -e '.[test,synthesis]'",
        ),
        "adaptive": Benchmark(
            "benchmarks.tracking.adaptive_rate:main",
            "Cost and accuracy of the adaptive frame rate; writes docs/research/adaptive.md.",
        ),
        "bundles": Benchmark(
            "benchmarks.training.shipped_bundles:main",
            "Rebuild the default bundles from the data: train, render, export, join, calibrate (hours).",
            "pip install -e '.[test,train,synthesis]'",
        ),
        "detectors": Benchmark(
            "benchmarks.detection.detector_race:main",
            "Face detectors side by side on held-out people; writes docs/research/detection.md (half an hour).",
        ),
        "domains": Benchmark(
            "benchmarks.training.domains:main",
            "Four ways to train on rendered faces beside real ones; writes docs/research/domains.md (half an hour).",
            _TRAIN,
        ),
        "doubtful-faces": Benchmark(
            "benchmarks.detection.doubt_fit:main",
            "Fit what decides on doubtful faces of mien-faces, on training people (ten minutes).",
        ),
        "doubtful-labels": Benchmark(
            "benchmarks.doubtful.doubtful_labels:main",
            "Claims about noisy, missing and foreign labels; writes docs/research/doubtful-labels.md (an hour).",
            _TRAIN,
        ),
        "explanations": Benchmark(
            "benchmarks.trust.explanations:main",
            "Deletion curves of saliency maps beside random orders; writes docs/research/explanations.md (minutes).",
        ),
        "face-starts": Benchmark(
            "benchmarks.training.face_starts:main",
            "Starts, crops, teacher and loss, each changed alone; writes docs/research/face-starts.md (half an hour).",
            _TRAIN,
        ),
        "gaps": Benchmark(
            "benchmarks.trust.gap_closing:main",
            "Gaps at equal geometry, and the cost of closing them; writes docs/research/gaps.md (minutes).",
        ),
        "geometry": Benchmark(
            "benchmarks.claims.geometry:main",
            "Claims about landmark geometry and PLS; completes docs/research/systems/pls-geometry.md (ten minutes).",
            _TRAIN,
        ),
        "identity": Benchmark(
            "benchmarks.training.identity:main",
            "Start weights that name persons, and what FER+ gains; writes docs/research/identity.md (half an hour).",
            _TRAIN,
        ),
        "landmark-teacher": Benchmark(
            "benchmarks.landmarks.landmark_teacher:main",
            "Label images with MediaPipe's landmarks and blendshapes (in an environment with mediapipe).",
            "pip install mediapipe pillow pyarrow",
        ),
        "lsd-chain": Benchmark(
            "benchmarks.chain.lsd_chain:main",
            "Synthetic faces, super-resolution, fine-tuning, blend; completes docs/research/lsd-chain.md (hours).",
            "pip install -e '.[test,train,synthesis,upscale]'",
        ),
        "multimodal": Benchmark(
            "benchmarks.claims.multimodal:main",
            "Claims about learning from weak labels; completes docs/research/systems/utterances.md (an hour).",
            _TRAIN,
        ),
        "panels": Benchmark(
            "benchmarks.trust.vote_panels:main",
            "How well two panels of raters agree on one picture of FER+; writes docs/research/panels.md (a minute).",
        ),
        "parity": Benchmark(
            "benchmarks.parity:main",
            "Outputs of mien's networks beside those of the authors' own code, on one random state (minutes).",
            _TRAIN,
        ),
        "performance": Benchmark(
            "benchmarks.performance.measurements:main",
            "Speed beside peers, memory and precisions; writes docs/research/performance.md (a quarter of an hour).",
            _TRAIN,
        ),
        "proofs": Benchmark(
            "benchmarks.proofs.abaw_proofs:main",
            "Challenge systems on FER+ faces; writes docs/research/proofs-abaw.md (an hour).",
            _TRAIN,
        ),
        "quality": Benchmark(
            "benchmarks.quality:main",
            "Fit the face quality model and measure it; writes its coefficients and two charts (minutes).",
        ),
        "regression-detection": Benchmark(
            "benchmarks.claims.regression_detection:main",
            "Does part detection help to regress points? Completes docs/research/systems/regression-detection.md "
            "(an hour).",
            _TRAIN,
        ),
        "results": Benchmark(
            "benchmarks.results.fill:main",
            "Train every network of the papers under one budget; writes docs/research/results.md (hours).",
            _TRAIN,
        ),
        "scale": Benchmark(
            "benchmarks.scale.scale_parts:main",
            "Cost of a thousand clips and of millions of rows; prints it (3 GB of disk).",
            _TRAIN,
        ),
        "seeds": Benchmark(
            "benchmarks.training.seeds:main",
            "Train the last stages of a recipe with several seeds; writes docs/research/seeds.md (hours).",
            _TRAIN,
        ),
        "systems": Benchmark(
            "benchmarks.systems.systems:main",
            "The orderings of the papers, each passed, failed or undecided; writes docs/research/systems.md (hours).",
            _TRAIN,
        ),
        "teacher": Benchmark(
            "benchmarks.training.teacher_chain:main",
            "The recipe mien-teacher from end to end, small; writes docs/research/teacher.md (a quarter of an hour).",
            _TRAIN,
        ),
        "teacher-agreement": Benchmark(
            "benchmarks.landmarks.teacher_agreement:main",
            "Distance between the landmark teacher's points of an image and of its mirror image; prints it.",
        ),
        "tracking": Benchmark(
            "benchmarks.tracking.tracker_accuracy:main",
            "MOTA and IDF1 of the face tracker on synthetic scenes; writes docs/research/tracking.md.",
        ),
        "training-speed": Benchmark(
            "benchmarks.training.training_speed:main",
            "Faces per second of the training loop beside a plain one; prints a table (a quarter of an hour).",
            _TRAIN,
        ),
        "trust": Benchmark(
            "benchmarks.trust.trust_cards:main",
            "Calibrate, audit and write the cards of bundles with new weights (a quarter of an hour).",
            "pip install -e '.[test,train,synthesis]'",
        ),
        "uncertainty": Benchmark(
            "benchmarks.trust.uncertainty:main",
            "Fit prediction sets, intervals and probes of a bundle, write them into it and measure them (minutes).",
            "pip install -e '.[test,synthesis]'",
        ),
        "unit-consistency": Benchmark(
            "benchmarks.landmarks.unit_consistency:main",
            "Action units of mirrored faces and within tracks; writes docs/research/unit-consistency.md (minutes).",
        ),
        "unit-smoothing": Benchmark(
            "benchmarks.proofs.unit_smoothing:main",
            "Mean F1 of smoothed action units with a correct filter and with a public notebook's slip; prints it.",
        ),
    }
)
"""Name -> benchmark, sorted by name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named benchmark with the remaining arguments.

    Returns:
        The exit code: 2 for a wrong call, 5 for a package that is not installed, otherwise the benchmark's own or the
        one that `mien` has for the error.
    """
    name, *rest = [*(sys.argv[1:] if arguments is None else arguments)] or [""]
    if name in ("-h", "--help"):
        print(overview())
        return 0
    if name not in BENCHMARKS:
        near = difflib.get_close_matches(name, BENCHMARKS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        message = f"there is no benchmark {name!r}.{hint}" if name else "name a benchmark."
        print(f"{message} `python -m benchmarks --help` lists all.", file=sys.stderr)
        return USAGE_ERROR
    module, _, function = BENCHMARKS[name].target.partition(":")
    try:
        code: int = getattr(import_module(module), function)(rest)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "benchmarks", "mien"):
            raise  # a defect of this repository, which no installation mends
        print(f"{name} needs {package}: {BENCHMARKS[name].install}", file=sys.stderr)
        return MISSING_PACKAGE
    except _mien_errors() as error:
        from mien.cli.main import exit_code

        print(f"{name}: {error}", file=sys.stderr)
        return exit_code(error)
    return code


def overview() -> str:
    """The text of ``--help``: usage and every benchmark with its summary."""
    width = max(map(len, BENCHMARKS))
    lines = [f"  {name:<{width}}  {benchmark.summary}" for name, benchmark in BENCHMARKS.items()]
    return "\n".join(
        [
            "usage: python -m benchmarks NAME [OPTIONS]",
            "",
            "Run from the repository root. `python -m benchmarks NAME --help` lists the options of a benchmark.",
            "",
            *lines,
        ]
    )


def _mien_errors() -> tuple[type[Exception], ...]:
    """The root of mien's errors; nothing in an environment without mien."""
    try:
        from mien.core import MienError
    except ModuleNotFoundError:
        return ()
    return (MienError,)


if __name__ == "__main__":
    sys.exit(main())
