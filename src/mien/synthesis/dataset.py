# SPDX-License-Identifier: Apache-2.0
"""Writes synthetic data sets: shards of Parquet, folders of images, the layout of LSD, or clips."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import cv2
import pyarrow as pa
import pyarrow.parquet as pq

from mien._version import __version__
from mien.core import ACTION_UNITS, EXPRESSION_ORDERS, ConfigError, OutputError, check_number, read_regular
from mien.jobs import Done, Emit, Engine, Event, Failed, Work, create_engine
from mien.media import VideoWriter, encode_jpeg
from mien.results import atomic_write, output_errors
from mien.synthesis.clips import clip_frames
from mien.synthesis.head.makehuman import cached_basis
from mien.synthesis.synthesis_recipe import MAX_FACES, SynthesisRecipe
from mien.synthesis.synthetic_faces import LABELLED_UNITS, SIDED_UNITS, Identity, SyntheticFace

Format = Literal["parquet", "folder", "lsd", "clips"]
FORMATS: tuple[Format, ...] = ("parquet", "folder", "lsd", "clips")
"""Ways to write a data set."""

MANIFEST = "synthesis.json"
"""File of the output folder that records recipe, number and generator; a resumed run continues with the same ones."""

_FACES_PER_SHARD = 512
_CLIPS_PER_SHARD = 8
_LSD_FOLDER = "training_set_synthetic_images"
_NOT_DRAWING = "super_resolution"
_ADVICE = "free some space or choose another folder with --out"


@dataclass(frozen=True)
class Shard:
    """A share of the identities of a run.

    Attributes:
        number: Number of the shard, from 0.
        first: First identity.
        faces: Number of faces of each of its identities.
    """

    number: int
    first: int
    faces: tuple[int, ...]


@dataclass(frozen=True)
class SynthesisReport:
    """Result of a run.

    Attributes:
        n_faces: Number of images or frames that the output folder holds.
        n_written: Number of those that this run wrote; the rest was there.
        failures: Shard and reason of each that failed.
    """

    n_faces: int
    n_written: int
    failures: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Setup:
    """Picklable factory of the work of one process."""

    recipe: SynthesisRecipe
    folder: Path
    form: Format

    def __call__(self) -> Work:
        cv2.setNumThreads(1)  # each worker has one core

        def work(shard: Shard, emit: Emit) -> int:
            return write_shard(self.recipe, shard, self.folder, self.form, emit)

        return work


def synthesize(
    recipe: SynthesisRecipe,
    out: str | Path,
    *,
    n: int,
    form: Format = "parquet",
    workers: int = 1,
    engine: str | Engine = "local",
    on_progress: Callable[[int, int], None] | None = None,
) -> SynthesisReport:
    """Write a synthetic data set; an interrupted run continues with the missing shards.

    Every image depends on the recipe, its seed and its number alone, so the same call gives the same bytes with any
    number of workers.

    Args:
        recipe: Recipe.
        out: Folder of the data set; created if need be.
        n: Number of faces, or of clips.
        form: ``"parquet"``, ``"folder"``, ``"lsd"`` or ``"clips"``.
        workers: Number of processes.
        engine: Job engine.
        on_progress: Callback with the number of finished and of all faces or clips.

    Raises:
        ConfigError: ``n`` is not from 1 to `MAX_FACES`, the form is unknown, or LSD is asked for with other
            expressions than its six.
        OutputError: The folder holds another run or faces of another generator, or cannot be written.
    """
    check_number("n", n, 1, MAX_FACES)
    if form not in FORMATS:
        raise ConfigError(f"the format must be one of {', '.join(FORMATS)}; got {form!r}")
    mix, six = recipe.expressions, set(EXPRESSION_ORDERS["lsd_6"])
    if form == "lsd" and (mix.basic != 1 or mix.first_neutral or not set(mix.only) or not set(mix.only) <= six):
        raise ConfigError("LSD holds six basic expressions; use the recipe lsd, or set expressions as it does")
    folder = Path(out)
    shards = plan_shards(recipe, n, form)
    _begin(folder, recipe, n, form)
    todo = [shard for shard in shards if not _finished_file(folder, shard, form).exists()]
    counts = {shard.number: sum(shard.faces) for shard in shards}
    done = n - sum(counts[shard.number] for shard in todo)
    written = 0
    failures: list[tuple[str, str]] = []

    def report(event: Event) -> None:
        nonlocal done, written
        match event:
            case Done(number, result):
                done += counts[todo[number].number]
                written += result
                if on_progress:
                    on_progress(done, n)
            case Failed(number, error):
                failures.append((_finished_file(folder, todo[number], form).name, str(error)))

    if on_progress:
        on_progress(done, n)
    create_engine(engine, workers=workers).run(_Setup(recipe, folder, form), todo, report)
    frames = max(2, round(recipe.clips.duration_s * recipe.clips.fps)) if form == "clips" else 1
    return SynthesisReport(done * frames, written, tuple(failures))


def plan_shards(recipe: SynthesisRecipe, n: int, form: Format) -> list[Shard]:
    """Shards of a run of ``n`` faces or clips; each holds whole identities.

    Examples:
        >>> recipe = SynthesisRecipe(name="few", faces_per_identity=4)
        >>> plan_shards(recipe, 6, "parquet")
        [Shard(number=0, first=0, faces=(4, 2))]
    """
    each = 1 if form == "clips" else recipe.faces_per_identity
    size = _CLIPS_PER_SHARD if form == "clips" else max(1, _FACES_PER_SHARD // each)
    faces = [min(each, n - start) for start in range(0, n, each)]
    return [
        Shard(number, first, tuple(faces[first : first + size]))
        for number, first in enumerate(range(0, len(faces), size))
    ]


def write_shard(recipe: SynthesisRecipe, shard: Shard, folder: Path, form: Format, emit: Emit | None = None) -> int:
    """Draw and write a shard; its table of labels comes last and marks it as finished.

    Returns:
        Number of images or frames.

    Raises:
        OutputError: A file cannot be written.
    """
    rows: list[dict[str, Any]] = []
    for offset, n in enumerate(shard.faces):
        identity = Identity(recipe, shard.first + offset)
        if emit:
            emit(offset)  # raises KeyboardInterrupt where the run is being stopped
        if form == "clips":
            rows += _write_clip(identity, folder)
            continue
        for index in range(n):
            face = identity.face(index)
            row = face.labels(recipe.presence)
            jpeg = encode_jpeg(face.image, quality=face.jpeg_quality)
            rows.append(
                row | ({"image": jpeg} if form == "parquet" else {"image": _write_image(face, jpeg, folder, form)})
            )
    target = _finished_file(folder, shard, form)
    with output_errors(target, _ADVICE):
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(target) as file:
            pq.write_table(pa.Table.from_pylist(rows, schema=label_schema(form)), file, compression="zstd")
    return len(rows)


def label_schema(form: Format) -> pa.Schema:
    """Columns of the table of labels; see docs/how-to/synthesis.md."""
    image = pa.binary() if form == "parquet" else pa.string()
    fields: list[tuple[str, Any]] = [("name", pa.string()), ("image", image)]
    if form == "clips":
        fields += [("frame", pa.int32()), ("time_s", pa.float64())]
    fields += [("identity", pa.int32()), ("split", pa.string()), ("expression", pa.string())]
    fields += [("expression_kind", pa.string()), ("expression_strength", pa.float32())]
    fields += [(name, pa.float32()) for name in ("valence", "arousal", *LABELLED_UNITS)]
    fields += [(f"{unit}_present", pa.bool_()) for unit in ACTION_UNITS.labels]
    fields += [(f"{unit}_{side}", pa.float32()) for unit in SIDED_UNITS for side in ("left", "right")]
    fields += [(name, pa.float32()) for name in ("gaze_right", "gaze_up", "pitch_rad", "yaw_rad", "roll_rad")]
    fields += [(name, pa.float32()) for name in ("x0", "y0", "x1", "y1")]
    fields += [("landmarks", pa.list_(pa.float32(), 136)), ("landmark_visible", pa.list_(pa.bool_(), 68))]
    fields += [("occlusion", pa.string()), ("age_years", pa.float32()), ("sex", pa.string())]
    fields += [(name, pa.float32()) for name in ("skin_tone", "african", "asian", "european")]
    camera = ("camera_distance_dm", "camera_focal_px", "camera_x_px", "camera_y_px")
    return pa.schema([*fields, *((name, pa.float32()) for name in camera)])


def read_labels(folder: str | Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Table of labels of a data set that `synthesize` wrote, in the order of its identities.

    Args:
        folder: Output folder.
        columns: Columns to read; all if None.

    Raises:
        OutputError: The folder holds no finished shard.
    """
    files = sorted(Path(folder).glob("faces-*.parquet")) or sorted(Path(folder, "labels").glob("labels-*.parquet"))
    if not files:
        raise OutputError(f"{folder}: holds no finished shard of synthetic faces")
    return pa.concat_tables([pq.read_table(path, columns=list(columns) if columns else None) for path in files])


def _write_image(face: SyntheticFace, jpeg: bytes, folder: Path, form: Format) -> str:
    """Write an image and return its path below the folder."""
    if form == "lsd":
        path = f"{_LSD_FOLDER}/{face.expression.name.upper()}/{face.name}.jpg"
    else:
        path = f"{face.split}/{face.person.number:06d}/{face.name}.jpg"
    target = folder / path
    with output_errors(target, _ADVICE):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(jpeg)
    return path


def _write_clip(identity: Identity, folder: Path) -> Iterator[dict[str, Any]]:
    """Write the clip of an identity and yield the labels of its frames."""
    recipe = identity.recipe
    path = f"clips/{identity.number:06d}.mp4"
    target = folder / path
    with output_errors(target, _ADVICE):
        target.parent.mkdir(parents=True, exist_ok=True)
    size = recipe.size_px
    with VideoWriter(target, size, size, fps=recipe.clips.fps, threads=1) as writer:
        for frame, (time_s, face) in enumerate(clip_frames(identity)):
            writer.write(face.image, time_s)
            yield face.labels(recipe.presence) | {"image": path, "frame": frame, "time_s": time_s}


def _finished_file(folder: Path, shard: Shard, form: Format) -> Path:
    """Table whose existence says that the shard is finished."""
    if form == "parquet":
        return folder / f"faces-{shard.number:05d}.parquet"
    return folder / "labels" / f"labels-{shard.number:05d}.parquet"


@cache
def generator_digest() -> str:
    """SHA-256 of what draws a face: the sources of this package without super-resolution, and the data of the head.

    Raises:
        MissingExtraError: The package `anny` is not installed.
        OutputError: The cache folder of the head cannot be written.
    """
    digest = hashlib.sha256(cached_basis().name.encode())  # its name has the version of the data and of their layout
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        if not name.startswith(_NOT_DRAWING):
            digest.update(b"\0" + name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def _begin(folder: Path, recipe: SynthesisRecipe, n: int, form: Format) -> None:
    """Create the folder with its manifest, or check that it holds the same run."""
    content = {"mien": __version__, "format": form, "n": n, "recipe": asdict(recipe), "generator": generator_digest()}
    path = folder / MANIFEST
    with output_errors(path, _ADVICE):
        if path.exists():
            _check_same_run(folder, read_regular(path).decode("utf-8", errors="replace"), content)
            return
        if folder.exists() and any(folder.iterdir()):
            raise OutputError(f"{folder}: is not empty and holds no {MANIFEST}; use an empty folder")
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(json.dumps(content, indent=1).encode())


def _check_same_run(folder: Path, manifest: str, content: dict[str, Any]) -> None:
    """Refuse a folder whose manifest is another one."""
    if manifest == json.dumps(content, indent=1):
        return
    try:
        found = json.loads(manifest)
    except (RecursionError, ValueError):
        found = None
    own = json.loads(json.dumps(content))
    if isinstance(found, dict) and found | {"generator": own["generator"]} == own:
        raise OutputError(
            f"{folder}: was begun by another version of the generator, whose faces would be mixed with new ones; use "
            "an empty folder"
        )
    raise OutputError(f"{folder}: holds the data set of another recipe, number or version; use an empty folder")
