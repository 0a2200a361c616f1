# SPDX-License-Identifier: Apache-2.0
"""Patterns of the skin on the mean head: colour, brows, stubble, and the wrinkles that facial actions cause."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.synthesis.rendering.rasterizer import compiled

Floats = npt.NDArray[np.float32]

FOLDS = (
    "browInnerUp",
    "browOuterUp",
    "browDown",
    "noseSneer",
    "cheekSquint",
    "mouthSmile",
    "mouthUpperUp",
    "eyeSquint",
    "mouthShrugLower",
    "mouthDimple",
    "mouthPucker",
    "mouthRollUpper",
)
"""Facial actions that wrinkle the skin, in the order of the columns of ``folds``."""

_INNER, _OUTER, _DOWN, _SNEER, _CHEEK, _SMILE, _UPPER, _SQUINT, _CHIN, _DIMPLE, _PUCKER, _ROLL = range(len(FOLDS))
_PUCKERED, _ROLLED = 0.5, 0.55


@compiled
def smoothstep(x: float, low: float, high: float) -> float:
    """0 below ``low``, 1 above ``high`` and a smooth step between."""
    t = min(1.0, max(0.0, (x - low) / (high - low)))
    return t * t * (3.0 - 2.0 * t)


@compiled
def texel(image: Floats, u: float, v: float) -> float:
    """Bilinear value of a periodic (N, N) image, N a power of two, at pixel coordinates."""
    mask = len(image) - 1
    iu, iv = math.floor(u), math.floor(v)
    fu, fv = u - iu, v - iv
    x0, x1, y0, y1 = iu & mask, (iu + 1) & mask, iv & mask, (iv + 1) & mask
    top = image[y0, x0] * (1.0 - fu) + image[y0, x1] * fu
    return float(top * (1.0 - fv) + (image[y1, x0] * (1.0 - fu) + image[y1, x1] * fu) * fv)


@compiled
def brow_height(t: float) -> float:
    """Height of the middle of a brow on the mean head in decimetres; ``t`` runs from the inner to the outer end."""
    return 7.50 + 0.075 * math.sin(min(1.0, max(0.0, t)) * 2.4) - 0.05 * t


@compiled
def skin_colour(
    albedo: Floats, place: tuple[float, float, float], lip: float, fine: float, coarse: float, look: Any, noise: Floats
) -> None:
    """Write the colour of the skin at a place of the mean head into ``albedo``; ``look`` is a `shading.Look`."""
    q0, q1, q2 = place
    ax = abs(q0)
    tone = math.exp(look.mottle * (0.6 * fine + 0.8 * coarse))
    red = 0.5 * math.exp(-((ax - 0.45) ** 2 + (q1 - 6.95) ** 2) / 0.06)
    red += 0.4 * math.exp(-(ax * ax) / 0.02 - (q1 - 6.95) ** 2 / 0.03)
    red *= look.redness * (1.0 + 0.25 * coarse)
    ring = look.under_eye * math.exp(-((ax - 0.31) ** 2) / 0.02 - (q1 - 7.13) ** 2 / 0.004)
    spot = 0.0
    if look.freckles > 0:
        spread = math.exp(-(ax**2) / 0.3 - (q1 - 7.05) ** 2 / 0.09)
        spot = look.freckles * spread * smoothstep(texel(noise[2], 90.0 * q0 + 50.0 * look.phase, 90.0 * q1), 0.9, 1.7)
    beard = 0.0
    if look.stubble > 0 and q2 > 0.4:
        edge = smoothstep(6.92 - q1 + 0.22 * smoothstep(ax, 0.40, 0.62), -0.12, 0.14) * smoothstep(q1, 5.95, 6.15)
        mouth = smoothstep(math.hypot(q0 / 0.40, (q1 - 6.62) / 0.11), 0.75, 1.05)
        beard = look.stubble * edge * mouth * (1.0 - lip) * min(1.0, max(0.0, 0.75 + 0.2 * fine))
    for k in range(3):
        value = look.skin[k] * tone * (1.0 - red * (0.02, 0.22, 0.20)[k]) * (1.0 - ring * (0.8, 1.0, 0.9)[k])
        value *= 1.0 - spot * (0.25, 0.45, 0.6)[k]
        value += (look.lips[k] - value) * 0.9 * lip
        albedo[k] = value + (look.brow[k] * 0.6 + look.skin[k] * 0.12 - value) * beard
    t = (ax - 0.10) / 0.50
    if -0.05 < t < 1.05 and 7.2 < q1 < 7.85 and q2 > 0.85:
        middle = brow_height(t) + look.brow_lift * (0.4 + 0.6 * t)
        thick = look.brow_thickness * (1.15 - 0.65 * min(1.0, max(0.0, t)))
        inside = smoothstep(1.0 - abs(q1 - middle) / thick, 0.0, 0.55)
        inside *= smoothstep(t, -0.04, 0.10) * smoothstep(1.0 - t, -0.02, 0.22)
        hairs = texel(noise[3], 150.0 * (ax + 0.4 * q1) + 50.0 * look.phase, 20.0 * q1)
        opacity = min(0.96, inside * look.brow_density * min(1.05, max(0.75, 0.95 + 0.09 * hairs)))
        for k in range(3):
            albedo[k] += (look.brow[k] - albedo[k]) * opacity
    if look.liner > 0 and 7.12 < q1 < 7.45 and q2 > 1.1:
        rim = math.hypot((ax - 0.315) / 0.175, (q1 - 7.275) / 0.085)
        dark = 1.0 - look.liner * math.exp(-((rim - 1.0) ** 2) / 0.05)
        for k in range(3):
            albedo[k] *= dark


@compiled
def fold_depth(q0: float, q1: float, fine: float, coarse: float, folds: Floats, strength: float, lines: float) -> float:
    """Darkness of the wrinkles at a place of the mean head, at most 1; below 0 where a bulge catches the light.

    Args:
        q0: Place on the mean head from the middle to the person's left in decimetres.
        q1: Height on the mean head in decimetres.
        fine: Fine noise, which breaks the lines up.
        coarse: Coarse noise, which bends them.
        folds: (2, 12) weights of the actions in `FOLDS`, left and right.
        strength: Strength of wrinkles that actions cause.
        lines: Strength of wrinkles at rest.
    """
    ax = abs(q0)
    act = folds[0] if q0 > 0 else folds[1]
    depth = 0.0
    if q1 > 7.5 and ax < 0.7:  # forehead: lines across, from raised brows
        raised = max(
            act[_INNER] * (1.0 - 0.75 * smoothstep(ax, 0.12, 0.4)), 0.85 * act[_OUTER] * smoothstep(ax, 0.05, 0.3)
        )
        raised = max(raised, 0.5 * (act[_INNER] + act[_OUTER])) + 0.35 * lines
        if raised > 0:
            bent = q1 - 7.80 + 0.045 * math.cos(q0 * 5.0) + 0.022 * coarse
            wave = 0.5 + 0.5 * math.cos(bent * 2.0 * math.pi / (0.095 + 0.012 * math.sin(3.1 * q1 + 5.0 * strength)))
            broken = min(1.4, max(0.2, 0.9 + 0.45 * coarse + 0.2 * fine))
            depth += raised * 0.40 * math.exp(-((bent / 0.15) ** 2) - (ax / 0.46) ** 4) * wave**3 * broken
    if 7.25 < q1 < 7.75 and ax < 0.25:  # between the brows: lines down, and a bulge's shade
        down = 0.5 * (folds[0, _DOWN] + folds[1, _DOWN]) + 0.3 * lines
        if down > 0:
            line = math.exp(-(((ax - 0.070 - 0.008 * coarse) / 0.018) ** 2)) + 0.45 * math.exp(-((ax / 0.014) ** 2))
            depth += down * 0.42 * line * math.exp(-(((q1 - 7.49) / 0.085) ** 2))
            depth += down * 0.14 * math.exp(-((ax / 0.12) ** 2) - ((q1 - 7.42) / 0.05) ** 2)
    if act[_SNEER] > 0 and 7.02 < q1 < 7.45 and ax < 0.3:  # bridge and sides of the nose
        wave = 0.5 + 0.5 * math.cos((q1 - 0.6 * ax + 0.006 * coarse) * 2.0 * math.pi / 0.06)
        depth += act[_SNEER] * 0.36 * math.exp(-(((ax - 0.085) / 0.07) ** 2) - ((q1 - 7.22) / 0.11) ** 2) * wave * wave
        depth += act[_SNEER] * 0.22 * math.exp(-((ax / 0.10) ** 2) - ((q1 - 7.34) / 0.03) ** 2)
    if 7.0 < q1 < 7.5 and ax > 0.42:  # crow's feet: lines that radiate from the outer corner of the eye
        squint = max(act[_CHEEK], 0.35 * act[_SMILE]) + 0.25 * lines
        along, across = ax - 0.40, q1 - 7.27
        radius = math.hypot(along, across)
        place = smoothstep(radius, 0.08, 0.13) * smoothstep(0.33 - radius, 0.0, 0.14)
        if squint * place > 0:
            wave = 0.5 + 0.5 * math.cos((math.atan2(across, along) + 0.05 * coarse) * 2.0 * math.pi / 0.40)
            depth += squint * 0.72 * place * math.exp(-((across / 0.13) ** 2)) * wave**2
    if 6.80 < q1 < 7.26 and 0.10 < ax < 0.62:  # below the lower lid: raised cheek and tight lid
        away = ax - 0.31
        cheek, lid = max(act[_CHEEK], 0.5 * lines), act[_SQUINT]
        if cheek > 0:
            pouch = q1 - (7.135 + 0.25 * away * away)
            depth += cheek * 0.50 * math.exp(-((pouch / 0.022) ** 2) - (away / 0.17) ** 2)
        if act[_CHEEK] > 0:
            furrow = q1 - (7.045 + 0.35 * (ax - 0.20))  # from the nose outwards below the pouch
            depth += act[_CHEEK] * 0.30 * math.exp(-((furrow / 0.024) ** 2) - ((ax - 0.27) / 0.12) ** 2)
            depth -= act[_CHEEK] * 0.16 * math.exp(-(((q1 - 6.96) / 0.07) ** 2) - ((ax - 0.42) / 0.12) ** 2)
        if lid > 0:
            tight = q1 - (7.185 + 0.4 * away * away)
            depth += lid * 0.42 * math.exp(-((tight / 0.016) ** 2) - (away / 0.15) ** 2)
            depth -= lid * 0.12 * math.exp(-(((tight - 0.030) / 0.016) ** 2) - (away / 0.13) ** 2)
    if 6.45 < q1 < 7.08 and ax > 0.12:  # from the nose to the corner of the mouth
        pulled = max(act[_SMILE], 0.9 * act[_SNEER], 0.75 * act[_UPPER]) + 0.35 * lines
        along = ax - (0.225 + 0.22 * (6.98 - q1) / 0.45)
        place = smoothstep(7.03 - q1, 0.0, 0.08) * smoothstep(q1, 6.52, 6.66)
        if pulled * place > 0:
            lines_down = 0.34 * math.exp(-((along / 0.022) ** 2)) + 0.10 * math.exp(-(((along - 0.03) / 0.06) ** 2))
            depth += pulled * place * lines_down
        if act[_DIMPLE] > 0:  # a bracket beyond the corner of the mouth, a pit at the corner and a bulge outside
            bracket = math.hypot(ax - 0.19, 0.8 * (q1 - 6.65)) - 0.155
            at_corner = math.exp(-(((q1 - 6.65) / 0.085) ** 2)) * smoothstep(ax, 0.24, 0.29)
            depth += act[_DIMPLE] * 0.62 * at_corner * math.exp(-((bracket / 0.024) ** 2))
            depth += act[_DIMPLE] * 0.30 * math.exp(-(((ax - 0.285) / 0.030) ** 2) - ((q1 - 6.65) / 0.030) ** 2)
            depth -= act[_DIMPLE] * 0.14 * at_corner * math.exp(-(((bracket - 0.065) / 0.035) ** 2))
    tight = min(1.0, act[_PUCKER] / _PUCKERED) * min(1.0, act[_ROLL] / _ROLLED)
    if tight > 0 and 6.40 < q1 < 6.90 and ax < 0.34:  # tight lips: lines down above and below them, and a hollow
        height = q1 - 6.64
        wave = 0.5 + 0.5 * math.cos((ax * (1.0 - 0.5 * height) + 0.006 * coarse) * 2.0 * math.pi / 0.078)
        above = math.exp(-(((height - 0.135) / 0.045) ** 2))
        below = math.exp(-(((height + 0.125) / 0.040) ** 2))
        width = 1.0 - smoothstep(ax, 0.17, 0.25)
        broken = min(1.3, max(0.2, 0.8 + 0.5 * fine))
        depth += tight * (0.20 * above + 0.18 * below) * width * (0.4 + 0.6 * wave) * broken
        depth += tight * 0.38 * math.exp(-(((height + 0.115) / 0.022) ** 2) - (ax / 0.17) ** 2)
    if act[_CHIN] > 0 and q1 < 6.56 and ax < 0.32:  # chin: dimples of the raised chin, and the fold above it
        cobble = smoothstep(fine + 0.6 * coarse, -0.2, 1.2)
        depth += act[_CHIN] * 0.34 * cobble * math.exp(-((ax / 0.2) ** 2) - ((q1 - 6.32) / 0.1) ** 2)
        depth += act[_CHIN] * 0.25 * math.exp(-((ax / 0.18) ** 2) - ((q1 - 6.45) / 0.022) ** 2)
    return strength * depth
