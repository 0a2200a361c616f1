# SPDX-License-Identifier: Apache-2.0
"""docs/research/performance.md and the table of README.md, written from the measured parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import command_of
from benchmarks.line_chart import line_chart
from benchmarks.page import measured_by, notice, replace_between, table, write_page
from benchmarks.performance.targets import targets

NAME = "performance"
PAGE, CURVE = "docs/research/performance.md", "docs/research/performance-memory.svg"
_README_MARKS = (f"<!-- written by `{command_of(NAME)}` -->\n", "<!-- end of what is written -->")

Part = Mapping[str, Any]

_TITLES = {
    "speed": "One face, 640 x 360",
    "crowd": "Twenty faces, 640 x 360",
    "full-hd": "One face, 1920 x 1080",
}
_EXPLAINED = {
    "speed": "Every contestant is a process of its own with its models loaded; they take turns on `{clip}`, nine "
    "passes each after one that does not count, and the table has medians. Their outputs differ: MediaPipe gives 478 "
    "landmarks and 52 blendshapes and no expression; MTCNN with EfficientNet-B0 is what scripts commonly do, with "
    "random weights, for its speed alone. Slow contestants process only the beginning of the clip. CPU time counts all "
    "threads.",
    "crowd": "Three synthetic seconds: faces of FairFace, 70 to 90 px wide, that drift on a soft backdrop. MediaPipe "
    "was asked for twenty faces; the table has the number that each found per frame.",
    "full-hd": "The first 150 frames of the clip above, enlarged.",
}


def write_performance_page(parts: Mapping[str, Part], root: Path) -> None:
    """Write the page, its curve and the table of README.md.

    Args:
        parts: name of the part -> what was measured; the page says which are absent.
        root: of the repository.
    """
    write_page(root / PAGE, page(parts))
    if "memory" in parts:
        run = parts["memory"]
        chart = line_chart(
            "Memory of `mien analyze`", "minutes of video", run["at_minutes"], {"resident, MB": run["resident_mb"]}
        )
        (root / CURVE).write_text(chart, encoding="utf-8")
    readme = root / "README.md"
    readme.write_text(with_table(readme.read_text("utf-8"), parts), encoding="utf-8")


def with_table(readme: str, parts: Mapping[str, Part]) -> str:
    """The text of README.md with these numbers between its two marks.

    Raises:
        ValueError: a mark is missing.
    """
    return replace_between(readme, {_README_MARKS: "\n".join(_summary(parts)) + "\n"})


def page(parts: Mapping[str, Part]) -> Iterator[str]:
    """The lines of the page."""
    yield from (
        "# Performance",
        "",
        notice(NAME, edit="benchmarks/performance/performance_page.py"),
        "",
        "All numbers come from one command on one machine, in turns with other tools: only ratios are comparable",
        "between machines. `mien bench CLIP` measures yours. The raw numbers are in `docs/research/performance.json`.",
        "",
        "## Targets",
        "",
        *table(
            ("on two cores, without a GPU", "measured", ""), [(t.goal, t.figure, t.verdict) for t in targets(parts)]
        ),
    )
    for name, title in _TITLES.items():
        yield from _section(title, parts.get(name), _race, name)
    yield from _section("Where the time goes", parts.get("stages"), _stages)
    yield from _section("Minimum cost of a frame", parts.get("roofline"), _roofline, parts.get("stages"))
    yield from _section("From a cold start", parts.get("cold"), _cold)
    yield from _section("Runtimes, threads and precisions", parts.get("nets"), _nets)
    yield from _section("Memory over a long video", parts.get("memory"), _memory)


def _section(title: str, part: Part | None, write: Any, *more: Any) -> Iterator[str]:
    yield from ("", f"## {title}", "")
    if part is None:
        yield "Not measured yet."
        return
    yield from write(part, *more)
    about = part["about"]
    yield ""
    yield measured_by(NAME, about["versions"], about["bundles"], machine=about["machine"], date=about["date"])


def _race(part: Part, name: str) -> Iterator[str]:
    yield _EXPLAINED[name].format(clip=part.get("clip", ""))
    yield ""
    rows = []
    decoding = next(pace["fps"] for pace in part["paces"] if pace["name"].startswith("decoding"))
    for pace in part["paces"]:
        if pace["fps"] is None:
            rows.append((pace["name"], pace["remark"], "", "", "", ""))
            continue
        memory = "" if pace["peak_mb"] is None else f"{pace['peak_mb']:.0f}"
        rows.append(
            (
                pace["name"],
                f"{pace['fps']:.1f} (spread {pace['spread']:.0%})",
                f"{pace['fps'] / decoding:.3f}",
                f"{pace['cpu_ms']:.2f}",
                f"{pace['faces_per_frame']:.2f}",
                memory,
            )
        )
    heading = ("", "frames/s", "of decoding", "CPU ms per frame", "faces per frame", "peak MB")
    yield from table(heading, rows)


def _stages(part: Part) -> Iterator[str]:
    whole, coarse = 100 * part["scans_per_frame"], 100 * part["searches_per_frame"]
    yield f"`mien bench`: {part['faces_per_frame']:.2f} faces per frame. Of 100 frames {whole:.1f} are searched whole"
    yield f"and {coarse:.1f} more coarsely. Stages overlap in three threads, so that their times do not add up."
    yield ""
    rows = [
        (
            s["name"],
            f"{s['rate']:.1f} {s['unit']}/s",
            f"{1000 / s['rate']:.2f}",
            f"{1000 * s['cpu_seconds'] / s['n']:.2f}",
        )
        for s in part["stages"]
    ]
    yield from table(("stage", "rate", "ms each", "CPU ms each"), rows)


def _roofline(part: Part, stages: Part | None) -> Iterator[str]:
    peak, bandwidth = part["gflops"], part["gb_per_s"]
    yield f"This machine reaches {peak:.0f} GFLOP/s in a product of matrices and {bandwidth:.0f} GB/s in a copy"
    yield "(float32, NumPy, all cores). No float32 network can finish sooner than its multiply-adds at the one rate or"
    yield "its parameters at the other; what its nodes read and write among themselves is added where it leaves the"
    yield "caches. A network of 8-bit integers, as the affect network, can: it multiplies several numbers at once."
    yield ""
    measured = _measured_ms(stages)
    rows = []
    for net in part["nets"]:
        by_flop, by_bytes = net["mflop"] / peak, net["weights_mb"] / bandwidth
        unfused = net["moved_mb"] / bandwidth
        ms = measured.get(net["name"])
        rows.append(
            (
                f"{net['name']}, per {net['unit']}",
                f"{net['mflop']:.0f}",
                f"{net['weights_mb']:.1f}",
                f"{net['moved_mb']:.1f}",
                f"{max(by_flop, by_bytes):.2f} to {max(by_flop, unfused):.2f}",
                "" if ms is None else f"{ms:.2f}",
                "" if ms is None else f"{net['mflop'] / ms / peak:.0%}",
            )
        )
    heading = ("", "MFLOP", "parameters, MB", "moved, MB", "minimum ms", "measured ms", "of the peak")
    yield from table(heading, rows)
    yield ""
    yield from _shares(part, stages, measured)


def _shares(part: Part, stages: Part | None, measured: Mapping[str, float]) -> Iterator[str]:
    """The paragraph that sums up the work of a frame."""
    if stages is None:
        return
    faces, scans = stages["faces_per_frame"], stages["scans_per_frame"]
    per_frame = {"MTCNN, whole frame": scans, "68 landmarks and pose": faces, "affect": faces}
    work = {net["name"]: net["mflop"] * per_frame[net["name"]] for net in part["nets"]}
    moved = sum(net["moved_mb"] * per_frame[net["name"]] for net in part["nets"]) + part["frame_mb"]
    spent = {name: measured[name] * times for name, times in per_frame.items() if name in measured}
    spent["MTCNN, coarse searches"] = stages["searches_per_frame"] * _ms(stages, "search for new")
    spent["decoding"] = _ms(stages, "decode, frames")
    spent["tracking and cuts"] = _ms(stages, "tracking")
    spent["crops and quality"] = faces * _ms(stages, "align")
    spent["table"] = _ms(stages, "write the table")
    total, most = sum(spent.values()), max(spent, key=lambda name: spent[name])
    yield (
        f"A frame of this clip takes {sum(work.values()):.0f} MFLOP, of them "
        + ", ".join(f"{value:.0f} for {name}" for name, value in sorted(work.items(), key=lambda item: -item[1]))
        + f"; its networks move {moved:.0f} MB at most, and the decoded frame is {part['frame_mb']:.2f} MB. "
        f"Stage by stage it takes {total:.2f} ms of work: "
        + ", ".join(f"{name} {value:.2f}" for name, value in sorted(spent.items(), key=lambda item: -item[1]))
        + f". The largest part is {most} ({spent[most] / total:.0%}). With the stages spread evenly over two cores, "
        f"{total / 2:.2f} ms per frame, {2000 / total:.0f} frames/s, is the limit; decoding alone takes "
        f"{spent['decoding'] / total:.0%} of the work, and half its rate would need all other work in the same time."
    )


def _measured_ms(stages: Part | None) -> dict[str, float]:
    """Milliseconds per unit of the networks in use, as `mien bench` measured them."""
    if stages is None:
        return {}
    names = {
        "MTCNN, whole frame": "search a whole",
        "68 landmarks and pose": "predict 68",
        "affect": "affect network and decoding, batch 16",
    }
    known = {name: _ms(stages, beginning) for name, beginning in names.items()}
    return {name: ms for name, ms in known.items() if ms}


def _ms(stages: Part, beginning: str) -> float:
    return next((1000 / s["rate"] for s in stages["stages"] if s["name"].startswith(beginning)), 0.0)


def _cold(part: Part) -> Iterator[str]:
    yield "New processes, the median of five after one that does not count (the files are in the system's cache)."
    yield ""
    rows = [
        (
            f"`{s['name']}`" if not s["n_faces"] else f"`mien analyze` {s['name']}",
            str(s["n_faces"] or ""),
            f"{s['seconds']:.2f} ({s['fastest']:.2f} to {s['slowest']:.2f})",
            f"{s['cpu_s']:.2f}",
        )
        for s in part["starts"]
    ]
    yield from table(("", "faces", "seconds", "CPU s"), rows)


def _nets(part: Part) -> Iterator[str]:
    yield "Milliseconds per face of the networks alone, medians. fp16 stores weights in half precision and computes in"
    yield "float32; int8 are 8-bit weights and activations (`mien export`)."
    yield ""
    ways = list(dict.fromkeys((s["runtime"], s["threads"]) for s in part["speeds"]))
    rows = []
    for net, precision, batch in dict.fromkeys((s["net"], s["precision"], s["batch"]) for s in part["speeds"]):
        found = {
            (s["runtime"], s["threads"]): s["ms"]
            for s in part["speeds"]
            if (s["net"], s["precision"], s["batch"]) == (net, precision, batch)
        }
        rows.append((net, precision, str(batch), *(f"{found[way]:.2f}" if way in found else "" for way in ways)))
    heading = ("network", "precision", "batch", *(f"{runtime}, {n} thread{'s' * (n > 1)}" for runtime, n in ways))
    yield from table(heading, rows)
    yield from (
        "",
        "What the smaller variants lose, by the acceptance metric that loses most; less than 0.3 points is acceptable:",
        "",
    )
    losses = [
        (
            loss["net"],
            loss["precision"],
            f"{loss['size']:.2f}",
            f"{loss['measure']}, {loss['data']}",
            f"{loss['points']:+.2f}",
            "acceptable" if loss["accepted"] else "**not acceptable**",
        )
        for loss in part["losses"]
    ]
    yield from table(("network", "variant", "of the size", "metric", "loss, points", ""), losses)


def _memory(part: Part) -> Iterator[str]:
    rate = part["n_frames"] / part["seconds"]
    yield f"The clip repeated for {part['minutes']:.0f} minutes of video: {part['n_frames']} frames in"
    yield f"{part['seconds']:.0f} s ({rate:.0f} frames/s with start and table), at most {part['peak_mb']:.0f} MB"
    yield "resident, shared libraries included. The last point includes the end, when the rows become one file."
    yield from ("", f"![Resident memory over the run]({Path(CURVE).name})")


def _summary(parts: Mapping[str, Part]) -> Iterator[str]:
    """The lines of the table in README.md."""
    rows = []
    for name, title in _TITLES.items():
        rows += [
            (f"{title}: {pace['name']}", f"{pace['fps']:.0f} frames/s")
            for pace in parts.get(name, {}).get("paces", ())
            if pace["fps"] is not None and (name == "speed" or pace["name"] == "mien")
        ]
    rows += [
        (f"`mien analyze` {start['name']} (faces: {start['n_faces']}), from a cold start", f"{start['seconds']:.2f} s")
        for start in parts.get("cold", {}).get("starts", ())
        if start["n_faces"]
    ]
    if "memory" in parts:
        run = parts["memory"]
        rows.append((f"peak memory over {run['minutes']:.0f} minutes of video", f"{run['peak_mb']:.0f} MB"))
    yield from table(("", "measured"), rows)
    machines = dict.fromkeys(part["about"]["machine"] for part in parts.values())
    yield from ("", f"On {'; '.join(machines)}. The page says which targets are met and which are missed.")
