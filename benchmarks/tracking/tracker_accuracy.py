# SPDX-License-Identifier: Apache-2.0
"""Accuracy of the face tracker on synthetic clips with known tracks; writes docs/research/tracking.md.

    python -m benchmarks tracking --data DATA --scorer PYTHON

PYTHON is the interpreter of an environment with ``trackeval``, which brings another OpenCV than mien's:

    python3 -m venv build/tracking-tools
    build/tracking-tools/bin/python -m pip install 'trackeval>=1.3,<2'
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ROOT, create_parser
from benchmarks.machine import today
from benchmarks.page import measured_by, notice, table, write_page
from benchmarks.tracking.moving_faces import SCENES, FacePatch, Scene, render_scene
from mien import __version__
from mien.affect import Analyzer
from mien.datasets import load_fairface
from mien.evaluation.face_crops import decode_pictures, with_keypoints
from mien.faces.boxes import iou
from mien.faces.detector import DETECTORS
from mien.inference import machine_name

_NAME = "tracking"
_N_CASTS = 4  # every scene is rendered with as many different sets of faces
_N_FACES = 5
_INTRODUCTION = """\
# Accuracy of face tracking

{notice}

`mien` follows faces by motion, landmarks and overlap, never by identity: a face that was absent for more than a
second, or on the other side of a cut, comes back under a new number ([you name the persons](../how-to/persons.md)).
A flash is no cut: where the scene before it comes back within a second, its faces keep their numbers. A gap in the
times of frames ends all tracks if it is longer than ten seconds and than four of the steps before it. A new face is
read in all four quarter turns where the landmark net is not quite sure of it, so that a head that lies or is upside
down is not taken for an upright one.

The landmark model runs on known faces in every frame. New faces are searched for on the first frame of a shot, each
tenth of a second while no face is known or one is missing, and otherwise each half second: of these searches every
fourth also finds faces of less than a sixteenth of the frame's width. Where nothing has changed since the last search
except at the known faces (a fixed camera), the search is left out, up to eight times in a row. `mien bench` counts
searches.

The clips are synthetic: faces of FairFace's validation split pasted on soft backdrops, {n_casts} sets of faces for each
scene, 270 or 360 lines, 25 frames per second. The ground truth is known by construction; a face counts as a new track
after a cut and after an absence longer than a second. Scores are TrackEval's (CLEAR MOT, Bernardin and Stiefelhagen
2008; IDF1, Ristani et al. 2016), at an IoU of 0.5 with the box that MTCNN gives the still face. Pasted faces do
not blur, turn or speak: real clips are harder. Every detector that is installed with mien runs on the same clips, with
the same constants of the tracker. With mien-faces more faces wait for the second search that confirms them, because its
confidence is lower. Confirming all of them at once raises MOTA of the five in a row from 0.911 to 0.927, but shows a
false face in a clip without faces, in which there is none otherwise: the constants stay.
"""
_HEADING = (*("scene", "true faces", "true tracks", "numbers given", "id switches", "missed", "false", "MOTA", "IDF1"),)


def load_casts(analyzer: Analyzer, data: Path) -> list[list[FacePatch]]:
    """Sets of faces of different people, each face with its box as the detector sees it.

    Raises:
        SystemExit: the data set has too few images with a single face.
    """
    patches: list[FacePatch] = []
    for image in decode_pictures(with_keypoints(load_fairface(data, "valid"))):
        padded = np.pad(image, ((40, 40), (40, 40), (0, 0)), mode="edge")
        faces = analyzer.image(padded)
        if len(faces) == 1 and faces.confidence[0] > 0.99:
            box = (faces.boxes[0] - 40) / len(image)
            if (box > 0.02).all() and (box < 0.98).all():
                patches.append(FacePatch(image, box))
        if len(patches) == _N_CASTS * _N_FACES:
            return [patches[start::_N_CASTS] for start in range(_N_CASTS)]
    raise SystemExit(f"{data}: too few FairFace images with a single face")


def track_scene(analyzer: Analyzer, scene: Scene, cast: list[FacePatch], seed: int) -> dict[str, Any]:
    """True and given track numbers of every frame of a scene, with the overlap of their boxes."""
    truth = list(render_scene(scene, cast, seed=seed))
    frames = [
        {
            "true": true.ids.tolist(),
            "given": frame.faces.track_ids.tolist(),
            "overlaps": iou(true.boxes, frame.faces.boxes).tolist(),
        }
        for true, frame in zip(truth, analyzer.frames(one.frame for one in truth), strict=True)
    ]
    return {"name": scene.name, "frames": frames}


def pooled_row(name: str, of: list[dict[str, Any]]) -> list[str]:
    """Cells of a table row over several clips: counts are added, ratios computed from the sums."""
    total = {key: sum(each[key] for each in of) for key in of[0] if key != "name"}
    mota = 1 - (total["missed"] + total["false"] + total["switches"]) / total["n"]
    idf1 = 2 * total["idtp"] / (2 * total["idtp"] + total["idfp"] + total["idfn"])
    counts = [total[key] for key in ("n", "tracks", "given", "switches", "missed", "false")]
    return [name, *map(str, counts), f"{mota:.3f}", f"{idf1:.3f}"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Render the scenes, track their faces, score the tracks and write the page."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument(
        "--scorer", type=Path, required=True, help="Python interpreter of an environment with trackeval"
    )
    chosen = parser.parse_args(arguments)
    casts = load_casts(Analyzer(threads=1), chosen.data)
    versions = [f"mien {__version__}"]
    lines: list[str] = []
    for name in DETECTORS:
        if DETECTORS[name].needs_model:
            continue
        analyzer = Analyzer(threads=1, detector=name)
        metrics = _scored(analyzer, casts, chosen.scorer)
        rows = [pooled_row(scene.name, [each for each in metrics if each["name"] == scene.name]) for scene in SCENES]
        rows.append(pooled_row("**all**", metrics))
        lines += [f"## Detector {name}", "", *table(_HEADING, rows), ""]
    versions.append(f"bundle {analyzer.spec.name}")
    introduction = _INTRODUCTION.format(notice=notice(_NAME, edit="benchmarks/tracking"), n_casts=_N_CASTS)
    provenance = measured_by(_NAME, *versions, machine=machine_name(), date=today())
    write_page(ROOT / "docs/research/tracking.md", [introduction, *lines, provenance])
    print("\n".join(lines))
    return 0


def _scored(analyzer: Analyzer, casts: list[list[FacePatch]], scorer: Path) -> list[dict[str, Any]]:
    """Metrics of every scene with every cast."""
    sequences = [track_scene(analyzer, scene, cast, seed) for seed, cast in enumerate(casts) for scene in SCENES]
    command = [str(scorer), str(Path(__file__).with_name("score_tracks.py"))]
    answer = subprocess.run(command, input=json.dumps(sequences), capture_output=True, text=True, check=True).stdout
    metrics: list[dict[str, Any]] = json.loads(answer)
    return metrics
