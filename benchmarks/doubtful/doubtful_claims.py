# SPDX-License-Identifier: Apache-2.0
"""The claims of the papers about doubtful labels as conditions on what is measured, written before any counted run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.doubtful.label_sets import RATES
from benchmarks.systems.conditions import Condition, judge
from benchmarks.systems.gains import Gain

VERDICTS = {"passed": "supported", "failed": "not supported", "undecided": "undecided", "not run": "not run"}
"""Verdict of `benchmarks.systems.conditions.judge` -> word of the page."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """That one system is better than another, or at least as good (within 0.01).

    Attributes:
        part: experiment, see `benchmarks.doubtful.label_nets`.
        claim: the claim in words; "paper" begins those that a paper makes, the others are ours.
        better: system that should be better.
        other: system that it is compared with.
        measure: what is compared.
        rule: ``"better"`` or ``"at least"``, see `benchmarks.systems.conditions.Condition`.
    """

    part: str
    claim: str
    better: str
    other: str
    measure: str
    rule: Literal["better", "at least"] = "better"

    def verdict(self, gain: Gain | None) -> str:
        """``"supported"``, ``"not supported"``, ``"undecided"`` or ``"not run"``."""
        condition = Condition(key="", part=self.part, claim=self.claim, measure=self.measure, rule=self.rule)
        return VERDICTS[judge(condition, () if gain is None else (gain,))]


def _noise(part: str, where: str) -> tuple[Claim, ...]:
    others = {"plain": "plain cross-entropy", "smoothing": "label smoothing", "co-teaching": "co-teaching"}
    return tuple(
        Claim(
            part=part,
            claim=f"paper: noisyFER is more accurate than {words}, {where}",
            better="noisyfer",
            other=other,
            measure="accuracy",
        )
        for other, words in others.items()
    )


def _papers(part: str, where: str, *rows: tuple[str, str, str, str]) -> tuple[Claim, ...]:
    return tuple(
        Claim(part=part, claim=f"paper: {words}{where}", better=better, other=other, measure=measure)
        for words, better, other, measure in rows
    )


def _coupling(part: str, where: str = "") -> tuple[Claim, ...]:
    transfer = (
        ("paper: matching has no negative transfer", "matching"),
        ("two tasks without coupling have no negative transfer", "none"),
    )
    return (
        *_papers(
            part,
            where,
            ("matching raises macro F1 of expressions beside no coupling", "matching", "none", "macro F1"),
            ("matching raises F1 of action units beside no coupling", "matching", "none", "P_AU"),
            ("hard co-annotation raises F1 of action units beside none", "hard", "none", "P_AU"),
            ("soft co-annotation raises F1 of action units beside hard", "soft", "hard", "P_AU"),
        ),
        *(
            Claim(
                part=part,
                claim=f"{words} to {other}{where}",
                better=better,
                other=other,
                measure=measure,
                rule="at least",
            )
            for words, better in transfer
            for other, measure in (("expressions", "macro F1"), ("action units", "P_AU"))
        ),
    )


def _partial(part: str, where: str = "") -> tuple[Claim, ...]:
    return _papers(
        part,
        where,
        (
            "SS-MFAR has a higher macro F1 of expressions than the same net without pseudo-labels",
            *("ss-mfar", "plain, weighted", "macro F1"),
        ),
        ("SS-MFAR has a higher P_MTL than the partial-label engine", "ss-mfar", "plain", "P_MTL"),
        ("the balanced teacher has a higher P_MTL than without balance", "teacher", "plain", "P_MTL"),
        ("a student has a higher P_MTL than its teacher", "student 1", "teacher", "P_MTL"),
        ("the students together have a higher P_MTL than one", "students", "student 1", "P_MTL"),
    )


def _transformers() -> tuple[Claim, ...]:
    return _papers(
        "transformers",
        "",
        ("masked autoencoding is a better start than none", "vit, pretrained", "vit, scratch", "P_MTL"),
        (
            "masked CoTEX has a higher macro F1 of expressions than one pretrained network",
            *("cotex", "vit, pretrained", "macro F1"),
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    *_noise("votes", "one vote a face"),
    Claim(
        part="votes",
        claim="paper: noisyFER on expressions, valence and arousal is more accurate than on expressions alone",
        better="noisyfer",
        other="noisyfer, single",
        measure="accuracy",
    ),
    Claim(
        part="votes",
        claim="cross-entropy on expressions, valence and arousal is more accurate than on expressions alone",
        better="plain",
        other="plain, single",
        measure="accuracy",
    ),
    Claim(
        part="votes",
        claim="paper: noisyFER has a higher mean CCC of valence and arousal than plain cross-entropy, one vote a face",
        better="noisyfer",
        other="plain",
        measure="P_VA",
    ),
    *(claim for rate in RATES for claim in _noise(f"digits {rate}", f"digits with {rate:g} wrong labels")),
    *_coupling("halves"),
    *_partial("thirds"),
    *_transformers(),
    *_noise("more votes", "one vote a face, more faces and epochs"),
    *_coupling("more halves", ", more faces and epochs"),
    *_partial("more thirds", ", more faces and epochs"),
)
"""All conditions, in the order in which they are run.

Those of the last three experiments repeat earlier ones with a larger budget. They were added, with that budget, when
the others had shown what the small one gives, and before they ran.
"""
