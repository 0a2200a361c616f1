# SPDX-License-Identifier: Apache-2.0
"""`RunResult`: what a run of `mien.analyze` left, and its table, summary, report and plot."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mien.affect import Smoothing
from mien.core import DISPLAY_SMOOTHING, ConfigError, MissingExtraError, PathName, html_table
from mien.pipeline.postprocessing.report import write_report
from mien.pipeline.postprocessing.summarize import summarize
from mien.results import InputFailure, InputRecord, Summary, plot_table, read_table, save_table

if TYPE_CHECKING:
    import pandas as pd

_HTML_ROWS = 8
_TABLE_NAME = "table.parquet"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RunResult:
    """Tables, records and failures of a run; rows, summary, report and plot of its tables.

    Attributes:
        tables: Complete tables, those of earlier runs included, in order.
        inputs: One record per input that gave rows, in order.
        failures: One per input that could not be read, or not to its end.
        messages: Further facts that the user should know.
        skipped: Those of the tables that an earlier run had finished from the same files with the same settings.
        in_memory: Rows of a run that was given no place for its table; None where they are in files.
    """

    tables: tuple[Path, ...]
    inputs: tuple[InputRecord, ...]
    failures: tuple[InputFailure, ...]
    messages: tuple[str, ...] = ()
    skipped: tuple[Path, ...] = ()
    in_memory: pa.Table | None = None

    @property
    def complete(self) -> bool:
        """Whether every input was read to its end without loss."""
        return not self.failures and all(record.whole for record in self.inputs)

    @cached_property
    def table(self) -> pa.Table:
        """All rows of the run, read when first used.

        Raises:
            ConfigError: No input gave a table.
            InputError: A table was changed since and cannot be read.
        """
        if self.in_memory is not None:
            return self.in_memory
        if not self.tables:
            raise ConfigError("the run has no table: no input could be read; see its failures")
        return pa.concat_tables([read_table(path) for path in self.tables], promote_options="permissive")

    def to_pandas(self) -> pd.DataFrame:
        """All rows as a pandas table.

        Raises:
            ConfigError: No input gave a table.
            MissingExtraError: The package pandas is not installed.
        """
        try:
            import pandas  # noqa: F401  # Arrow's own message does not name the extra
        except ImportError as error:
            raise MissingExtraError("pandas", "pandas") from error
        return self.table.to_pandas()

    def summary(self, *, window_s: float | None = None, smooth: Smoothing | str | None = DISPLAY_SMOOTHING) -> Summary:
        """Means, shares and events of every recording and face, see `mien.summarize`.

        Args:
            window_s: Length of the time windows in seconds; None for one window.
            smooth: Smoothing of the values; None or ``"none"`` for raw ones.

        Raises:
            ConfigError: No input gave a table, or the window is not longer than 0 s.
        """
        return summarize(self.table, window_s=window_s, smooth=smooth)

    def report(
        self,
        out: PathName,
        *,
        frames: bool = True,
        playback: str | None = None,
        smooth: Smoothing | str | None = DISPLAY_SMOOTHING,
    ) -> Path:
        """Writes the report of the run as one self-contained page, see `mien.write_report`.

        Args:
            out: Path of the page, ``.html`` or ``.htm``.
            frames: Whether small images of faces are part of the page.
            playback: ``"embed"`` or ``"link"`` for the analysed videos beside the timelines; None leaves them out.
            smooth: Smoothing of the values, as for `summary`.

        Raises:
            ConfigError: No input gave a table, the name is not that of a page, or ``playback`` has another value.
            OutputError: The page cannot be written.
        """
        sources = [record.path for record in self.inputs]
        if self.in_memory is None:
            write_report(self.tables, out, frames=frames, playback=playback, within=sources, smooth=smooth)
        else:
            with TemporaryDirectory(prefix="mien-") as folder:
                table = Path(folder) / _TABLE_NAME
                save_table(table, self.in_memory)
                write_report(table, out, frames=frames, playback=playback, within=sources, smooth=smooth)
        return Path(out)

    def plot(self, *, source: str | None = None, track_id: int | None = None) -> Any:
        """A plot of one face over time, see `mien.plot_table`.

        Args:
            source: Name of the input; None for the first one.
            track_id: Number of the track; None for the one with the most rows.

        Raises:
            ConfigError: No input gave a table, or there is no such source or track.
            MissingExtraError: The extra ``plot`` is not installed.
        """
        return plot_table(self.table, source=source, track_id=track_id)

    def __repr__(self) -> str:
        return f"RunResult({self._counts()})"

    def _repr_html_(self) -> str:
        """The number of rows and the first of them, as notebooks show it."""
        if self.in_memory is None and not self.tables:
            return f"<p>{escape(self._counts())}</p>"
        names = [name for name in self.table.schema.names if not name.startswith(("lm_", "expression_"))]
        rows = self.table.select(names).slice(0, _HTML_ROWS).to_pylist()
        counts = f"{self._counts()}; {self.table.num_rows:,} rows"
        return f"<p>{escape(counts)}</p>{html_table(names, ([row[name] for name in names] for row in rows))}"

    def _counts(self) -> str:
        tables = "in memory" if self.in_memory is not None else f"{len(self.tables)} tables"
        return f"{len(self.inputs)} inputs, {tables}, {len(self.failures)} failures"
