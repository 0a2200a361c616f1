# SPDX-License-Identifier: Apache-2.0
"""What a bundle says of its training: data sets, licences, known failures, and who measures it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mien.core import TrainingSource
from mien.datasets import AU_RULES, DATASETS
from mien.training.data.training_set import TrainingSet
from mien.training.recipes.settings import SourceSettings

_RESEARCH = "images collected from the web for research; "

_LIMITS = (
    "It sees facial movements and guesses what a group of raters would call them; it does not see feelings.",
    "Not for decisions about people: hiring, policing, schooling, insurance, diagnosis.",
)

# Protocols of mien.evaluation that measure on the set's own validation part.
_PROTOCOLS = {
    "open-faces": ("ferplus", "lfw", "flip-rate"),
    "affectnet": ("affectnet",),
    "affwild2-va": ("va",),
    "affwild2-expr": ("expr",),
    "affwild2-au": ("au",),
    "affwild2-mtl": ("mtl",),
    "lsd": ("lsd",),
}


@dataclass(frozen=True, kw_only=True)
class Card:
    """What goes into `mien.core.ModelSpec` besides the graph.

    Attributes:
        notice: what a user must check before using the weights.
        training_sources: data sets, with the rows that were learnt from.
        limitations: known failures, in sentences.
        inferred: action units that were taught by inference from others.
        protocols: names in `mien.evaluation.PROTOCOLS`.
    """

    notice: str
    training_sources: tuple[TrainingSource, ...]
    limitations: tuple[str, ...]
    inferred: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()


def create_card(sources: Sequence[tuple[SourceSettings, TrainingSet]]) -> Card:
    """The card of a network that these sets teach."""
    cards = [
        _open_faces(found) if source.name == "open-faces" else _research_set(source, found) for source, found in sources
    ]
    return Card(
        notice=" ".join(dict.fromkeys(card.notice for card in cards)),
        training_sources=sum((card.training_sources for card in cards), ()),
        limitations=tuple(dict.fromkeys(limit for card in cards for limit in card.limitations)),
        inferred=tuple(dict.fromkeys(unit for card in cards for unit in card.inferred)),
        protocols=tuple(dict.fromkeys(name for card in cards for name in card.protocols)),
    )


def _research_set(source: SourceSettings, found: TrainingSet) -> Card:
    title, terms = source.name, "the user's own data"
    if source.name in DATASETS:
        record = DATASETS[source.name]
        title, terms = record.title, f"as granted by its owners ({record.owner})"
    return Card(
        notice=f"Taught on {title}: the terms of its owners decide who may use the weights, and for what.",
        training_sources=(
            TrainingSource(name=f"{title}, {source.split}", role=", ".join(found.labels), n=len(found), licence=terms),
        ),
        limitations=_LIMITS,
        protocols=_PROTOCOLS.get(source.name, ()),
    )


def _open_faces(found: TrainingSet) -> Card:
    n_voted = int(found.primary.sum())
    n_lfw = int((found.known("expression") & ~found.primary).sum())
    return Card(
        notice=(
            "Taught on images collected for research (FER2013, LFW) and on CC BY 4.0 images (FairFace): "
            "check their terms before commercial use."
        ),
        training_sources=(
            TrainingSource(
                name="FER+ (FER2013) train",
                role="expression votes, mapped valence and arousal, action-unit pseudo-labels",
                n=n_voted,
                licence=_RESEARCH + "labels MIT",
            ),
            TrainingSource(
                name="FairFace train",
                role="action-unit pseudo-labels; own predictions on gray 48-px copies as expression targets",
                n=len(found) - n_voted - n_lfw,
                licence="CC BY 4.0",
            ),
            TrainingSource(
                name="LFW expression, training people",
                role="noisy expression labels beside own predictions, action-unit pseudo-labels",
                n=n_lfw,
                licence=_RESEARCH + "collection Apache-2.0",
            ),
            TrainingSource(
                name="AffectNetC25, random images",
                role="ratings for the map from votes to valence and arousal (no pixels)",
                n=800,
                licence="published by its authors",
            ),
            TrainingSource(
                name="MediaPipe Face Landmarker",
                role="teacher of action units and alignment points",
                n=len(found),
                licence="Apache-2.0",
            ),
        ),
        limitations=(
            *_LIMITS,
            "Valence and arousal were mapped from votes: valence stays within about [-.66, .57], arousal within "
            "[-.56, .74]; extremes cannot be reached.",
            "Disgust, fear and contempt were rare in the training data and are often missed.",
            "Action units are pseudo-labels of a landmark model, not of FACS coders; AU06 is inferred from the smile "
            "and the eye squint together; AU09, AU14 and AU23 are not given.",
            "AU15, AU17, AU20 and AU24 agree little with the teacher (F1 below .5): read them as hints.",
            "Profiles, faces below about 30 px, strong blur and covered mouths make every number worse.",
        ),
        inferred=tuple(name for name, rule in AU_RULES.items() if not rule.observed),
        protocols=_PROTOCOLS["open-faces"],
    )
