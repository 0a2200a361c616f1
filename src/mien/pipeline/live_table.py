# SPDX-License-Identifier: Apache-2.0
"""The table of a live run: finished, with its manifest, however the run ends."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from mien.affect import Analyzer
from mien.core import Frame
from mien.media import FrameSource
from mien.pipeline.table_of_bundle import schema_of
from mien.results import InputRecord, RunManifest, TableWriter


class LiveTable:
    """Takes the answers of a live run; a context manager.

    Args:
        path: the table; its ending chooses the format.
        analyzer: whose answers come.
        source: of the frames.

    Raises:
        ConfigError: the ending is unknown.
        OutputError: the place cannot be written.
    """

    def __init__(self, path: Path, analyzer: Analyzer, source: FrameSource) -> None:
        self._path = path
        self._analyzer = analyzer
        self._source = source
        self._name = source.info.name if source.info.path is None else str(source.info.path)
        self._started = datetime.now(UTC)
        self._n_faces = 0
        self._n_dropped = 0
        self._writer = TableWriter(path, schema_of(analyzer))

    def append(self, frame: Frame, n_dropped: int) -> None:
        """Add the rows of a frame.

        Args:
            frame: the answer.
            n_dropped: frames that were dropped so far.

        Raises:
            OutputError: the disk is full or the place cannot be written.
        """
        self._writer.append(self._name, frame)
        self._n_faces += len(frame.faces)
        self._n_dropped = n_dropped

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        n_rows = self._writer.n_rows
        self._writer.__exit__(kind, error, trace)
        if not n_rows:
            return
        report = self._source.report
        dropped = (f"{self._n_dropped} frames came while others were being read and were dropped",)
        record = InputRecord(
            path=self._name,
            kind="camera" if self._source.info.path is None else "video",
            sha256=None,
            size_bytes=None,
            n_frames_decoded=report.n_decoded,
            n_frames_lost=report.n_lost,
            n_rows=n_rows,
            n_faces=self._n_faces,
            messages=(*report.messages, *(dropped if self._n_dropped else ())),
        )
        RunManifest(
            bundle_name=self._analyzer.spec.name,
            bundle_sha256=self._analyzer.bundle_digest,
            arguments={"live": True},
            started=self._started,
            finished=datetime.now(UTC),
            inputs=(record,),
        ).save(self._path)
