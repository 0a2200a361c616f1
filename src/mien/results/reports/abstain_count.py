# SPDX-License-Identifier: Apache-2.0
"""Counts the reasons to abstain of a table while a report reads it, for the facts of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from mien.core import ABSTAIN_REASONS, NAME_SEPARATOR
from mien.results.summaries.source_parts import Part


class AbstainCount:
    """The faces of a table that have reasons to abstain.

    Examples:
        >>> table = pa.table({"success": [True, True, False], "abstain": ["small;turned", None, None]})
        >>> count = AbstainCount()
        >>> count.add(table)
        >>> count.facts()
        [('reasons to abstain', '50.0 % of the faces: small 50.0 %, turned 50.0 %')]
    """

    def __init__(self) -> None:
        self._n_faces = 0
        self._texts: Counter[str] = Counter()
        self._known = False

    def watched(self, parts: Iterable[Part]) -> Iterator[Part]:
        """The same parts, counted on their way."""
        for part in parts:
            self.add(part.recording.table)
            yield part

    def add(self, rows: pa.Table) -> None:
        """Count the rows of a table or of a part of it."""
        if "abstain" in rows.schema.names:
            self._known = True
            self._n_faces += int(np.asarray(rows["success"].to_numpy(), np.bool_).sum())
            self._texts.update(text for text in rows["abstain"].to_pylist() if text)

    def facts(self) -> list[tuple[str, str]]:
        """Name and value of the fact; nothing for a table of a bundle that is not calibrated, or without faces."""
        if not self._known or not self._n_faces:
            return []
        shares = []
        for reason in ABSTAIN_REASONS:
            n = sum(n for text, n in self._texts.items() if reason in text.split(NAME_SEPARATOR))
            if n:
                shares.append(f"{reason} {n / self._n_faces:.1%}".replace("%", " %"))
        total = f"{sum(self._texts.values()) / self._n_faces:.1%} of the faces".replace("%", " %")
        return [("reasons to abstain", f"{total}: {', '.join(shares)}" if shares else "none of the faces")]
