# SPDX-License-Identifier: Apache-2.0
"""`GeometrySpec`: the description of a geometry bundle, which reads 68 landmarks and no pixels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from mien.core.errors import ConfigError
from mien.core.model_spec import MetricValue, TrainingSource
from mien.core.typed import check_choices, check_text, read_versioned

GEOMETRY_VERSION = 1
"""Version of the JSON layout; every other version is refused."""

GEOMETRY_OUTPUTS = ("arousal", "valence", "intensity")
"""Outputs of a geometry bundle, in order."""

PointChoice = Literal["inner", "all", "published"]
"""Landmarks whose distances are used: the 51 without the jaw, all 68, or the first 51 (jaw kept, mouth left out)."""

_MAX_COMPONENTS = 200


@dataclass(frozen=True, kw_only=True)
class GeometrySpec:
    """The content of a bundle's ``geometry.json``, which lies beside its ``geometry.bin``.

    Attributes:
        geometry_version: Layout version, see `GEOMETRY_VERSION`.
        name: Name of the bundle.
        version: Version of the weights.
        sha256: SHA-256 of ``geometry.bin``, lower-case hexadecimal.
        points: Landmarks whose pairwise distances are the inputs; ``"published"`` repeats a slip of a public
            implementation, for weights that were fitted with it.
        n_components: Number of components of the partial least squares regression.
        code_licence: Licence of this file.
        weights_notice: Conditions that a user must check before using the weights.
        training_sources: Data sets that the weights were fitted on.
        recipe: Name of the training recipe.
        provenance: Method, date and machine of the training.
        metrics: Metrics on data that the weights were not fitted on.
        limitations: Known failures, in sentences.

    Examples:
        >>> GeometrySpec(geometry_version=1, name="x", version="1", sha256="", points="inner", n_components=31).points
        'inner'
    """

    geometry_version: int
    name: str
    version: str
    sha256: str
    points: PointChoice
    n_components: int
    code_licence: str = "Apache-2.0"
    weights_notice: str = ""
    training_sources: tuple[TrainingSource, ...] = ()
    recipe: str = ""
    provenance: str = ""
    metrics: tuple[MetricValue, ...] = ()
    limitations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_choices(self)
        check_text("name", self.name)
        if not 1 <= self.n_components <= _MAX_COMPONENTS:
            raise ConfigError(f"n_components must be from 1 to {_MAX_COMPONENTS}, got {self.n_components}")

    def to_json(self) -> dict[str, Any]:
        """Plain lists, dicts and numbers for ``json.dump``."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: object) -> GeometrySpec:
        """A description from parsed JSON.

        Raises:
            ModelError: The version is not `GEOMETRY_VERSION`, or a key is unknown, missing or wrongly typed.

        Examples:
            >>> GeometrySpec.from_json({"geometry_version": 7})
            Traceback (most recent call last):
            mien.core.errors.ModelError: geometry_version 7 is not 1; this mien cannot read it, update mien
        """
        return read_versioned(cls, content, "geometry_version", GEOMETRY_VERSION, "geometry.json")
