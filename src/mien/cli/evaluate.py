# SPDX-License-Identifier: Apache-2.0
"""``mien evaluate``."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(short_help="Measure a bundle by a named protocol.")
@click.argument("protocol")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of the data sets.")
@click.option("--bundle", default="mien-light", show_default=True, help="Name or folder of a bundle.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def evaluate(protocol: str, data: Path, bundle: str, as_json: bool) -> None:
    """Measure a bundle on data that it was not taught, with 95 % bootstrap intervals."""
    from mien.affect import Analyzer
    from mien.evaluation import PROTOCOLS

    run = PROTOCOLS.load(protocol)
    report = run(Analyzer(bundle), data)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=1))
        return
    dropped = ", ".join(f"{n} {reason}" for reason, n in report.dropped.items()) or "none"
    click.echo(f"{report.data}, {report.n_rows} rows (left out: {dropped})")
    click.echo(f"bundle {report.predictor} {report.digest[:12]}")
    width = max(len(measure.name) for measure in report.measures)
    for m in report.measures:
        click.echo(f"{m.name:{width}}  {m.value:.4f}  [{m.low:.4f}, {m.high:.4f}]  n={m.n}")
