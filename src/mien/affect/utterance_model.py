# SPDX-License-Identifier: Apache-2.0
"""Emotion, sentiment and sarcasm of utterances from text and feature sequences, in ONNX Runtime."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import Float32, InputError, ModalitySpec, SequenceSpec
from mien.inference import SequenceBundle, load_sequence

FeatureRows = Sequence[npt.NDArray[np.floating] | None]
"""(T, n) features of each utterance; None for an utterance without this modality."""

_WORDS = re.compile(r"[^\W_]+(?:'[^\W_]+)*|\.\.\.|[^\w\s]")
_CURLY = "\u2019"  # the apostrophe of typesetters
_BLOCK = 256


def hash_words(text: str, buckets: int) -> list[int]:
    """Numbers from 1 to ``buckets`` of the words, marks and symbols of a text, in order.

    A hash in place of a vocabulary knows every word; rare words share numbers. Source: Weinberger et al., ICML 2009.

    Examples:
        >>> hash_words("Don't stop!", 1000) == hash_words("don't STOP !", 1000)
        True
        >>> len(hash_words("Don't stop!", 1000)), hash_words("", 1000)
        (3, [])
    """
    words = _WORDS.findall(text.lower().replace(_CURLY, "'"))
    return [1 + zlib.crc32(word.encode()) % buckets for word in words]


def pack_utterances(
    texts: Sequence[str],
    features: Mapping[str, FeatureRows],
    modalities: Sequence[ModalitySpec],
    steps: int,
    names: Sequence[str] = (),
) -> Float32:
    """Utterances as the vectors that the networks read.

    A text is cut after ``steps`` words; a longer sequence of features is averaged to that many steps.

    Args:
        texts: N texts.
        features: Name of each modality of features -> N sequences.
        modalities: Modalities, in order.
        steps: Number of steps.
        names: N names of the utterances for messages; numbers from 1 if empty.

    Returns:
        (N, D): of each modality the numbers of its words (0 after the last), or its vectors step by step and then a
        mask that is 1 for steps with a vector.

    Raises:
        InputError: An utterance has neither a word nor features, or its features have another shape or a NaN; the
            message names it.

    Examples:
        >>> text = ModalitySpec(name="text", kind="text", n=100)
        >>> pack_utterances(["Yes!", "no"], {}, [text], 3).astype(bool).tolist()
        [[True, True, False], [True, False, False]]
    """
    called = list(names) or [f"utterance {number}" for number in range(1, len(texts) + 1)]
    parts: list[Float32] = []
    seen = np.zeros(len(texts), dtype=bool)
    for modality in modalities:
        part = np.zeros((len(texts), modality.length(steps)), np.float32)
        if modality.kind == "text":
            for row, text in enumerate(texts):
                numbers = hash_words(text, modality.n)[:steps]
                part[row, : len(numbers)] = numbers
            seen |= part.any(axis=1)
        else:
            if modality.name not in features:
                raise InputError(f"the features of {modality.name!r} are missing; give None for utterances without")
            rows = features[modality.name]
            if len(rows) != len(texts):
                raise InputError(f"{modality.name} has {len(rows)} sequences for {len(texts)} utterances")
            for row, values in enumerate(rows):
                if values is not None:
                    part[row] = _packed(np.asarray(values), modality, steps, called[row])
                    seen[row] = True
        parts.append(part)
    if not seen.all():
        row = int(np.argmin(seen))
        raise InputError(f"{called[row]}: the utterance is empty: it has no word and no features")
    return np.concatenate(parts, axis=1)


def _packed(values: npt.NDArray[np.generic], modality: ModalitySpec, steps: int, name: str) -> Float32:
    """One sequence and its mask."""
    check_features(values, modality.n, f"{name}: {modality.name}")
    series = values.astype(np.float32)
    if len(series) > steps:
        ends = np.linspace(0, len(series), steps + 1).round().astype(int)
        series = np.stack([series[start:stop].mean(axis=0) for start, stop in pairwise(ends)])
    packed = np.zeros((steps, modality.n), np.float32)
    packed[: len(series)] = series
    return np.concatenate([packed.ravel(), (np.arange(steps) < len(series)).astype(np.float32)])


def check_features(values: npt.NDArray[np.generic], n: int, place: str) -> None:
    """Refuse a sequence of features that cannot be used.

    Args:
        values: Sequence as it was given.
        n: Length of a vector.
        place: File or utterance, for the message.

    Raises:
        InputError: It has no step, another shape, or a value that is not finite; the message names the step.
    """
    if values.ndim != 2 or values.shape[1] != n or not len(values):
        raise InputError(f"{place} must be a sequence (T, {n}) with at least one step, got {values.shape}")
    if not np.issubdtype(values.dtype, np.number):
        raise InputError(f"{place} must hold numbers, got {values.dtype}")
    bad = ~np.isfinite(values.astype(np.float64)).all(axis=1)
    if bad.any():
        raise InputError(f"{place} has a value that is not finite in step {int(bad.argmax()) + 1}")


class UtteranceModel:
    """Predicts emotion, sentiment and sarcasm of utterances.

    Args:
        bundle: Folder of a bundle that `mien train` wrote from a recipe with ``[model.sequences]``, or it loaded.

    Raises:
        ModelError: The bundle is missing or damaged, or of another version or kind.
    """

    def __init__(self, bundle: SequenceBundle | str | Path) -> None:
        self._bundle = bundle if isinstance(bundle, SequenceBundle) else load_sequence(bundle)

    @property
    def spec(self) -> SequenceSpec:
        """Description of the bundle."""
        return self._bundle.spec

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of `predict`: ``emotion_<label>``, ``sentiment``, ``sarcasm``."""
        return tuple(
            f"emotion_{label}" if task.task == "emotion" else task.task
            for task in self.spec.tasks
            for label in task.labels
        )

    def predict(
        self, texts: Sequence[str], features: Mapping[str, FeatureRows] | None = None, names: Sequence[str] = ()
    ) -> dict[str, Float32]:
        """Values of N utterances.

        Args:
            texts: N texts; an empty one where only features are known.
            features: Name of each modality of features -> N sequences (T, n), None for a missing one.
            names: N names for messages.

        Returns:
            Column -> (N,): probabilities of emotions and of sarcasm, sentiment in [-1, 1].

        Raises:
            InputError: An utterance is empty or its features do not fit; the message names it.
        """
        packed = pack_utterances(texts, features or {}, self.spec.modalities, self.spec.steps, names)
        outputs = [
            self._bundle.session.run({self.spec.input: packed[start : start + _BLOCK]})
            for start in range(0, len(packed), _BLOCK)
        ]
        found: list[Float32] = []
        for task in self.spec.tasks:
            raw = np.concatenate([output[task.output] for output in outputs]) if outputs else np.empty((0, 0))
            raw = raw.reshape(len(packed), len(task.labels)).astype(np.float32)
            found += list(np.clip(raw, -1, 1).T if task.task == "sentiment" else (0.5 * (1 + np.tanh(0.5 * raw))).T)
        return dict(zip(self.columns, found, strict=True))
