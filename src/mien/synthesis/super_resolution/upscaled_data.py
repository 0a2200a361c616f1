# SPDX-License-Identifier: Apache-2.0
"""Copies of data sets whose training images are enlarged; validation and test images stay as they are."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Literal

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import ConfigError, InputError, OutputError, is_folder, is_regular_file, read_regular
from mien.jobs import Emit, Engine, Event, Failed, Message, Work, create_engine
from mien.media import IMAGE_SUFFIXES, SAVE_SUFFIXES, decode_image, encode_jpeg
from mien.results import atomic_write, output_errors
from mien.synthesis.super_resolution.upscaler import DEFAULT_SCALE, DEFAULT_UPSCALER, Upscaler, create_upscaler

MANIFEST = "upscale.json"
"""File of the output folder that records network and scale, so that a resumed run continues with the same ones."""

Outcome = Literal["enlarged", "held_out", "large"]

_PARTS = ".upscale"
_IMAGES_PER_SHARE = 32
_ROWS_PER_SHARE = 128
_JPEG, _JPEG_QUALITY = b"\xff\xd8", 95
_ADVICE = "free some space or choose another folder with --out"

# Words in the names of folders and Parquet files that hold validation or test images.
_HELD_OUT = {"valid", "validation", "val", "test", "testing"}
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

# Columns in pixels of the image, single numbers or lists; they grow with it.
_IN_PIXELS = re.compile(r"(x0|y0|x1|y1|box|boxes|landmarks|points|keypoints|.*_px)")


def is_held_out(path: PurePath) -> bool:
    """Whether the folders of a path, or the name of a Parquet file, say validation or test.

    Examples:
        >>> is_held_out(PurePath("validation_set_real_images/ANGER/1.jpg"))
        True
        >>> is_held_out(PurePath("train/test.jpg")), is_held_out(PurePath("valid.parquet"))
        (False, True)
    """
    parts = [*path.parent.parts, *([path.stem] if path.suffix == ".parquet" else [])]
    return any(word.lower() in _HELD_OUT for part in parts for word in _WORDS.findall(part))


@dataclass(frozen=True, kw_only=True)
class UpscaleReport:
    """Result of a run. An image is a file or a row of a Parquet file.

    Attributes:
        n_enlarged: Number of images that this run enlarged.
        n_held_out: Number of validation and test images that it copied unchanged.
        n_large: Number of training images that it copied unchanged because they are large already.
        n_present: Number of images that were finished before.
        failures: Image or file and reason of each that failed.
    """

    n_enlarged: int
    n_held_out: int
    n_large: int
    n_present: int
    failures: tuple[tuple[str, str], ...]

    @property
    def any_done(self) -> bool:
        """Whether the output folder holds any image."""
        return self.n_enlarged + self.n_held_out + self.n_large + self.n_present > 0


@dataclass(frozen=True)
class Share:
    """Image files, or rows of a Parquet file: the work of one item.

    Attributes:
        files: Paths below the source; a single Parquet file for rows.
        number: Number of the share of that Parquet file; -1 for image files.
        rows: First row and end.
    """

    files: tuple[str, ...]
    number: int = -1
    rows: tuple[int, int] = (0, 0)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.files) if self.number < 0 else self.rows[1] - self.rows[0]


@dataclass(frozen=True, kw_only=True)
class UpscaleJob:
    """What a run does: source, target and network. A picklable factory of the work of one process.

    Attributes:
        source: Folder, image file or Parquet file.
        out: Output folder.
        network: Name or path for `create_upscaler`.
        scale: Factor of the sides.
    """

    source: Path
    out: Path
    network: str = DEFAULT_UPSCALER
    scale: int = DEFAULT_SCALE

    def upscaler(self) -> Upscaler:
        """The upscaler of this run."""
        return create_upscaler(self.network, scale=self.scale)

    def __call__(self) -> Work:
        """The work of one process on one `Share`."""
        cv2.setNumThreads(1)  # each worker has one core
        upscaler = self.upscaler()

        def work(share: Share, emit: Emit) -> None:
            # Every image is a message, which also raises KeyboardInterrupt where the run is being stopped.
            write = self._write_images if share.number < 0 else self._write_rows
            write(share, upscaler, emit)

        return work

    @property
    def root(self) -> Path:
        """Folder that paths of shares are relative to."""
        return self.source if self.source.is_dir() else self.source.parent

    def part(self, share: Share) -> Path:
        """File of a share of rows until all of them are finished."""
        return self.out / _PARTS / share.files[0] / f"{share.number:05d}.parquet"

    def _write_images(self, share: Share, upscaler: Upscaler, emit: Emit) -> None:
        for name in share.files:
            source, target = self.root / name, self.out / name
            try:
                data, held_out = read_regular(source), is_held_out(self._named(name))
                content, outcome = enlarged_file(data, upscaler, name=source, held_out=held_out)
            except InputError as error:
                emit((str(source), str(error)))
                continue
            except OSError as error:
                emit((str(source), f"{source}: cannot be read ({error.strerror})"))
                continue
            with output_errors(target, _ADVICE):
                target.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(target) as file:
                    file.write(content)
            emit(outcome)

    def _write_rows(self, share: Share, upscaler: Upscaler, emit: Emit) -> None:
        path = self.root / share.files[0]
        table = _read_rows(path, share.rows)
        held_out = [is_held_out(self._named(share.files[0]))] * table.num_rows
        if "split" in table.column_names:
            splits = table["split"].to_pylist()
            held_out = [named or split != "train" for named, split in zip(held_out, splits, strict=True)]
        images: list[bytes | None] = []
        factors: list[float] = []
        for row, (data, kept) in enumerate(zip(table["image"].to_pylist(), held_out, strict=True), start=share.rows[0]):
            place = f"{path}, row {row}"
            try:
                content, outcome = enlarged_file(data or b"", upscaler, name=Path(place), held_out=kept)
                emit(outcome)
            except InputError as error:
                # The row keeps its image: the rows of a set stay what they are.
                emit((place, str(error)))
                content, outcome = data, "large"
            images.append(content)
            factors.append(float(self.scale) if outcome == "enlarged" else 1.0)
        grown = grow_columns(table, np.array(factors))
        field = table.schema.field("image")
        grown = grown.set_column(grown.column_names.index("image"), field, pa.array(images, field.type))
        target = self.part(share)
        with output_errors(target, _ADVICE):
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(target) as file:
                pq.write_table(grown, file, compression="zstd")

    def _named(self, name: str) -> PurePath:
        """The path that decides whether a file is held out: that below the source, and the source's own name."""
        return PurePath(self.source.name, name) if self.source.is_dir() else PurePath(name)


def upscale(
    source: str | Path,
    out: str | Path,
    *,
    network: str | Path = DEFAULT_UPSCALER,
    scale: int = DEFAULT_SCALE,
    workers: int = 1,
    engine: str | Engine = "local",
    on_progress: Callable[[int, int], None] | None = None,
) -> UpscaleReport:
    """Copy a data set with enlarged training images; an interrupted run continues with the missing ones.

    Images of folders and Parquet files that are named after validation or test, and rows whose column ``split`` is not
    ``train``, are copied unchanged, and so are images of more than `MAX_SIDE_PX`. Columns in pixels grow with their
    image: boxes, landmarks, and names that end in ``_px``. All other files are copied.

    Args:
        source: Folder with image files, or with Parquet files with encoded images in the column ``image``; or one such
            file.
        out: Folder of the copy; created if need be.
        network: Name or path for `create_upscaler`.
        scale: Factor of the sides.
        workers: Number of processes.
        engine: Job engine.
        on_progress: Callback with the number of finished and of all images.

    Raises:
        InputError: The source does not exist or holds no images.
        ConfigError: The output folder lies in the source, or the other way round; or the network is unknown.
        MissingExtraError: The runtime of the network is not installed.
        ModelError: The weights are missing or damaged.
        OutputError: The output folder holds something else, or cannot be written.
    """
    job = UpscaleJob(source=Path(source), out=Path(out), network=str(network), scale=scale)
    _check_places(job.source, job.out)
    shares, others = plan_shares(job.source)
    if not shares:
        raise InputError(f"{source}: holds no images, and no Parquet file with encoded ones in its column 'image'")
    _begin(job)
    n_images = sum(map(len, shares))
    todo = [missing for missing in (_missing(job, share) for share in shares) if missing.files]
    n_present = n_images - sum(map(len, todo))
    counts: Counter[str] = Counter()
    failures: list[tuple[str, str]] = []

    def report(event: Event) -> None:
        match event:
            case Message(_, (place, reason)):
                failures.append((place, reason))
            case Message(_, outcome):
                counts[outcome] += 1
            case Failed(number, error):
                failures.append((str(job.root / todo[number].files[0]), str(error)))
        if on_progress:
            on_progress(n_present + counts.total(), n_images)

    create_engine(engine, workers=workers).run(job, todo, report)
    _join_parts(job, shares)
    for name in others:
        _copy_other(job, name)
    return UpscaleReport(
        n_enlarged=counts["enlarged"],
        n_held_out=counts["held_out"],
        n_large=counts["large"],
        n_present=n_present,
        failures=tuple(failures),
    )


def plan_shares(source: Path) -> tuple[list[Share], list[str]]:
    """Shares of the work, and paths of all other files below the source.

    Raises:
        InputError: The source does not exist, or a Parquet file cannot be read.
    """
    if is_folder(source):
        paths = sorted(path for path in source.rglob("*") if path.is_file())
        names = [path.relative_to(source).as_posix() for path in paths]
        root = source
    elif is_regular_file(source):
        names, root = [source.name], source.parent
    else:
        raise InputError(f"{source}: there is no such file or folder")
    images = [name for name in names if PurePath(name).suffix.lower() in IMAGE_SUFFIXES]
    shares = [
        Share(tuple(images[start : start + _IMAGES_PER_SHARE])) for start in range(0, len(images), _IMAGES_PER_SHARE)
    ]
    others = []
    for name in names:
        if PurePath(name).suffix.lower() in IMAGE_SUFFIXES:
            continue
        n_rows = _n_encoded(root / name) if name.endswith(".parquet") else 0
        if not n_rows:
            others.append(name)
        shares += [
            Share((name,), number, (start, min(start + _ROWS_PER_SHARE, n_rows)))
            for number, start in enumerate(range(0, n_rows, _ROWS_PER_SHARE))
        ]
    return shares, others


def enlarged_file(data: bytes, upscaler: Upscaler, *, name: Path, held_out: bool) -> tuple[bytes, Outcome]:
    """Content of an image file after super-resolution.

    JPEG stays JPEG (quality 95); another image becomes the format of the suffix of its name, PNG where it has none.

    Args:
        data: Content of the image file.
        upscaler: Upscaler.
        name: Path of the file, or name for messages.
        held_out: Whether the image is one of validation or test, which stay unchanged.

    Returns:
        The content, and what happened to the image.

    Raises:
        InputError: The image cannot be decoded, or not be written in its format.
        ModelError: The network fails.
    """
    if held_out:
        return data, "held_out"
    image = decode_image(data, name=name)
    if not upscaler.enlarges(*image.shape[:2]):
        return data, "large"
    if data.startswith(_JPEG):
        return encode_jpeg(upscaler(image), quality=_JPEG_QUALITY), "enlarged"
    suffix = name.suffix.lower() if name.suffix.lower() in IMAGE_SUFFIXES else ".png"
    if suffix not in SAVE_SUFFIXES:
        raise InputError(f"{name}: mien writes no {suffix} files; convert it to PNG first")
    enlarged = upscaler(image)
    gray = suffix == ".png" and bool((enlarged == enlarged[..., :1]).all())
    content: bytes = cv2.imencode(suffix, enlarged[..., 0] if gray else enlarged[..., ::-1])[1].tobytes()
    return content, "enlarged"


def grow_columns(table: pa.Table, factors: np.ndarray[Any, np.dtype[np.float64]]) -> pa.Table:
    """The table with its columns in pixels multiplied by the factor of each row's image.

    Args:
        table: Table of N rows.
        factors: (N,) factors.

    Examples:
        >>> table = pa.table({"x0": [3.0, 3.0], "yaw_rad": [0.1, 0.2], "points": [[1.0], [2.0]]})
        >>> grow_columns(table, np.array([2.0, 1.0])).to_pydict()
        {'x0': [6.0, 3.0], 'yaw_rad': [0.1, 0.2], 'points': [[2.0], [2.0]]}
    """
    for index, field in enumerate(table.schema):
        if not _IN_PIXELS.fullmatch(field.name) or field.name == "image":
            continue
        values = table.column(index).to_pylist()
        grown = [_times(value, float(factor)) for value, factor in zip(values, factors, strict=True)]
        table = table.set_column(index, field, pa.array(grown, field.type))
    return table


def _times(value: Any, factor: float) -> Any:
    if isinstance(value, list):
        return [_times(each, factor) for each in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or factor == 1:
        return value
    return type(value)(value * factor)


def _n_encoded(path: Path) -> int:
    """Number of rows of a Parquet file with encoded images; 0 for a table without any.

    Raises:
        InputError: It cannot be read.
    """
    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        if "image" not in names:
            return 0
        kind = file.schema_arrow.field("image").type
        encoded = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
        return int(file.metadata.num_rows) if encoded else 0
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: is no readable Parquet file ({error}); copy it again") from error


def _read_rows(path: Path, rows: tuple[int, int]) -> pa.Table:
    """Rows of a Parquet file, from the row groups that hold them."""
    file = pq.ParquetFile(path)
    start, skipped = 0, 0
    groups: list[int] = []
    for group in range(file.metadata.num_row_groups):
        end = start + file.metadata.row_group(group).num_rows
        if start < rows[1] and end > rows[0]:
            skipped = start if not groups else skipped
            groups.append(group)
        start = end
    return file.read_row_groups(groups).slice(rows[0] - skipped, rows[1] - rows[0]).combine_chunks()


def _check_places(source: Path, out: Path) -> None:
    inside, outside = (Path(os.path.realpath(path)) for path in (out, source))  # no error for loops of links
    if inside == outside or outside in inside.parents or inside in outside.parents:
        raise ConfigError(f"{out} and {source} lie in each other; choose another folder with --out")


def _begin(job: UpscaleJob) -> None:
    """Create the folder with its manifest, or check that it holds the same run."""
    upscaler = job.upscaler()
    content = {
        "source": os.path.realpath(job.source),
        "network": job.network,
        "scale": job.scale,
        "digest": upscaler.digest,
    }
    text = json.dumps(content, indent=1)
    path = job.out / MANIFEST
    with output_errors(path, _ADVICE):
        if path.exists():
            if read_regular(path).decode("utf-8") != text:
                raise OutputError(
                    f"{job.out}: holds the images of another source, network or scale; use an empty folder"
                )
            return
        if job.out.exists() and (not job.out.is_dir() or any(job.out.iterdir())):
            raise OutputError(f"{job.out}: is not empty and holds no {MANIFEST}; use an empty folder")
        job.out.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(text.encode())


def _missing(job: UpscaleJob, share: Share) -> Share:
    """The share without what is finished; without files if all of it is."""
    if share.number >= 0:
        finished = (job.out / share.files[0]).exists() or job.part(share).exists()
        return Share(() if finished else share.files, share.number, share.rows)
    return Share(tuple(name for name in share.files if not (job.out / name).exists()))


def _join_parts(job: UpscaleJob, shares: list[Share]) -> None:
    """Join the finished shares of each Parquet file, unless some are missing."""
    names = dict.fromkeys(share.files[0] for share in shares if share.number >= 0)
    for name in names:
        target = job.out / name
        parts = [job.part(share) for share in shares if share.files == (name,) and share.number >= 0]
        if target.exists() or not all(part.exists() for part in parts):
            continue
        with output_errors(target, _ADVICE):
            target.parent.mkdir(parents=True, exist_ok=True)
            schema = pq.read_schema(parts[0])
            with atomic_write(target) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
                for part in parts:
                    writer.write_table(pq.read_table(part))
            shutil.rmtree(job.out / _PARTS / name)
    if (job.out / _PARTS).is_dir() and not any(path.is_file() for path in (job.out / _PARTS).rglob("*")):
        shutil.rmtree(job.out / _PARTS)


def _copy_other(job: UpscaleJob, name: str) -> None:
    """Copy a file that is no image; a table about image files grows with them."""
    target = job.out / name
    if target.exists() or name == MANIFEST:
        return
    with output_errors(target, _ADVICE):
        target.parent.mkdir(parents=True, exist_ok=True)
        if not name.endswith(".parquet") or "image" not in pq.read_schema(job.root / name).names:
            shutil.copyfile(job.root / name, target)
            return
        table = pq.read_table(job.root / name)
        factors = np.array([_factor(job, str(path)) for path in table["image"].to_pylist()])
        with atomic_write(target) as file:
            pq.write_table(grow_columns(table, factors), file, compression="zstd")


def _factor(job: UpscaleJob, name: str) -> float:
    """Ratio of the widths of an image file's copy and the file itself; 1 where either cannot be read."""
    images = [cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED) for folder in (job.root, job.out)]
    widths = [0 if image is None else image.shape[1] for image in images]
    return widths[1] / widths[0] if all(widths) else 1.0
