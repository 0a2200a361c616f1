# SPDX-License-Identifier: Apache-2.0
"""A line chart as SVG text, with nothing but the standard library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 230, 40, 50
_COLOURS = ("#1b6ca8", "#d1495b", "#2e8b57", "#8d6a9f", "#b8860b", "#444444")
_N_TICKS = 5


def line_chart(title: str, x_label: str, x: Sequence[float], series: Mapping[str, Sequence[float]]) -> str:
    """Lines over evenly spaced values of x, which need not be evenly spaced themselves.

    Args:
        title: above the chart.
        x_label: below it.
        x: N values, written at the axis as they are.
        series: name -> N values.
    """
    values = [value for line in series.values() for value in line]
    low, high = min(values), max(values)
    margin = 0.05 * (high - low or 1.0)
    low, high = low - margin, high + margin
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(index: int, value: float) -> tuple[float, float]:
        across = _LEFT + width * index / max(1, len(x) - 1)
        return across, _TOP + height * (1 - (value - low) / (high - low))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="14">{escape(title)}</text>',
        f'<text x="{_LEFT + width / 2:.0f}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>',
    ]
    for tick in range(_N_TICKS):
        value = low + (high - low) * tick / (_N_TICKS - 1)
        _, down = place(0, value)
        parts.append(f'<path d="M{_LEFT} {down:.1f}H{_LEFT + width}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{down + 4:.1f}" text-anchor="end">{value:.2f}</text>')
    for index, value in enumerate(x):
        across, _ = place(index, low)
        parts.append(f'<text x="{across:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{value:g}</text>')
    for number, (name, line) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join("{:.1f},{:.1f}".format(*place(index, value)) for index, value in enumerate(line))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            '<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>'.format(*place(index, value), colour)
            for index, value in enumerate(line)
        ]
        down = _TOP + 14 + 20 * number
        parts.append(f'<rect x="{_LEFT + width + 14}" y="{down - 9}" width="12" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + width + 32}" y="{down}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])
