# SPDX-License-Identifier: Apache-2.0
"""`extract_features`: embeddings and raw scores of every frame to shards, resumable at any point."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mien.affect import Analyzer, create_audio_encoder
from mien.core import ConfigError, InputError
from mien.faces import DEFAULT_LANDMARK_MODEL
from mien.inference import DEFAULT_BUNDLE, load_bundle
from mien.pipeline.feature_extraction.crop_features import CropExtractor
from mien.pipeline.feature_extraction.feature_source import Extractor, FeatureSource
from mien.pipeline.feature_extraction.video_features import SoundExtractor, VideoExtractor
from mien.pipeline.run_progress import Note, Progress
from mien.results import ROWS_PER_SHARD, FeatureWriter, InputFailure, SourceRecord

PathName = str | os.PathLike[str]
FeatureEvent = SourceRecord | InputFailure | Note
"""An input is done, an input or a frame could not be read, or something else worth saying; sent as it happens."""


@dataclass(frozen=True, kw_only=True)
class FeaturesResult:
    """What became of an extraction.

    Attributes:
        folder: of the shards.
        n_rows: vectors in it, those of earlier runs included.
        n_rows_found: vectors of earlier runs.
        records: inputs that are done, those of earlier runs included.
        failures: inputs and single frames that could not be read.
    """

    folder: Path
    n_rows: int
    n_rows_found: int
    records: tuple[SourceRecord, ...]
    failures: tuple[InputFailure, ...]

    @property
    def exit_code(self) -> int:
        """Of the command line: 0 all done, 1 something could not be read, 3 nothing could."""
        if not self.records:
            return 3
        return 1 if self.failures else 0


def extract_features(
    inputs: Sequence[PathName] | PathName,
    out: PathName,
    *,
    model: str | Path = DEFAULT_BUNDLE,
    crops: bool = False,
    audio: str | None = None,
    float16: bool = False,
    every: int = 1,
    faces: str = "all",
    detector: str = "mtcnn",
    landmark_model: str | Path = DEFAULT_LANDMARK_MODEL,
    runtime: str = "onnxruntime",
    threads: int | None = None,
    rows_per_shard: int = ROWS_PER_SHARD,
    on_progress: Callable[[Progress], None] | None = None,
    on_event: Callable[[FeatureEvent], None] | None = None,
) -> FeaturesResult:
    """Extract the embedding and the raw scores of every face.

    After a kill, the same call goes on after the last row that is safe; inputs that are done are passed over. Memory
    does not grow with the number of frames.

    Args:
        inputs: files, folders or glob patterns; with ``crops``, folders of tracks or single tracks.
        out: folder of the shards.
        model: name or folder of a bundle that gives an embedding.
        crops: whether the inputs are folders ``<track>/00001.jpg`` of faces that are cut out already.
        audio: instead of faces, encode the sound of the inputs: ``"egemaps"`` or ``"onnx=FILE"``. Of the options
            below only ``float16`` and ``rows_per_shard`` then have a meaning.
        float16: store half precision: half the room, about three digits.
        every: each n-th frame of videos; of crops, those whose number is a multiple.
        faces: as for `mien.analyze`; has no meaning for crops.
        detector: as for `mien.analyze`; has no meaning for crops.
        landmark_model: as for `mien.analyze`; has no meaning for crops.
        runtime: as for `mien.analyze`.
        threads: of each model; None for every core.
        rows_per_shard: vectors after which a shard is closed.
        on_progress: called after every frame.
        on_event: called with records, failures and notes.

    Raises:
        ConfigError: the arguments make no sense, or the folder holds vectors that were made otherwise.
        InputError: a shard in the folder is damaged.
        OutputError: the folder cannot be written.
        ModelError: the model is missing, damaged or of an unknown version.
    """
    names = [os.fspath(name) for name in ([inputs] if isinstance(inputs, (str, os.PathLike)) else inputs)]
    if not names:
        raise ConfigError("no input given; name files, folders or glob patterns")
    if every < 1:
        raise ConfigError(f"every must be at least 1, got {every}")
    if crops and audio is not None:
        raise ConfigError("crops have no sound; extract the audio of the films into another folder")
    if audio is not None:
        extractor: Extractor = SoundExtractor(create_audio_encoder(audio), float16=float16)
    elif crops:
        bundle = load_bundle(model, runtime=runtime, threads=threads)
        extractor = CropExtractor(bundle, float16=float16, every=every)
    else:
        analyzer = Analyzer(
            model, detector=detector, landmark_model=landmark_model, runtime=runtime, threads=threads, faces=faces
        )
        settings: dict[str, object] = {
            "faces": faces,
            "detector": detector,
            "landmark_model": analyzer.landmark_bundle and analyzer.landmark_bundle.digest,
        }
        extractor = VideoExtractor(analyzer, float16=float16, every=every, settings=settings)
    return run_extraction(
        extractor,
        names,
        Path(out),
        rows_per_shard=rows_per_shard,
        on_progress=on_progress or (lambda _: None),
        on_event=on_event or (lambda _: None),
    )


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
        _tell_earlier(writer, sources, on_event)
        waiting = [source for source in sources if not writer.is_done(source.name)]
        for number, source in enumerate(waiting):
            reading = extractor.read(source, writer.last_frame(source.name))
            n_before = writer.n_rows
            cut_off: tuple[str, ...] = ()
            try:
                with closing(reading.vectors()) as frames:
                    for vectors in frames:
                        writer.append(vectors)
                        if vectors.failure:
                            fail(source.name, vectors.failure)
                        on_progress(
                            Progress(
                                source=source.name,
                                number=number,
                                n_inputs=len(waiting),
                                n_frames=reading.n_frames,
                                n_frames_expected=reading.n_expected,
                                n_faces=writer.n_rows - n_before,
                            )
                        )
            except InputError as error:
                fail(source.name, str(error))
                if not reading.n_frames:
                    continue  # nothing came of it: the next run tries again
                cut_off = (f"the rest could not be read: {error}",)
            # The writer also knows the frames that a run before this one lost.
            n_lost = sum(name == source.name for name, _, _ in writer.failures)
            lost = (f"{n_lost} frames could not be read",) if n_lost else ()
            on_event(writer.finish(source.name, n_frames=reading.n_frames, messages=reading.messages + lost + cut_off))
    return FeaturesResult(
        folder=out,
        n_rows=writer.n_rows,
        n_rows_found=writer.n_rows_found,
        records=tuple(writer.records),
        failures=tuple(failures),
    )


def _tell_earlier(
    writer: FeatureWriter, sources: Sequence[FeatureSource], tell: Callable[[FeatureEvent], None]
) -> None:
    n_done = sum(writer.is_done(source.name) for source in sources)
    if writer.n_rows_found:
        tell(Note(f"{writer.n_rows_found} rows are here already; {n_done} of {len(sources)} inputs are done"))
