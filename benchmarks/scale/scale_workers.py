# SPDX-License-Identifier: Apache-2.0
"""Time of `mien analyze` over films and photos with one process and with workers, in turns."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from skimage import data

from benchmarks.machine import user_environment
from benchmarks.performance.synthetic_clips import make_long
from benchmarks.scale.scale_files import write_clips

_N_FILMS, _N_PHOTOS = 4, 100
_PHOTO_SIDES = (224, 400, 640)


def write_films(folder: Path, seconds: float) -> Path:
    """Write films of a moving face, 240 x 240, of that length."""
    clips = folder / "clips"
    clips.mkdir()
    films = folder / "films"
    films.mkdir()
    for number, clip in enumerate(write_clips(clips, _N_FILMS)):
        make_long(films / f"{number}.mp4", clip, seconds / 60)
    return films


def write_photos(folder: Path) -> Path:
    """Write photos of one face at several sizes, no two equal."""
    photos = folder / "photos"
    photos.mkdir()
    face = data.astronaut()[0:240, 110:350]
    for number in range(_N_PHOTOS):
        moved = PillowImage.fromarray(np.ascontiguousarray(np.roll(face, number, axis=1)))
        side = _PHOTO_SIDES[number % len(_PHOTO_SIDES)]
        content = io.BytesIO()
        moved.resize((side, side)).save(content, "JPEG")
        (photos / f"{number:03d}.jpg").write_bytes(content.getvalue())
    return photos


def in_turns(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each command in each round, from its start to its end; the order is reversed in every second round.

    Raises:
        SystemExit: A command fails.
    """
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds):
        for name in list(commands)[:: 1 if number % 2 == 0 else -1]:
            with tempfile.TemporaryDirectory() as out:
                started = time.perf_counter()
                command = [
                    sys.executable,
                    "-P",
                    "-m",
                    "mien",
                    "analyze",
                    *commands[name],
                    "--out",
                    f"{out}/",
                    "--quiet",
                ]
                done = subprocess.run(command, env=user_environment(), capture_output=True, text=True, check=False)
                seconds[name].append(time.perf_counter() - started)
            if done.returncode:
                raise SystemExit(f"mien analyze ended with {done.returncode}: {done.stderr}")
    return seconds


def measure_workers(film_s: float = 45, rounds: int = 3) -> None:
    """Time films, photos and photos that share a table, each alone and with two workers, and print the least times."""
    with tempfile.TemporaryDirectory() as name:
        films, photos = str(write_films(Path(name), film_s)), str(write_photos(Path(name)))
        inputs = {
            f"{_N_FILMS} videos of {film_s:g} s": [films],
            f"{_N_PHOTOS} photos": [photos],
            f"{_N_PHOTOS} photos in one shard": [photos, "--shard-size", "10000"],
        }
        for label, command in inputs.items():
            found = in_turns({"alone": command, "workers": [*command, "--workers", "2"]}, rounds)
            alone, workers = min(found["alone"]), min(found["workers"])
            print(f"{label}: {alone:.1f} s, with two workers {workers:.1f} s ({workers / alone:.2f})", flush=True)
