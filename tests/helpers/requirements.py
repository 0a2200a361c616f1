# SPDX-License-Identifier: Apache-2.0
"""What installing mien brings, read from the metadata of this environment."""

from collections.abc import Iterator, Mapping
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def requirements(name: str, *, extra: str = "", platform: Mapping[str, str] | None = None) -> Iterator[Requirement]:
    """The direct requirements of an installed distribution that apply; none for one that is not installed."""
    try:
        texts = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return
    for requirement in map(Requirement, texts):
        if requirement.marker is None or requirement.marker.evaluate({**(platform or {}), "extra": extra}):
            yield requirement


def installed_with(name: str, platform: Mapping[str, str] | None = None) -> set[str]:
    """Normalised names of everything that installing ``name`` installs, itself counted, extras that it asks for in."""
    found: set[str] = {canonicalize_name(name)}
    waiting = [(name, "")]
    done = set()
    while waiting:
        owner, extra = waiting.pop()
        if (owner, extra) in done:
            continue
        done.add((owner, extra))
        for requirement in requirements(owner, extra=extra, platform=platform):
            child = canonicalize_name(requirement.name)
            found.add(child)
            waiting += [(child, wanted) for wanted in ("", *requirement.extras)]
    return found


def import_names_of_extras(name: str) -> set[str]:
    """Top-level import names, present here, that none of what ``name`` needs without extras provides."""
    needed = installed_with(name)
    declared = {canonicalize_name(Requirement(text).name) for text in metadata.requires(name) or []}
    return {
        module
        for module, owners in metadata.packages_distributions().items()
        if {canonicalize_name(owner) for owner in owners} & declared - needed
    }
