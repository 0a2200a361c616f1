# SPDX-License-Identifier: Apache-2.0
"""Text of smoothing settings: half-widths in frames or in seconds, and the values of the other settings."""

from __future__ import annotations

import re

from mien.core import ConfigError

_SECONDS = r"\d*\.?\d+s"
_HALF_WIDTHS = ("expr", "va", "au")


def in_milliseconds(text: str) -> tuple[str, bool]:
    """The settings with half-widths in seconds written in milliseconds, and whether there were any.

    Args:
        text: Settings, ``name=value`` with commas between them; a half-width in seconds ends with s, and stands for all
            three where it has no name.

    Raises:
        ConfigError: Other half-widths are in frames, a window is named beside seconds, or a time is under 1 ms.

    Examples:
        >>> in_milliseconds("expr=0.4s,kernel=median")
        ('expr=400,kernel=median', True)
    """
    pieces = [part.strip() for part in text.split(",")]
    pieces = [
        named
        for piece in pieces
        for named in ([f"{name}={piece}" for name in _HALF_WIDTHS] if re.fullmatch(_SECONDS, piece) else [piece])
    ]
    found = [re.fullmatch(rf"(expr|va|au)\s*=\s*({_SECONDS})", piece) for piece in pieces]
    if not any(found):
        return text, False
    rest = [piece for piece, match in zip(pieces, found, strict=True) if not match]
    if any(re.match(r"window\s*=", piece) for piece in rest):
        raise ConfigError(f"half-widths in seconds have no other window, got {text}")
    if any(re.match(r"(expr|va|au)\s*=(?!\s*0$)", piece) for piece in rest):
        raise ConfigError(f"half-widths are all in seconds, such as 0.4s, or all in frames, got {text}")
    written = []
    for piece, match in zip(pieces, found, strict=True):
        if match is None:
            written.append(piece)
            continue
        seconds = float(match[2][:-1])
        if 0 < seconds < 0.001:
            raise ConfigError(f"a half-width is 0 or at least 0.001s, got {match[2]}")
        written.append(f"{match[1]}={round(seconds * 1000)}")
    return ",".join(written), True


def setting_value(name: str, value: str, kind: type) -> int | float | bool | str:
    """The value of a setting, of the type of its field.

    Raises:
        ConfigError: The text is no such value.

    Examples:
        >>> setting_value("sigma", "1e5", float)
        100000.0
    """
    if kind is bool:
        if value not in ("true", "false"):
            raise ConfigError(f"{name} must be true or false, got {value!r}")
        return value == "true"
    try:
        converted: int | float | str = kind(value)
    except ValueError as error:
        raise ConfigError(f"{name} must be a number, got {value!r}") from error
    return converted
