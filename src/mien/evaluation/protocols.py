# SPDX-License-Identifier: Apache-2.0
"""The table of protocols: data set x predictor x measures -> report."""

from dataclasses import dataclass

from mien.core import Registry


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One line of the table of protocols.

    Attributes:
        name: what users type.
        target: ``"module:function"``, a function of an `Analyzer` and the data folder that returns a `Report`.
        summary: one line for listings.
    """

    name: str
    target: str
    summary: str


PROTOCOLS = Registry(
    "protocol",
    (
        Protocol(
            name="ferplus",
            target="mien.evaluation.faces:evaluate_ferplus",
            summary="FER+ validation faces as crops: expression, valence, arousal, action units",
        ),
        Protocol(
            name="lfw",
            target="mien.evaluation.faces:evaluate_lfw",
            summary="LFW faces of people who taught nothing: recall of happiness and neutral, action units",
        ),
    ),
)
"""Name -> `Protocol`."""
