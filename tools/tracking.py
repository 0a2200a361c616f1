# SPDX-License-Identifier: Apache-2.0
"""How well faces are followed, on made clips with known tracks; writes docs/tracking.md.

    python tools/tracking.py --data DATA --scorer PYTHON     (or: make tracking)

PYTHON is an environment with ``trackeval``, see ``tools/score_tracks.py``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from mien import __version__
from mien.affect import Analyzer
from mien.datasets import load_fairface
from mien.evaluation.face_crops import decode_pictures, with_points
from mien.evaluation.moving_faces import SCENES, Patch, Scene, film
from mien.faces.boxes import iou

_ROOT = Path(__file__).resolve().parent.parent
_N_CASTS = 4  # every scene is played by as many different casts
_N_FACES = 5
_INTRODUCTION = """\
# How well faces are followed

<!-- Written by `make tracking`; change tools/tracking.py. -->

`mien` follows faces by motion, points and overlap, never by who somebody is: a face that was away for more than a
second, or on the other side of a cut, comes back under a new number ([who is who](persons.md) puts names to numbers).

The landmark net reads known faces in every frame. New ones are looked for on the first frame of a shot, each tenth of a
second while no face is known or one is missing, and otherwise each half second: of these searches every fourth also
finds faces of less than a sixteenth of the picture's width. Where nothing has changed since the last search but what is
at the known faces (a fixed camera), the search is left out, up to eight times running. `mien bench` counts searches.

The clips are made: faces of FairFace's validation part pasted on soft backdrops, {n_casts} casts for each scene, 270 or
360 lines, 25 frames a second. The truth is known by construction, and counts anew after cuts and absences longer than a
second. Scores are TrackEval's (CLEAR MOT, Bernardin and Stiefelhagen 2008; IDF1, Ristani et al. 2016), at an IoU of .5
with the box that the detector gives the still face. Pasted faces do not blur, turn or speak: real clips are harder.

| scene | true faces | true tracks | numbers given | id switches | missed | false | MOTA | IDF1 |
|---|---|---|---|---|---|---|---|---|
"""


def casts(analyzer: Analyzer, data: Path) -> list[list[Patch]]:
    """Faces of different people, each with its box as the detector sees it."""
    patches: list[Patch] = []
    for image in decode_pictures(with_points(load_fairface(data, "val"))):
        roomy = np.pad(image, ((40, 40), (40, 40), (0, 0)), mode="edge")
        faces = analyzer.image(roomy)
        if len(faces) == 1 and faces.scores[0] > 0.99:
            box = (faces.boxes[0] - 40) / len(image)
            if (box > 0.02).all() and (box < 0.98).all():
                patches.append(Patch(image, box))
        if len(patches) == _N_CASTS * _N_FACES:
            return [patches[start::_N_CASTS] for start in range(_N_CASTS)]
    raise SystemExit(f"{data}: too few faces that stand alone in their picture")


def followed(analyzer: Analyzer, scene: Scene, cast: list[Patch], seed: int) -> dict[str, Any]:
    """True and given numbers of every frame of a scene, with the overlap of their boxes."""
    truth = list(film(scene, cast, seed=seed))
    frames = [
        {
            "true": true.ids.tolist(),
            "given": frame.faces.track_ids.tolist(),
            "overlaps": iou(true.boxes, frame.faces.boxes).tolist(),
        }
        for true, frame in zip(truth, analyzer.frames(one.frame for one in truth), strict=True)
    ]
    return {"name": scene.name, "frames": frames}


def row(name: str, of: list[dict[str, Any]]) -> str:
    """A line of the table: counts are added, ratios made from the sums."""
    total = {key: sum(each[key] for each in of) for key in of[0] if key != "name"}
    mota = 1 - (total["missed"] + total["false"] + total["switches"]) / total["n"]
    idf1 = 2 * total["idtp"] / (2 * total["idtp"] + total["idfp"] + total["idfn"])
    counts = [total[key] for key in ("n", "tracks", "given", "switches", "missed", "false")]
    return f"| {name} | {' | '.join(map(str, counts))} | {mota:.3f} | {idf1:.3f} |"


def main() -> None:
    """Film, follow, score, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scorer", type=Path, required=True, help="Python of an environment with trackeval.")
    arguments = parser.parse_args()
    analyzer = Analyzer(threads=1)
    sequences = [
        followed(analyzer, scene, cast, seed)
        for seed, cast in enumerate(casts(analyzer, arguments.data))
        for scene in SCENES
    ]
    scorer = [str(arguments.scorer), str(_ROOT / "tools/score_tracks.py")]
    answer = subprocess.run(scorer, input=json.dumps(sequences), capture_output=True, text=True, check=True).stdout
    scores = json.loads(answer)
    lines = [row(scene.name, [each for each in scores if each["name"] == scene.name]) for scene in SCENES]
    lines.append(row("**all**", scores))
    made = f"\nMade by `make tracking` with mien {__version__}, bundle {analyzer.spec.name}.\n"
    page = _INTRODUCTION.format(n_casts=_N_CASTS) + "\n".join(lines) + "\n" + made
    (_ROOT / "docs/tracking.md").write_text(page, encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
