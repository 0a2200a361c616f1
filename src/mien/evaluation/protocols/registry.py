# SPDX-License-Identifier: Apache-2.0
"""The table of protocols: data set x predictor x measures -> report."""

from dataclasses import dataclass

from mien.core import Registry


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One line of the table of protocols.

    Attributes:
        name: what users type.
        target: ``"module:function"`` that returns a `Report`. Where ``split`` is empty, a function of an `Analyzer`
            and the data folder (of a `mien.faces.LandmarkNet` and the folder where ``of`` is ``"points"``); else one of
            the data folder, a `Predictor` and the split.
        summary: one line for listings.
        split: of the data set that is measured unless another is asked for; empty where the protocol fixes it.
        of: kind of bundle that is measured, ``"affect"`` or ``"points"``.
    """

    name: str
    target: str
    summary: str
    split: str = ""
    of: str = "affect"


def _challenge(name: str, summary: str, *, split: str = "valid") -> Protocol:
    return Protocol(
        name=name, target=f"mien.evaluation.protocols.challenges:evaluate_{name}", summary=summary, split=split
    )


PROTOCOLS = Registry(
    "protocol",
    (
        Protocol(
            name="ferplus",
            target="mien.evaluation.protocols.labelled_faces:evaluate_ferplus",
            summary="FER+ validation faces as crops: expression, valence, arousal, action units",
        ),
        Protocol(
            name="ferplus-mtl",
            target="mien.evaluation.protocols.labelled_faces:evaluate_ferplus_mtl",
            summary="FER+ validation: P_MTL of votes, mapped valence and arousal, and the teacher's action units",
        ),
        Protocol(
            name="lfw",
            target="mien.evaluation.protocols.labelled_faces:evaluate_lfw",
            summary="LFW faces of people who taught nothing: recall of happiness and neutral, action units",
        ),
        Protocol(
            name="lfw-chain",
            target="mien.evaluation.protocols.labelled_faces:evaluate_lfw_chain",
            summary="The same LFW people as photos, through detector and landmark net, beside the teacher's points",
        ),
        Protocol(
            name="flip-rate",
            target="mien.evaluation.protocols.flip_rate:evaluate_flip_rate",
            summary="FairFace faces against their gray, 48-px versions: do expression, valence and arousal stay?",
        ),
        Protocol(
            name="au-teacher",
            target="mien.evaluation.protocols.au_teacher:evaluate_au_teacher",
            summary="Action units against the landmark teacher, within one expression too",
        ),
        Protocol(
            name="landmarks",
            target="mien.evaluation.protocols.landmark_error:evaluate_landmarks",
            summary="A landmark net against its teacher, on people who taught nothing: points, pose, eyes, confidence",
            of="points",
        ),
        Protocol(
            name="fairness",
            target="mien.evaluation.protocols.fairness:evaluate_fairness",
            summary="FairFace by age, gender and race: happiness, smiles, action units, flip rate, differences",
        ),
        Protocol(
            name="reliability",
            target="mien.evaluation.protocols.reliability:evaluate_reliability",
            summary="FER+ validation: calibration error, and the gap in each of 15 bins of confidence",
        ),
        Protocol(
            name="quality",
            target="mien.evaluation.protocols.quality_ranking:evaluate_quality",
            summary="FER+ and LFW faces made worse: does quality tell right from wrong, and what does abstaining gain?",
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
