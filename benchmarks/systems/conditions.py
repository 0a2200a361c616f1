# SPDX-License-Identifier: Apache-2.0
"""What each system of the papers has to show, written before anything was run; and the verdict on what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.systems.gains import Gain

MARGIN = 0.01
"""Loss of the measure that "at least as good" allows."""

Verdict = Literal["passed", "failed", "undecided", "not run"]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One ordering.

    Attributes:
        key: short name.
        part: heading on the page under which it is listed.
        claim: the ordering, as the paper has it.
        measure: what is compared, on which rows.
        rule: ``"better"``: every gain has an interval above 0 and is above 0 with every seed; ``"at least"``: every
            interval is above `-MARGIN`, and none is wholly below 0.
        n_gains: number of gains that the condition is about; both ends of a sweep are two.
        n_runs: number of runs planned: three seeds, and for heads each of them on both halves of the faces.
    """

    key: str
    part: str
    claim: str
    measure: str
    rule: Literal["better", "at least"] = "better"
    n_gains: int = 1
    n_runs: int = 3


def judge(condition: Condition, gains: tuple[Gain, ...]) -> Verdict:
    """The verdict on the gains of one condition.

    One gain that fails fails the condition; otherwise one that is undecided leaves it undecided. With fewer runs than
    planned nothing passes.

    Args:
        condition: condition with its rule.
        gains: one or several gains, each of which the claim says is positive; none where nothing was run.
    """
    if len(gains) < condition.n_gains:
        return "not run"
    verdicts = {_one(condition, gain) for gain in gains}
    for verdict in ("failed", "undecided"):
        if verdict in verdicts:
            return verdict  # type: ignore[return-value]  # one of the two
    return "passed"


def _one(condition: Condition, gain: Gain) -> Verdict:
    if gain.high < 0:
        return "failed"
    if len(gain.per_seed) < condition.n_runs:
        return "undecided"
    if condition.rule == "at least":
        return "passed" if gain.low > -MARGIN else "undecided"
    return "passed" if gain.low > 0 and min(gain.per_seed) > 0 else "undecided"


NETS_PART = "Networks: the recipe itself"
HEADS_PART = "Heads without contamination"
TIME_PART = "Time"
BLENDS_PART = "Blends, compounds, clips"
OTHERS_PART = "MTANet and the CNN of 2020"

_FERPLUS = "FER+ valid by plurality"
_OWN_HALF = "FER+ valid, degraded"

CONDITIONS: tuple[Condition, ...] = (
    Condition(
        key="face-scratch",
        part=NETS_PART,
        claim="a face-pretrained start is better than none (MobileNetV1, FaceRes)",
        measure=f"accuracy, {_FERPLUS}",
    ),
    Condition(
        key="face-imagenet",
        part=NETS_PART,
        claim="a face-pretrained start (MobileNetV1, FaceRes) is better than an ImageNet one (EfficientNet-Lite0)",
        measure=f"accuracy, {_FERPLUS}",
    ),
    Condition(
        key="imagenet-scratch",
        part=NETS_PART,
        claim="an ImageNet start is better than none (EfficientNet-Lite0)",
        measure=f"accuracy, {_FERPLUS}",
    ),
    Condition(
        key="multi-single",
        part=NETS_PART,
        claim="expressions with valence and arousal beside them are at least as accurate as alone",
        measure=f"accuracy, {_FERPLUS}",
        rule="at least",
    ),
    Condition(
        key="sam-adam",
        part=NETS_PART,
        claim="SAM around Adam is at least as accurate as Adam, with as many epochs",
        measure=f"accuracy, {_FERPLUS}",
        rule="at least",
    ),
    Condition(
        key="weights-plain",
        part=NETS_PART,
        claim="class weights with label smoothing raise macro F1",
        measure=f"macro F1, {_FERPLUS}",
    ),
    Condition(
        key="b2-b0",
        part=NETS_PART,
        claim="EfficientNet-B2 is at least as accurate as B0, from the same pretext",
        measure=f"accuracy, {_FERPLUS}",
        rule="at least",
    ),
    Condition(
        key="slice-joint",
        part=HEADS_PART,
        n_runs=6,
        claim="three heads with valence and arousal from the scores (slice) are better than the joint net",
        measure=f"P_MTL, {_OWN_HALF}",
    ),
    Condition(
        key="joint-both-features",
        part=HEADS_PART,
        n_runs=6,
        claim="joint net: features and scores are at least as good as features",
        measure=f"P_MTL, {_OWN_HALF}",
        rule="at least",
    ),
    Condition(
        key="joint-features-scores",
        part=HEADS_PART,
        n_runs=6,
        claim="joint net: features are better than scores",
        measure=f"P_MTL, {_OWN_HALF}",
    ),
    Condition(
        key="separate-features-scores",
        part=HEADS_PART,
        n_runs=6,
        claim="separate nets: features are better than scores for expressions and action units",
        measure=f"P_EXPR + P_AU, {_OWN_HALF}",
    ),
    Condition(
        key="va-scores-features",
        part=HEADS_PART,
        n_runs=6,
        claim="valence and arousal: scores are better than features, and better than both together",
        measure=f"P_VA, {_OWN_HALF}",
        n_gains=2,
    ),
    Condition(
        key="thresholds",
        part=HEADS_PART,
        n_runs=6,
        claim="thresholds tuned on other faces raise P_AU above that at 0.5 (slice)",
        measure=f"P_AU, {_OWN_HALF}",
    ),
    *(
        condition
        for key, where in (("time", "one person a video"), ("clips", "real clips, frame by frame against a teacher"))
        for condition in (
            Condition(
                key=f"{key}-expr",
                part=TIME_PART,
                claim="expressions: some half-width d > 0, chosen on the other half of the videos, is better than "
                "d = 0 and than d = 200",
                measure=f"macro F1, {where}",
                n_gains=2,
            ),
            Condition(
                key=f"{key}-va",
                part=TIME_PART,
                claim="valence and arousal: some half-width d > 0, chosen on the other half of the videos, is better "
                "than d = 0 and than d = 200",
                measure=f"P_VA, {where}",
                n_gains=2,
            ),
            Condition(
                key=f"{key}-au",
                part=TIME_PART,
                claim="action units: d = 3 or 5, chosen on the other half of the videos, with thresholds tuned there, "
                "is better than d = 0",
                measure=f"P_AU, {where}",
            ),
        )
    ),
    Condition(
        key="blend-expr",
        part=BLENDS_PART,
        claim="expressions: a blend of two families (MobileNetV1 from FaceRes, Lite0 from ImageNet), weight chosen on "
        "other faces, is better than either",
        measure=f"macro F1, {_FERPLUS}",
        n_gains=2,
    ),
    Condition(
        key="blend-va",
        part=BLENDS_PART,
        claim="valence and arousal: a blend of two families, weight chosen on other faces, is better than either",
        measure=f"P_VA, {_FERPLUS}",
        n_gains=2,
    ),
    Condition(
        key="compounds",
        part=BLENDS_PART,
        claim="compound expressions: the lower the divergence of an extractor's class frequencies, the higher its "
        "macro F1 (six extractors)",
        measure="rank correlation of -KL and macro F1, faces of FER+ valid with two leading votes",
    ),
    Condition(
        key="emi",
        part=BLENDS_PART,
        claim="EMI heads find signals that were planted in faces and in sound, and their blend, weight chosen for each "
        "emotion on other clips, is better than either",
        measure="mean Pearson, generated clips",
        n_gains=2,
    ),
    Condition(
        key="eri",
        part=BLENDS_PART,
        claim="ERI: the sequence head finds a planted order of time that statistics of the clip do not show",
        measure="mean Pearson, generated clips",
    ),
    Condition(
        key="mtanet",
        part=OTHERS_PART,
        claim="one net on three disjoint label sets is at least as good as three single nets",
        measure=f"P_MTL, {_FERPLUS}",
        rule="at least",
    ),
    Condition(
        key="fold-leak",
        part=OTHERS_PART,
        claim="one model carried through ten folds scores higher on the faces of its later folds than on faces that it "
        "never saw: a leak",
        measure="accuracy of folds 2 to 10 minus accuracy of the same weights on FER+ valid",
    ),
)
"""The conditions in the order of the page."""
