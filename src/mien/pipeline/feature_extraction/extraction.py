# SPDX-License-Identifier: Apache-2.0
"""Extracts embeddings and raw scores of every frame into shards, resumable at any point."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.affect import Analyzer, create_audio_encoder
from mien.core import (
    AnalyzerConfig,
    ConfigError,
    FeatureOptions,
    InputError,
    Outputs,
    PathName,
    VideoOptions,
    options_json,
    private_files,
    refuse_unused,
    require_path,
    with_shortcuts,
)
from mien.faces import create_landmark_model
from mien.inference import load_bundle
from mien.pipeline.feature_extraction.crop_features import CropExtractor
from mien.pipeline.feature_extraction.feature_source import Extractor, FeatureSource
from mien.pipeline.feature_extraction.openface_features import OpenFaceExtractor
from mien.pipeline.feature_extraction.video_features import SoundExtractor, VideoExtractor
from mien.pipeline.run_progress import Note, Progress
from mien.results import ROWS_PER_SHARD, FeatureWriter, InputFailure, SourceRecord, check_folder

FeatureEvent = SourceRecord | InputFailure | Note
"""An input is done, an input or a frame could not be read, or a note for the user; sent as it happens."""


@dataclass(frozen=True, kw_only=True)
class FeaturesResult:
    """Shards, records and failures of an extraction.

    Attributes:
        folder: Folder of the shards.
        n_rows: Number of vectors in it, those of earlier runs included.
        n_rows_found: Number of vectors of earlier runs.
        records: Inputs that are done, those of earlier runs included.
        failures: Inputs and single frames that could not be read.
    """

    folder: Path
    n_rows: int
    n_rows_found: int
    records: tuple[SourceRecord, ...]
    failures: tuple[InputFailure, ...]

    @property
    def complete(self) -> bool:
        """Whether every input and frame could be read."""
        return not self.failures


def extract_features(
    inputs: Sequence[PathName] | PathName,
    out: PathName,
    *,
    analyzer: AnalyzerConfig | None = None,
    video: VideoOptions | None = None,
    features: FeatureOptions | None = None,
    outputs: Outputs | None = None,
    rows_per_shard: int = ROWS_PER_SHARD,
    on_progress: Callable[[Progress], None] | None = None,
    on_event: Callable[[FeatureEvent], None] | None = None,
    **shortcuts: Any,
) -> FeaturesResult:
    """Extract the embedding and the raw scores of every face.

    After a crash, the same call resumes after the last row that is safe; finished inputs are skipped. Memory
    does not grow with the number of frames.

    Args:
        inputs: Files, folders or glob patterns; with ``crops``, folders of tracks or single tracks.
        out: Folder of the shards.
        analyzer: Models and how they run; the bundle must give an embedding. Crops need no detector and no landmark
            model, sound needs none of the models.
        video: Which frames (``every``; of crops, those whose number is a multiple); the other fields are refused.
        features: What the vectors are: of faces, of crops or of sound.
        outputs: Whether the files are closed to other users (``private``); the other fields are refused.
        rows_per_shard: Number of vectors after which a shard is closed.
        on_progress: Called after every frame.
        on_event: Called with records, failures and notes.
        **shortcuts: Fields of the four options by name, such as ``float16=True``.

    Raises:
        ConfigError: The options make no sense together, or the folder holds vectors that were made otherwise.
        InputError: A shard in the folder is damaged.
        OutputError: The folder cannot be written.
        ModelError: The model is missing, damaged or of an unknown version.
        TypeError: No options have a field of that name.
    """
    names = [os.fspath(name) for name in ([inputs] if isinstance(inputs, (str, os.PathLike)) else inputs)]
    if not names:
        raise ConfigError("no input given; name files, folders or glob patterns")
    require_path(out, "--out")
    config, frames, vectors, files = with_shortcuts(
        shortcuts,
        analyzer or AnalyzerConfig(),
        video or VideoOptions(),
        features or FeatureOptions(),
        outputs or Outputs(),
    )
    refuse_unused(files, ("private",), "the extraction of features")
    check_folder(Path(out), Path(out), "choose a folder that may be written to")
    refuse_unused(frames, ("every",), "the extraction of features")
    if config.min_quality:
        raise ConfigError("vectors have no quality; leave min_quality out, and choose rows by quality from a table")
    if config.va != "network":
        raise ConfigError("vectors are those of the network, before valence and arousal; leave va out")
    with private_files(private=files.private):
        return run_extraction(
            _create_extractor(config, frames, vectors),
            names,
            Path(out),
            rows_per_shard=rows_per_shard,
            on_progress=on_progress or (lambda _: None),
            on_event=on_event or (lambda _: None),
        )


def _create_extractor(config: AnalyzerConfig, video: VideoOptions, features: FeatureOptions) -> Extractor:
    if features.from_openface:
        if video.every != 1:
            raise ConfigError("vectors of OpenFace are those of every frame; leave --every out")
        return OpenFaceExtractor(float16=features.float16)
    if features.audio is not None:
        return SoundExtractor(create_audio_encoder(features.audio), float16=features.float16)
    if features.crops:
        bundle = load_bundle(config.model, kind="affect", runtime=config.runtime, threads=config.threads)
        given = bundle.spec.crop.given
        model = create_landmark_model(config.landmark_model, runtime=config.runtime) if given == "aligned" else None
        return CropExtractor(bundle, model, float16=features.float16, every=video.every)
    analyzer = Analyzer(config)
    settings: dict[str, object] = {
        "faces": config.faces,
        "detector": options_json(config)["detector"],
        "landmark_model": analyzer.landmark_bundle and analyzer.landmark_bundle.digest,
    }
    return VideoExtractor(analyzer, float16=features.float16, video=video, settings=settings)


def run_extraction(
    extractor: Extractor,
    inputs: Sequence[str],
    out: Path,
    *,
    rows_per_shard: int,
    on_progress: Callable[[Progress], None],
    on_event: Callable[[FeatureEvent], None],
) -> FeaturesResult:
    """Work through the inputs of one extractor; see `extract_features`."""
    sources, failures = extractor.find(inputs)
    for failure in failures:
        on_event(failure)

    def fail(name: str, reason: str) -> None:
        failures.append(InputFailure(path=name, reason=reason))
        on_event(failures[-1])

    with FeatureWriter(out, extractor.info, rows_per_shard=rows_per_shard) as writer:
        _report_earlier(writer, sources, on_event)
        waiting = [source for source in sources if not writer.is_done(source.name)]
        for number, source in enumerate(waiting):
            run = extractor.open(source, writer.last_frame(source.name))
            n_before = writer.n_rows
            cut_off: tuple[str, ...] = ()
            try:
                with closing(run.vectors()) as frames:
                    for vectors in frames:
                        writer.append(vectors)
                        if vectors.failure:
                            fail(source.name, vectors.failure)
                        on_progress(
                            Progress(
                                source=source.name,
                                number=number,
                                n_inputs=len(waiting),
                                n_frames=run.n_frames,
                                n_frames_expected=run.n_expected,
                                n_faces=writer.n_rows - n_before,
                            )
                        )
            except InputError as error:
                fail(source.name, str(error))
                if not run.n_frames:
                    continue  # nothing came of it: the next run tries again
                cut_off = (f"not everything could be read: {error}",)
            # The writer also knows the frames that a run before this one lost.
            n_lost = sum(name == source.name for name, _, _ in writer.failures)
            lost = (f"{n_lost} frames could not be read",) if n_lost else ()
            on_event(writer.finish(source.name, n_frames=run.n_frames, messages=run.messages + lost + cut_off))
    return FeaturesResult(
        folder=out,
        n_rows=writer.n_rows,
        n_rows_found=writer.n_rows_found,
        records=tuple(writer.records),
        failures=tuple(failures),
    )


def _report_earlier(
    writer: FeatureWriter, sources: Sequence[FeatureSource], emit: Callable[[FeatureEvent], None]
) -> None:
    n_done = sum(writer.is_done(source.name) for source in sources)
    if writer.n_rows_found:
        emit(Note(f"{writer.n_rows_found} rows are here already; {n_done} of {len(sources)} inputs are done"))
