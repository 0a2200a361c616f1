# SPDX-License-Identifier: Apache-2.0
"""The page of the published systems: conditions, figures and verdicts, and the tables behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.machine import today
from benchmarks.page import measured_by, notice, table
from benchmarks.systems import conditions, other_systems
from benchmarks.systems.blends import EXTRACTORS, blend_gains, compound_gains
from benchmarks.systems.causes import CAUSES_PART, cause_lines
from benchmarks.systems.conditions import CONDITIONS, Condition, judge
from benchmarks.systems.gains import N_RESAMPLES, Gain
from benchmarks.systems.head_systems import head_gains, measures_of
from benchmarks.systems.net_gains import net_gains, net_rows
from benchmarks.systems.new_task import N_VALID
from benchmarks.systems.other_systems import first_fold, other_gains
from benchmarks.systems.planted_clips import N_TRAIN, clip_gains
from benchmarks.systems.planted_clips import N_VALID as N_CLIPS
from benchmarks.systems.same_function import PARITY_PART, parity_lines
from benchmarks.systems.stand_in import Budget
from benchmarks.systems.sweeps.time_clips import LONGEST, SHORTEST, TEACHER
from benchmarks.systems.sweeps.time_sweep import SOURCES, Sweep, load_sweeps, sweep_rows, time_gains
from benchmarks.systems.sweeps.time_videos import N_FRAMES, N_VIDEOS
from mien.inference import machine_name

NAME = "systems"

_INTRODUCTION = """\
# Do the published systems work here?

{notice}

The papers' data sets are distributed by their owners only, so their numbers cannot be repeated here. Their *orderings*
can: which start, loss, optimiser, head input, filter and blend is better than which. This page tests each of them with
the recipes that come with mien on available faces. Which network learns most from the same faces is on
[another page](results.md).

"""

_RULES = """\
## Rules

**The conditions and rules were written before anything was run** (`benchmarks/systems/conditions.py`); the budget was
changed after first trials, see below. Every gain is the mean over the
seeds 1, 2, 3 with a 95 % interval of {resamples:,} paired resamples of the faces (or videos, or clips).

- *better* passes if the interval of the mean and the gain of every run are above 0;
- *at least* as good passes if the interval is above -{margin:g};
- either fails if the interval is below 0, and is undecided otherwise, also with fewer runs than planned;
- a condition with two gains passes if both do.

## Faces and budget

**The faces.** FER+ takes the place of the challenge sets, in two halves by a hash of the name. One half is written in
the layout of AffectNet (one-hot plurality, mapped valence and arousal) with AffectNet's class frequencies, so that the
recipes read it unchanged. The other half is a new task that the network never saw: the classes of Aff-Wild2 ("other"
where no expression has a majority), 15 action units of a landmark model, valence and arousal; its faces are reduced to
24 px, shifted, relit and noisy. FER+ valid is the test set of both; nothing is selected there. FER2013 does not name
persons, so a person can be in both halves. Nothing here uses predictions of a network that saw these faces.

**The budget** is small, for two busy CPU cores, and a real effect can be undecided under it: {faces:,} training faces,
{size} px (the faces have 48), {heads} epoch of the heads and {whole} of everything (published: 3 and 6), {batch} rows
a step (published: 48 or 64), learning rate {lr:g} in both stages (published: 1e-3 and 1e-4). EfficientNet-Lite0 from
ImageNet takes the place of the backbones, whose face-pretrained weights are not available. FaceRes, the MobileNetV1
that the author of the papers trained on VGGFace2, is available, and has rows of its own on 80 px.

**Noticed before these runs**, in three first trials that are not counted:

- With FER+'s own class frequencies (contempt 0.6 %) the published loss fails: the rarest class weighs more than 70
  times the commonest, and since the weights multiply the smoothed label, contempt's share of the smoothing alone
  outweighs the label itself. Every face is then called contempt. AffectNet's largest weight is 36.
- On crops of 48 px 85 % of the features of FaceRes are 0 for every face, and a net that starts from it learns nothing
  in this budget; on 112 px none is.
- With 1e-4 in the second stage 250 steps change nothing.
- With 2 epochs of everything in place of 6 the recipe itself had an accuracy of 0.10 and a macro F1 of 0.11 (mean of
  three seeds): all networks were trained again with 6.

**Changed before the last networks ran** (2026-11-29), before any of them had a result: the rows on 80 px and
those of B0 and B2 train with Adam in place of SAM, which takes twice as long. The rows that are compared still differ
in the start or the backbone alone. Seed 1 of every row runs first, so that where time ends, seeds are missing and not
conditions.

**Not run**: a pair in full size. At 224 px these cores train EfficientNet-B0 on nine faces a second, so the nine epochs
of one network on 10,000 faces, each step taken twice by SAM, are more than five hours.

"""


@dataclass(frozen=True, eq=False)
class Found:
    """Everything that the page shows.

    Attributes:
        gains: key of a condition -> its gains.
        lines: heading of a part -> lines after its table of conditions.
    """

    gains: Mapping[str, tuple[Gain, ...]]
    lines: Mapping[str, list[str]]


def collect(data: Path, work: Path, seeds: tuple[int, ...]) -> Found:
    """Compute the gains and tables from the results in the work folder."""
    sweeps = {name: load_sweeps(work, seeds, name) for name in SOURCES}
    gains = {
        **net_gains(data, work, seeds),
        **head_gains(work, seeds),
        **{key: gain for name, own in sweeps.items() for key, gain in time_gains(own, name).items()},
        **blend_gains(data, work, seeds),
        **compound_gains(data, work, seeds),
        **clip_gains(work, seeds),
        **other_gains(work, seeds),
    }
    lines = {
        PARITY_PART: parity_lines(work, seeds),
        conditions.NETS_PART: _net_lines(data, work, seeds),
        conditions.HEADS_PART: _head_lines(work, seeds),
        conditions.TIME_PART: [*_time_lines(sweeps["time"], _TIME_TEXT), *_time_lines(sweeps["clips"], _CLIPS_TEXT)],
        conditions.BLENDS_PART: _blend_lines(),
        conditions.OTHERS_PART: _other_lines(work, seeds),
        CAUSES_PART: cause_lines(data, work, seeds),
    }
    return Found(gains, lines)


def systems_page(found: Found, budget: Budget) -> list[str]:
    """The lines of the page."""
    verdicts = Counter(judge(condition, found.gains.get(condition.key, ())) for condition in CONDITIONS)
    summary = ", ".join(f"{verdicts[name]} {name}" for name in ("passed", "failed", "undecided", "not run"))
    lines = _INTRODUCTION.format(notice=notice(NAME, edit="benchmarks/systems/systems_page.py")).splitlines()
    lines += [f"**{len(CONDITIONS)} conditions: {summary}.**", "", *_verdict_lines(found.gains)]
    lines += _RULES.format(
        resamples=N_RESAMPLES,
        margin=conditions.MARGIN,
        faces=budget.faces,
        size=budget.size_px,
        heads=budget.epochs[0],
        whole=budget.epochs[1],
        batch=budget.batch,
        lr=budget.peak_lr,
    ).splitlines()
    lines += [measured_by(NAME, "torch in one thread", machine=machine_name(), date=today()), ""]
    lines += [f"## {PARITY_PART}", "", *found.lines.get(PARITY_PART, [])]
    for part in dict.fromkeys(condition.part for condition in CONDITIONS):
        own = [condition for condition in CONDITIONS if condition.part == part]
        lines += [f"## {part}", ""]
        heading = ["claim", "measure", "rule", "from, to", "gain", "each run", "n", "verdict"]
        lines += table(heading, [_cells(condition, found.gains.get(condition.key, ())) for condition in own])
        lines += ["", *found.lines.get(part, [])]
    return [*lines, *found.lines.get(CAUSES_PART, [])]


_HEADINGS = {
    "passed": "Hold here",
    "failed": "Do not hold here",
    "undecided": "Undecided",
    "not run": "Not run",
}


def _verdict_lines(gains: Mapping[str, tuple[Gain, ...]]) -> Iterator[str]:
    """The claims by verdict with their gains, and why those that did not pass did not."""
    for verdict, heading in _HEADINGS.items():
        own = [condition for condition in CONDITIONS if judge(condition, gains.get(condition.key, ())) == verdict]
        if own:
            yield f"## {heading}"
            yield ""
        for condition in own:
            found = gains.get(condition.key, ())
            values = ", ".join(f"{gain.value:+.3f}" for gain in found)
            runs = min((len(gain.per_seed) for gain in found), default=0)
            few = f", {runs} of {condition.n_runs} runs" if found and runs < condition.n_runs else ""
            reason = f" {REASONS[condition.key]}" if verdict != "passed" and condition.key in REASONS else ""
            yield f"- {condition.claim}" + (f" ({condition.measure}: {values}{few})." if found else ".") + reason
        if own:
            yield ""


_FEW_PIECES = "The pieces are few, and the seeds disagree."

REASONS = {
    "weights-plain": "Without the weights the three rarest classes are hardly found; with them the common ones lose "
    "more than those gain. If all classes were as frequent, as in AffectNet's test set, the weights would cost "
    "nothing.",
    "slice-joint": "Only because of valence and arousal from ten scores, the next claim: without these two slice is "
    "better than the joint net, and so are three heads that see everything.",
    "va-scores-features": "Least squares on the same ten scores reach no more, so the head is not at fault. With 50 "
    "training faces scores are better, from 1,000 on features: the heads see 12,200 unrelated faces here, where "
    "s-Aff-Wild2 has many frames of the same persons.",
    "mtanet": "The class weights of the expressions do it: with FER+'s frequencies they make this loss several "
    "times the others, and the shared trunk follows it. Without them, in the joint and in the single net, "
    "the joint net is better.",
    "b2-b0": "Both learned next to nothing from a pretext that is too short, and a longer one does not fit these "
    "cores; [results](results.md) has both from random weights under one budget.",
    "time-expr": "Neighbouring frames of these videos err alike, so a filter has little to average: up to d = 5 it "
    "changes next to nothing.",
    "blend-expr": "One seed of three is not above the better family.",
    "clips-expr": _FEW_PIECES,
    "clips-va": _FEW_PIECES,
    "clips-au": _FEW_PIECES,
}
"""Key of a condition -> why it did not pass, as far as the comparisons at the end of the page tell."""


def _cells(condition: Condition, gains: tuple[Gain, ...]) -> list[str]:
    verdict = judge(condition, gains)
    about = [condition.claim, condition.measure, condition.rule]
    if not gains:
        return [*about, "-", "-", "-", "-", "not run"]

    def each(text: Iterator[str]) -> str:
        return "<br>".join(text)

    return [
        *about,
        each(f"{gain.before:.3f}, {gain.after:.3f}" for gain in gains),
        each(f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]" for gain in gains),
        each(" ".join(f"{value:+.3f}" for value in gain.per_seed) for gain in gains),
        each(f"{gain.n:,}" for gain in gains),
        f"**{verdict}**",
    ]


_NETS_TEXT = """\
FER+ valid by plurality; mean over seeds, lowest to highest. The first row is the recipe on EfficientNet-Lite0 from
ImageNet; the others say what they change. The published loss weighs the rarest class 36 times, so its networks begin
with rare classes, and their accuracy stays near or below the share of the commonest class (0.37). The heads below stand
on `frozen`, which has no such weights. The recipe keeps the batch statistics of its first stage, so a network has to
know faces by then: random starts and the pretext of B0 and B2 (two epochs of {pretext:,} faces of FairFace, age, gender
and race without landmarks) are far too little, and the pair of B0 and B2 compares two networks that learned next to
nothing: seeds 2 and 3 of it were not run. [The table of networks](results.md) has both from random weights.
"""

_HEADS_TEXT = """\
A run is one seed in one direction: the network `frozen` with heads on the other half, or `frozen-b` with the halves
swapped. Heads select their epoch and thresholds on {valid:,} other faces of their half.

The epochs of the heads are multiplied so that they take as many steps as on s-Aff-Wild2, which has more faces. In a
first run with the published number of epochs the head of valence and arousal on ten scores, which has 22 weights, took
480 steps and was far from its end.
"""

_TIME_TEXT = """\
{videos} videos of {frames} frames, each of one person of LFW, warped between photos with different labels. The box and
the light drift, so neighbouring frames err alike; runs of frames have no face and are filled. Labels are those of the
nearer photo (valence and arousal mapped from them). The network is `frozen`; the slice heads on it give the action
units. Box mean of half-width d; means over seeds.
"""

_CLIPS_TEXT = """\
Real clips: {pieces} pieces of {shortest} to {longest} frames in which a face is followed without a loss ({rows:,}
frames). A teacher takes the place of labels: what `{teacher}` predicts for each frame alone, unsmoothed, so it flickers
itself. Pieces of one clip are in both halves, and the interval, which resamples pieces, is too short for other clips.
Half-widths above a piece average all of it.
"""

_BLENDS_TEXT = """\
Compounds: the extractors are {extractors}; the known frequencies are those of FER+ train. Clips: {train:,} generated
clips to train on and {test:,} to test on, in the formats of the challenges, through `mien.training.train` and the
predictor of `mien evaluate emi`. Faces carry four emotions and sound carries four, two of them the same; in ERI scores
rise or fall in time.
"""

_OTHERS_TEXT = """\
MTANet: recipe `mtanet` on EfficientNet-Lite0 from ImageNet, {each} faces for each of three label sets, {epochs} epochs.
Every net sees each label as often; a step of the joint net has about 5 rows of each task, one of a single net 16.
CNN of 2020: recipe `expr-cnn-2020`, {faces} faces in {folds} folds, {fold_epochs} epochs each (published: 100). A first
trial with 300 faces and 2 epochs, one seed: -0.012 [-0.069, +0.049]. While the accuracy stays near the share of the
commonest class (0.37), the net has not learned its faces by heart, and nothing can leak.
"""


def _net_lines(data: Path, work: Path, seeds: tuple[int, ...]) -> list[str]:
    heading = ["row", "recipe", "change", "seeds", "accuracy", "macro F1", "P_VA"]
    text = _NETS_TEXT.format(pretext=Budget().pretext_faces)
    return [*text.splitlines(), "", *table(heading, net_rows(data, work, seeds)), ""]


def _head_lines(work: Path, seeds: tuple[int, ...]) -> list[str]:
    found = measures_of(work, seeds)
    if not found:
        return []
    rows = [
        [name, f"{len(runs)}", *(f"{fmean(values):.3f}" for values in zip(*runs, strict=True))]
        for name, runs in found.items()
    ]
    heading = ["system", "runs", "P_VA", "P_EXPR", "P_AU", "P_MTL"]
    return [*_HEADS_TEXT.format(valid=N_VALID).splitlines(), "", *table(heading, rows), ""]


def _time_lines(sweeps: list[Sweep], text: str) -> list[str]:
    if not sweeps:
        return []
    heading = ["d", "macro F1, expressions", "P_VA", "P_AU at 0.5", "P_AU, thresholds tuned on the other videos"]
    shown = text.format(
        videos=N_VIDEOS,
        frames=N_FRAMES,
        teacher=TEACHER,
        pieces=sweeps[0].n_videos,
        rows=len(sweeps[0].video),
        shortest=SHORTEST,
        longest=LONGEST,
    )
    return [*shown.splitlines(), "", *table(heading, sweep_rows(sweeps)), ""]


def _blend_lines() -> list[str]:
    extractors = ", ".join(f"`{name}`" for name in EXTRACTORS)
    return [*_BLENDS_TEXT.format(extractors=extractors, train=N_TRAIN, test=N_CLIPS).splitlines(), ""]


def _other_lines(work: Path, seeds: tuple[int, ...]) -> list[str]:
    other = other_systems
    lines = _OTHERS_TEXT.format(
        each=other.N_EACH,
        epochs=other.EPOCHS,
        faces=other.N_FOLD_FACES,
        folds=other.N_FOLDS,
        fold_epochs=other.FOLD_EPOCHS,
    ).splitlines()
    first = first_fold(work, seeds)
    if first:
        differences = " ".join(f"{value:+.3f}" for value in first)
        n = other.N_FOLD_FACES // other.N_FOLDS
        lines.append(f"In the first fold, before anything can leak, the difference is {differences} ({n} faces).")
    return [*lines, ""]
