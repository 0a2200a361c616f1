# SPDX-License-Identifier: Apache-2.0
"""Scores tracks with TrackEval, in a process and an environment of its own.

    python benchmarks/tracking/score_tracks.py < sequences.json > scores.json

The benchmark ``tracking`` starts it with another interpreter, because TrackEval brings another OpenCV than mien's. The
input is a JSON list of sequences: ``name``, and for each frame the ``true`` and ``given`` track numbers and the
``overlaps`` of their boxes (IoU, one row per true track). The output has one object of metrics per sequence.
"""

import json
import sys
from typing import Any

import numpy as np
from trackeval.metrics import CLEAR, Identity


def scores_of(sequence: dict[str, Any]) -> dict[str, Any]:
    """MOTA and IDF1 of a sequence, with their counts."""
    frames = sequence["frames"]
    names = {kind: sorted({number for frame in frames for number in frame[kind]}) for kind in ("true", "given")}
    ids = {
        kind: [np.array([names[kind].index(number) for number in frame[kind]], dtype=int) for frame in frames]
        for kind in names
    }
    data = {
        "gt_ids": ids["true"],
        "tracker_ids": ids["given"],
        "similarity_scores": [
            np.array(frame["overlaps"], dtype=float).reshape(len(frame["true"]), len(frame["given"]))
            for frame in frames
        ],
        "num_timesteps": len(frames),
        "num_gt_ids": len(names["true"]),
        "num_tracker_ids": len(names["given"]),
        "num_gt_dets": sum(len(frame["true"]) for frame in frames),
        "num_tracker_dets": sum(len(frame["given"]) for frame in frames),
    }
    clear = CLEAR({"THRESHOLD": 0.5, "PRINT_CONFIG": False}).eval_sequence(data)
    identity = Identity({"THRESHOLD": 0.5, "PRINT_CONFIG": False}).eval_sequence(data)
    return {
        "name": sequence["name"],
        "n": data["num_gt_dets"],
        "tracks": len(names["true"]),
        "given": len(names["given"]),
        "switches": int(clear["IDSW"]),
        "missed": int(clear["CLR_FN"]),
        "false": int(clear["CLR_FP"]),
        "mota": float(clear["MOTA"]),
        "idf1": float(identity["IDF1"]),
        "idtp": int(identity["IDTP"]),
        "idfp": int(identity["IDFP"]),
        "idfn": int(identity["IDFN"]),
    }


if __name__ == "__main__":
    json.dump([scores_of(sequence) for sequence in json.load(sys.stdin)], sys.stdout)
