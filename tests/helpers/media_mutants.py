# SPDX-License-Identifier: Apache-2.0
"""Mutated media files: changes of lengths, counts and chunks where a format has them, beside plain damage."""

import random
import re

# Names of boxes, chunks and elements beside which lengths, counts and offsets stand.
_NAMES = re.compile(
    rb"moov|trak|mdia|minf|stbl|stsd|stts|ctts|stss|stsc|stsz|stco|mvhd|tkhd|mdhd|elst|avcC|mdat|moof|trun|tfhd|ftyp"
    rb"|RIFF|LIST|avih|strh|strf|movi|idx1|00dc|VP8X|VP8 |ANIM|ANMF|EXIF|eXIf|IHDR|IDAT|acTL|fcTL|PLTE|IEND"
    rb"|meta|iprp|ipco|ipma|ispe|irot|imir|av1C|pitm|iloc|Exif|II\*\x00|MM\x00\*|\xff[\xc0\xc4\xda\xdb\xe1]|GIF8"
    rb"|\x1aE\xdf\xa3|\x18S\x80g|\x1fC\xb6u|\x16T\xaek|\x1cS\xbbk|\x15I\xa9f|[\xa3\xa0\xa1][\x40-\xff]|\x00\x00\x01|\x47[\x40\x41]"
)
_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A copy of a media file with one to four changes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        chance.choice((_number_beside_a_name, _number_beside_a_name, _chunk, _zeros, _noise, _cut))(changed, chance)
        if not changed:
            return b"\0"
    return bytes(changed)


def _place(data: bytearray, chance: random.Random) -> int:
    names = [match.start() for match in _NAMES.finditer(data)]
    return chance.choice(names) if names else chance.randrange(len(data))


def _number_beside_a_name(data: bytearray, chance: random.Random) -> None:
    size = chance.choice((1, 2, 4, 8))
    start = max(0, _place(data, chance) + chance.choice((-4, 1, 2, 4, 8, 12, 16)))
    number = chance.choice((*_NUMBERS, chance.getrandbits(32))) & (1 << 8 * size) - 1
    data[start : start + size] = number.to_bytes(size, chance.choice(("big", "little")))


def _chunk(data: bytearray, chance: random.Random) -> None:
    """Delete or repeat the bytes from one name to another."""
    first, last = sorted((_place(data, chance), _place(data, chance)))
    part = bytes(data[first:last])[:50_000]
    if chance.random() < 0.5:
        del data[first : first + len(part)]
    else:
        data[last:last] = part


def _zeros(data: bytearray, chance: random.Random) -> None:
    start, size = chance.randrange(len(data)), chance.randint(1, max(1, len(data) // 4))
    data[start : start + size] = bytes(len(data[start : start + size]))


def _noise(data: bytearray, chance: random.Random) -> None:
    start, size = chance.randrange(len(data)), chance.randint(1, 64)
    data[start : start + size] = chance.randbytes(len(data[start : start + size]))


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]
