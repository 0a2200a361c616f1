# SPDX-License-Identifier: Apache-2.0
"""Line charts as SVG text, with the standard library alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

Points = Sequence[tuple[float, float]]
"""(x, y) with x in [0, 1], from the left edge of the chart to the right one."""

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 230, 40, 50
_COLOURS = ("#1b6ca8", "#d1495b", "#2e8b57", "#8d6a9f", "#b8860b", "#444444")
_N_TICKS = 5


def line_chart(title: str, x_label: str, x: Sequence[float], series: Mapping[str, Sequence[float]]) -> str:
    """A chart of lines whose points are evenly spaced, whatever their x values; the y axis fits the values.

    Args:
        title: text above the chart.
        x_label: text below the chart.
        x: N values for the tick labels of the x axis.
        series: name -> N values.
    """
    values = [value for line in series.values() for value in line]
    margin = 0.05 * (max(values) - min(values) or 1.0)
    low, high = min(values) - margin, max(values) + margin
    places = [index / max(1, len(x) - 1) for index in range(len(x))]
    lines = {name: list(zip(places, line, strict=True)) for name, line in series.items()}
    x_ticks = [(place, f"{value:g}") for place, value in zip(places, x, strict=True)]
    return _svg(title, (x_label, ""), x_ticks, _even_ticks(low, high, _N_TICKS), lines, dots=True)


def unit_line_chart(title: str, x_label: str, y_label: str, lines: Mapping[str, Points]) -> str:
    """A chart of lines over x in [0, 1]; the y axis goes from 0 to the next tenth above the largest value."""
    high = max(0.1, math.ceil(10 * max(y for line in lines.values() for _, y in line)) / 10)
    x_ticks = [(step / _N_TICKS, f"{step / _N_TICKS:.1f}") for step in range(_N_TICKS + 1)]
    return _svg(title, (x_label, y_label), x_ticks, _even_ticks(0.0, high, _N_TICKS + 1), lines, dots=False)


def _even_ticks(low: float, high: float, n: int) -> list[float]:
    return [low + (high - low) * tick / (n - 1) for tick in range(n)]


def _svg(
    title: str,
    labels: tuple[str, str],
    x_ticks: Sequence[tuple[float, str]],
    y_ticks: Sequence[float],
    lines: Mapping[str, Points],
    *,
    dots: bool,
) -> str:
    """The chart; the first and the last y tick are the limits of the y axis."""
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    low, high = y_ticks[0], y_ticks[-1]

    def place(x: float, y: float) -> tuple[float, float]:
        return _LEFT + width * x, _TOP + height * (1 - (y - low) / (high - low))

    def drawn() -> Iterator[str]:
        for value in y_ticks:
            _, down = place(0, value)
            yield f'<path d="M{_LEFT} {down:.1f}H{_LEFT + width}" stroke="#ddd"/>'
            yield f'<text x="{_LEFT - 6}" y="{down + 4:.1f}" text-anchor="end">{value:.2f}</text>'
        for x, text in x_ticks:
            across, _ = place(x, low)
            yield f'<text x="{across:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{text}</text>'
        for number, (name, points) in enumerate(lines.items()):
            colour = _COLOURS[number % len(_COLOURS)]
            path = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in points)
            yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            for point in points if dots else ():
                yield '<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>'.format(*place(*point), colour)
            down = _TOP + 14 + 20 * number
            yield f'<rect x="{_LEFT + width + 14}" y="{down - 9}" width="12" height="10" fill="{colour}"/>'
            yield f'<text x="{_LEFT + width + 32}" y="{down}">{escape(name)}</text>'

    x_label, y_label = map(escape, labels)
    middle = _TOP + height / 2
    turned = f'<text x="14" y="{middle:.0f}" text-anchor="middle" transform="rotate(-90 14 {middle:.0f})">'
    frame = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="14">{escape(title)}</text>',
        f'<text x="{_LEFT + width / 2:.0f}" y="{_HEIGHT - 10}" text-anchor="middle">{x_label}</text>',
        *([f"{turned}{y_label}</text>"] if y_label else []),
    ]
    return "\n".join([*frame, *drawn(), "</svg>", ""])
