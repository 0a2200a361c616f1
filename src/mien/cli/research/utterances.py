# SPDX-License-Identifier: Apache-2.0
"""The command ``mien utterances``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mien.cli.main import result_code, say

_SHOWN = 10


@click.command(short_help="Emotion, sentiment and sarcasm of a table of utterances.")
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "--model",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of a bundle that mien train wrote from a recipe of utterances.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Table to write (.csv, .parquet, .jsonl).  [default: print JSON Lines]",
)
def utterances(table: Path, model: Path, out: Path | None) -> int:
    """Score every utterance of TABLE (.csv, .tsv or .parquet) with a trained model.

    TABLE has a column text, and for each further modality of the model a column with paths of .npy files (T, n), or in
    Parquet lists of vectors; a blank cell is a missing modality. Without such a column the files are
    features/MODALITY/ID.npy beside the table. Predictions: emotion_LABEL and sarcasm (probabilities), sentiment (-1
    to 1). A row that cannot be read has none, and a sentence in the column problem.
    """
    from mien.pipeline import score_utterances

    scores = score_utterances(table, model, out)
    for note in scores.notes:
        say(f"note: {note}", err=True)
    problems = scores.problems
    for text in problems[:_SHOWN]:
        say(text, err=True)
    if len(problems) > _SHOWN:
        where = "the column problem has all" if out else "the output has all"
        say(f"and {len(problems) - _SHOWN} more rows without predictions; {where}", err=True)
    if out is None:
        for row in scores.table.to_pylist():
            say(json.dumps(row, ensure_ascii=False))
    elif scores.n_scored:
        say(f"wrote {out}: {scores.n_scored} of {len(scores.table)} utterances scored")
    return result_code(any_done=scores.n_scored > 0, complete=not problems)
