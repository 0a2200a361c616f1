# SPDX-License-Identifier: Apache-2.0
"""The table of protocols: each names its function, the kind of subject that it takes, and its splits."""

from dataclasses import dataclass
from typing import Literal

from mien.core import Registry

SubjectKind = Literal["affect", "landmarks", "predictions"]
"""An affect bundle, a landmark net, or predictions (of files, tables, heads, or an affect bundle on crops)."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One line of the table of protocols.

    Attributes:
        name: Name that users type.
        target: ``"module:function"``; every function takes ``(subject, data, split)`` and returns a `Report`.
        summary: One line for listings.
        subject: Kind of the function's first argument: ``"affect"`` is a `mien.affect.Analyzer`, ``"landmarks"`` a
            `mien.faces.LandmarkNet`, ``"predictions"`` a `Predictor`.
        split: Split that is evaluated unless another one is given.
        splits: Splits that can be evaluated; empty for every split that the data set has.
    """

    name: str
    target: str
    summary: str
    subject: SubjectKind = "affect"
    split: str = "valid"
    splits: tuple[str, ...] = ()


def _images(name: str, summary: str, *, splits: tuple[str, ...]) -> Protocol:
    return Protocol(
        name=name,
        target=f"mien.evaluation.protocols.still_images:evaluate_{name.replace('-', '_')}",
        summary=summary,
        subject="predictions",
        split="test",
        splits=splits,
    )


def _challenge(name: str, summary: str, *, split: str = "valid") -> Protocol:
    return Protocol(
        name=name,
        target=f"mien.evaluation.protocols.challenges:evaluate_{name}",
        summary=summary,
        subject="predictions",
        split=split,
    )


PROTOCOLS = Registry(
    "protocol",
    (
        Protocol(
            name="ferplus",
            target="mien.evaluation.protocols.ferplus:evaluate_ferplus",
            summary="FER+ validation faces as crops: expression, valence, arousal, action units",
            splits=("train", "valid"),
        ),
        Protocol(
            name="ferplus-mtl",
            target="mien.evaluation.protocols.ferplus:evaluate_ferplus_mtl",
            summary="FER+ validation: P_MTL of votes, mapped valence and arousal, and the teacher's action units",
            splits=("train", "valid"),
        ),
        Protocol(
            name="affect-detail",
            target="mien.evaluation.protocols.affect_detail:evaluate_affect_detail",
            summary="FER+ validation: do valence and arousal say more than the predicted expression?",
            splits=("valid",),
        ),
        Protocol(
            name="geometry",
            target="mien.evaluation.protocols.geometry_affect:evaluate_geometry",
            summary="FER+: valence and arousal of landmarks beside those of the network, and the mean of both",
            splits=("train", "valid"),
        ),
        Protocol(
            name="lfw",
            target="mien.evaluation.protocols.lfw:evaluate_lfw",
            summary="LFW faces of held-out people: recall of happiness and neutral, action units",
            split="test",
            splits=("train", "test"),
        ),
        Protocol(
            name="lfw-chain",
            target="mien.evaluation.protocols.lfw:evaluate_lfw_chain",
            summary="The same LFW people as photos, through detector and landmark net, beside the teacher's landmarks",
            split="test",
            splits=("train", "test"),
        ),
        Protocol(
            name="flip-rate",
            target="mien.evaluation.protocols.flip_rate:evaluate_flip_rate",
            summary="FairFace faces against their gray, 48-px versions: do expression, valence and arousal stay?",
            splits=("train", "valid"),
        ),
        Protocol(
            name="au-teacher",
            target="mien.evaluation.protocols.action_units.au_teacher:evaluate_au_teacher",
            summary="Action units against the landmark teacher, within one expression too",
            split="test",
            splits=("train", "test"),
        ),
        Protocol(
            name="au-ranks",
            target="mien.evaluation.protocols.action_units.unit_ranks:evaluate_au_ranks",
            summary="Action units on FER+: expressions against neutral, false alarms, ranks of the landmarks' geometry",
            splits=("train", "valid"),
        ),
        Protocol(
            name="au-rendered",
            target="mien.evaluation.protocols.action_units.rendered_units:evaluate_au_rendered",
            summary="Action units and intensities on rendered faces of held-out persons, whose labels are exact",
            split="test",
            splits=("train", "valid", "test"),
        ),
        Protocol(
            name="landmarks",
            target="mien.evaluation.protocols.landmarks.landmark_error:evaluate_landmarks",
            summary="A landmark net against its teacher, on held-out people: landmarks, pose, eyes, confidence",
            subject="landmarks",
            split="test",
            splits=("test",),
        ),
        Protocol(
            name="landmarks-rendered",
            target="mien.evaluation.protocols.landmarks.rendered_landmarks:evaluate_landmarks_rendered",
            summary="A landmark net on rendered faces of held-out persons, whose landmarks are exact, by bands of yaw",
            subject="landmarks",
            split="test",
            splits=("train", "valid", "test"),
        ),
        Protocol(
            name="fairness",
            target="mien.evaluation.protocols.fairness:evaluate_fairness",
            summary="FairFace by age, gender and race: happiness, smiles, action units, flip rate, differences",
            splits=("train", "valid"),
        ),
        Protocol(
            name="reliability",
            target="mien.evaluation.protocols.reliability:evaluate_reliability",
            summary="FER+ validation: calibration error, and the gap in each of 15 bins of confidence",
            splits=("train", "valid"),
        ),
        Protocol(
            name="uncertainty",
            target="mien.evaluation.protocols.coverage:evaluate_uncertainty",
            summary="Coverage of prediction sets and intervals on FER+ faces kept aside, shares of reasons to abstain",
            splits=("valid",),
        ),
        Protocol(
            name="quality",
            target="mien.evaluation.protocols.quality_ranking:evaluate_quality",
            summary="Degraded FER+ and LFW faces: does quality tell right from wrong, and what does abstaining gain?",
            split="test",
            splits=("train", "test"),
        ),
        _images("rafdb", "RAF-DB, seven expressions on the owners' aligned crops", splits=("train", "test")),
        _images("fer2013", "FER2013 with its own seven labels", splits=("train", "valid", "test")),
        _images(
            "ferplus-csv",
            "FER+ from its authors' fer2013new.csv: eight expressions by both rules for the target",
            splits=("train", "valid", "test"),
        ),
        _challenge("affectnet", "AffectNet: accuracy over 8 classes, and over 7 without contempt"),
        _challenge("au", "Aff-Wild2 action units: mean F1 (FG2020 score for the edition with 8)"),
        _challenge("ce", "Compound expressions on a re-annotation of C-EXPR-DB: macro F1 over 7", split="train"),
        _challenge("emi", "Emotional mimicry intensity: mean Pearson over 6 emotions"),
        _challenge("eri", "Emotional reaction intensity: mean Pearson over 7 emotions"),
        _challenge("expr", "Aff-Wild2 expressions: macro F1 (FG2020 score for the edition with 7)"),
        _challenge("lsd", "Learning from synthetic data: macro F1 over 6 expressions"),
        _challenge("mtl", "s-Aff-Wild2: P_MTL = P_VA + P_EXPR + P_AU"),
        _challenge("va", "Aff-Wild2 valence and arousal: P_VA, the mean of two CCC"),
    ),
)
"""Name -> `Protocol`."""
