# SPDX-License-Identifier: Apache-2.0
"""Facts about sources of training rows, from which the sentences of a model card are built."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LabelOrigin:
    """Where weak labels of a source come from, or numbers that they rest on.

    Attributes:
        name: Name of the model or data set.
        role: What it gave, such as ``"teacher of action units"``.
        licence: Licence, as its owners state it.
        n: Number of its own samples that were used; 0 for a model that labelled every row of the source.
    """

    name: str
    role: str
    licence: str
    n: int = 0


@dataclass(frozen=True, kw_only=True)
class WeakLabels:
    """Labels of a source that no person gave, or that are known to be noisy.

    Attributes:
        task: Task of the labels.
        sentence: How they came about, as a whole sentence for the card.
        inferred: Names of labels that were inferred from others.
    """

    task: str
    sentence: str
    inferred: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SourceRecord:
    """One set of training rows.

    Attributes:
        title: Full name, with the split.
        role: What its rows are for, such as ``"expression votes"``; empty for the tasks of its labels.
        licence: Licence of pictures and labels, as the owners state it.
        terms: Who decides about uses of the weights: ``"owners"`` of the set alone, or its public ``"licence"``.
        weak: Weak labels among its targets.
        origins: Models and data sets that its labels rest on.
        protocols: Names in `mien.evaluation.PROTOCOLS` that evaluate on held-out data of this kind.
        epoch_share: Share in [0, 1] of its rows that an epoch draws.
        source: Name of the source in the recipe.
        own_statistics: Whether batch normalisation keeps its rows apart, see `SourceSettings.statistics`.
    """

    title: str
    role: str = ""
    licence: str
    terms: str = "owners"
    weak: tuple[WeakLabels, ...] = ()
    origins: tuple[LabelOrigin, ...] = ()
    protocols: tuple[str, ...] = ()
    epoch_share: float = 1.0
    source: str = ""
    own_statistics: bool = False
