# SPDX-License-Identifier: Apache-2.0
"""Cards of bundles by one call: model card, data card, audit summary, provenance manifest, and SHA256SUMS."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien._version import __version__
from mien.core import (
    GeometrySpec,
    InputError,
    ModelError,
    ModelSpec,
    OutputError,
    PathName,
    QualitySpec,
    UncertaintySpec,
    is_regular_file,
    read_regular,
)
from mien.inference import (
    bundle_digest,
    find_bundle,
    geometry_card,
    is_geometry,
    list_bundles,
    list_geometry_bundles,
    load_geometry,
    load_spec,
    model_card,
)
from mien.results import atomic_write, hash_file, output_errors

SUMS_NAME = "SHA256SUMS"
"""File with the SHA-256 of every file of the bundles, as ``sha256sum -c`` reads it."""

_ADVICE = "check that the folder may be written to"
_AUDIT, _SUMMARY = "audit.json", "audit.md"


@dataclass(frozen=True)
class _Described:
    """A bundle of any kind: its folder and description, the digest of that file, and the names of its files."""

    folder: Path
    spec: ModelSpec | GeometrySpec
    digest: str
    files: tuple[str, str]

    @classmethod
    def of(cls, bundle: PathName) -> _Described:
        if is_geometry(str(bundle)):
            found = load_geometry(str(bundle))
            return cls(found.folder, found.spec, found.digest, ("geometry.json", "geometry.bin"))
        name = str(bundle)
        return cls(find_bundle(name), load_spec(name), bundle_digest(name), ("model.json", "model.onnx"))

    def hashes(self) -> dict[str, str]:
        """SHA-256 of each file."""
        return {name: hash_file(self.folder / name) for name in self.files}


def list_all_bundles() -> list[str]:
    """Names of the bundles of every kind that are installed with mien.

    Examples:
        >>> {"mien-light", "mien-geometry"} <= set(list_all_bundles())
        True
    """
    return sorted({*list_bundles(), *list_geometry_bundles()})


def write_cards(bundles: Iterable[PathName], out: PathName, *, audits: PathName | None = None) -> tuple[Path, ...]:
    """Write the cards of bundles.

    Args:
        bundles: Names or folders of bundles.
        out: Folder that gets a folder for each bundle and `SUMS_NAME`. Lines of other bundles that have cards there
            stay in that file.
        audits: Folder with ``<name of the bundle>/audit.json`` as `mien audit` writes it, for bundles that have one;
            None for none. A summary of other weights that is in ``out`` is removed.

    Returns:
        Paths of the files.

    Raises:
        InputError: An audit cannot be read.
        ModelError: A bundle is missing or damaged, or an audit is of other weights.
        OutputError: The folder cannot be written.
    """
    written, sums = [], _kept_sums(Path(out))
    for bundle in bundles:
        found = _Described.of(bundle)
        spec = found.spec
        contents = {
            "model-card.md": geometry_card(spec) if isinstance(spec, GeometrySpec) else model_card(spec),
            "data-card.md": data_card(spec),
            "provenance.json": json.dumps(provenance_manifest(str(bundle)), indent=1, ensure_ascii=False) + "\n",
        }
        audit = None if audits is None else Path(audits) / spec.name / _AUDIT
        if isinstance(spec, ModelSpec) and spec.kind == "affect" and audit is not None and audit.is_file():
            contents[_SUMMARY] = audit_summary(_read_audit(audit), spec)
        else:
            _remove_stale(Path(out) / spec.name / _SUMMARY, spec)
        written += [_write(Path(out) / spec.name / name, text) for name, text in contents.items()]
        sums[spec.name] = [f"{digest}  {spec.name}/{name}" for name, digest in found.hashes().items()]
    written.append(_write(Path(out) / SUMS_NAME, "".join(f"{line}\n" for name in sorted(sums) for line in sums[name])))
    return tuple(written)


def _kept_sums(out: Path) -> dict[str, list[str]]:
    """Bundle -> its lines in the file of sums that is there, for bundles that have a folder beside it."""
    path, kept = out / SUMS_NAME, dict[str, list[str]]()
    if not is_regular_file(path):
        return kept
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise OutputError(f"{path} cannot be continued ({error}); remove it") from error
    for line in lines:
        _, _, name = line.partition("  ")
        bundle = name.partition("/")[0]
        if bundle and (out / bundle).is_dir():
            kept.setdefault(bundle, []).append(line)
    return kept


def data_card(spec: ModelSpec | GeometrySpec) -> str:
    """What the weights were trained on, under which terms, and what that means for a user.

    Args:
        spec: Description of a bundle.

    Examples:
        >>> from mien.inference import load_spec
        >>> print(data_card(load_spec("mien-light")).splitlines()[0])
        # Data of mien-light, version 3
    """
    rows = [
        f"| {source.name} | {source.n or '-'} | {source.role} | {source.licence} |" for source in spec.training_sources
    ]
    calibrated = [f"- {name}: {one.n} faces, {one.data}. `{one.command}`" for name, one in _calibrations(spec).items()]
    return "\n".join(
        [
            f"# Data of {spec.name}, version {spec.version}",
            "",
            f"SHA-256 of the weights: `{spec.sha256}`. {spec.weights_notice}",
            "",
            "No image of these sets is in the bundle or in the repository.",
            "",
            "| source | n | role | licence |",
            "|---|---|---|---|",
            *rows,
            "",
            "## Calibration",
            "",
            *(calibrated or ["None."]),
            "",
            "## Evaluation",
            "",
            *(f"- {line}" for line in dict.fromkeys(f"{m.data}: `{m.command}`" for m in spec.metrics)),
            "",
        ]
    )


def _calibrations(spec: ModelSpec | GeometrySpec) -> dict[str, QualitySpec | UncertaintySpec]:
    """What was fitted to the weights after the training, by name."""
    if isinstance(spec, GeometrySpec):
        return {}
    named = {"quality": spec.quality, "uncertainty": spec.uncertainty}
    return {name: one for name, one in named.items() if one is not None}


def provenance_manifest(bundle: str) -> dict[str, Any]:
    """Hashes, sources with their licences, and the commands that make and measure a bundle.

    Args:
        bundle: Name or folder of the bundle.

    Raises:
        ModelError: The bundle is missing or damaged.
    """
    found = _Described.of(bundle)
    spec = found.spec
    commands = [f"mien train {spec.recipe} --data DATA --out {spec.name}"] if spec.recipe else []
    commands += [one.command for one in _calibrations(spec).values()]
    return {
        "bundle": spec.name,
        "version": spec.version,
        "mien": __version__,
        "description_sha256": found.digest,
        "files_sha256": found.hashes(),
        "weights_sha256": spec.sha256,
        "provenance": spec.provenance,
        "code_licence": spec.code_licence,
        "weights_notice": spec.weights_notice,
        "sources": [
            {"name": one.name, "role": one.role, "n": one.n, "licence": one.licence} for one in spec.training_sources
        ],
        "commands": list(dict.fromkeys([*commands, *(metric.command for metric in spec.metrics)])),
    }


def audit_summary(audit: Mapping[str, Any], spec: ModelSpec) -> str:
    """The verdicts of an audit on one page.

    Args:
        audit: Content of ``audit.json``.
        spec: Description of the bundle.

    Raises:
        ModelError: The audit is of other weights.
    """
    if audit.get("weights_sha256") != spec.sha256:
        found = str(audit.get("weights_sha256"))[:12]
        raise ModelError(
            f"the audit is of the weights {found}..., {spec.name} has {spec.sha256[:12]}...; audit it again"
        )
    verdicts = audit["verdicts"]
    counts = {word: sum(one["verdict"] == word for one in verdicts) for word in ("within", "above", "unsure")}
    shown = [one for one in verdicts if one["verdict"] == "above" or "equal geometry" in one["measure"]]
    rows = [
        f"| {one['measure']} | {one['column']}: {one['group']} | {one['gap']:+.3f} | "
        f"{one['low']:+.3f} to {one['high']:+.3f} | {one['limit']:g} | {one['verdict']} |"
        for one in sorted(shown, key=lambda one: -abs(one["gap"]) / one["limit"])
    ]
    error = audit.get("mean_corruption_error")
    return "\n".join(
        [
            f"# Audit of {spec.name}, version {spec.version}",
            "",
            f"SHA-256 of the weights: `{spec.sha256}`. {audit['data']}, {audit['n']} faces. `{audit['command']}`",
            "",
            f"Of {len(verdicts)} comparisons {counts['within']} are within their limits, {counts['above']} above them "
            f"beyond chance, and {counts['unsure']} are not sure: the gap or its interval reaches the limit.",
            "",
            *(f"{note}\n" for note in audit["notes"]),
            "The largest gap between a group and all others: measures above their limit, and those at equal geometry.",
            "",
            "| measure | group | gap | interval | limit | verdict |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            *([] if error is None else [f"Mean error over seven corruptions in five strengths: {error:.3f}.", ""]),
            *_jitter_lines(audit.get("jitters", ())),
        ]
    )


def _jitter_lines(jitters: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence on the changes of the aligned crop, and a table of them."""
    rows = []
    for one in jitters:
        top = next((each for each in one["changes"] if each["name"] == "another top expression"), None)
        if one["level"] == "crop" and top is not None:
            rows.append(
                f"| {one['jitter']} | {top['value']:.3f} | {top['low']:.3f} to {top['high']:.3f} | {top['n']} |"
            )
    if not rows:
        return []
    return [
        "Share of faces with another top expression where the aligned crop is changed a little:",
        "",
        "| change of the crop | share | interval | n |",
        "|---|---|---|---|",
        *rows,
        "",
    ]


def _remove_stale(path: Path, spec: ModelSpec | GeometrySpec) -> None:
    """Remove an audit summary of other weights."""
    with output_errors(path, _ADVICE):
        if path.is_file() and spec.sha256 not in path.read_text("utf-8"):
            path.unlink()


def _read_audit(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_regular(path))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as an audit ({error}); run mien audit --out {path.parent}") from error
    needed = {"weights_sha256", "verdicts", "notes", "data", "n", "command"}
    if not isinstance(content, dict) or not needed <= set(content):
        raise InputError(f"{path}: is no audit of mien")
    return content


def _write(path: Path, text: str) -> Path:
    with output_errors(path, _ADVICE):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(text.encode())
    return path
