# SPDX-License-Identifier: Apache-2.0
"""Smoothing a stream gives what smoothing the whole video gives; frames come late, in order, and all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from mien.affect import Smoothing, smooth_frames, smooth_tracks
from mien.core import ConfigError, Faces, Frame, InputError

LABELS, UNITS = ("neutral", "happiness", "fear"), ("AU01", "AU12")


def _faces(tracks: Sequence[int], rng: np.random.Generator) -> Faces:
    n = len(tracks)
    return Faces(
        boxes=np.tile(np.float32([0, 0, 9, 9]), (n, 1)),
        track_ids=np.array(tracks, dtype=np.int64),
        expression=rng.dirichlet(np.ones(3), n),
        valence=rng.uniform(-1, 1, n),
        arousal=rng.uniform(-1, 1, n),
        action_units=rng.uniform(size=(n, 2)),
        action_unit_intensity=rng.uniform(0, 5, size=(n, 2)),
        action_unit_sides=rng.uniform(0, 5, size=(n, 24)),
        expression_labels=LABELS,
        action_unit_labels=UNITS,
    )


def _video(n_frames: int, *, every: int = 1, seed: int = 0) -> list[Frame]:
    """Faces that come, go for up to 20 frames and come back, one that nobody follows, and frames without any."""
    rng = np.random.default_rng(seed)
    frames = []
    for index in range(0, n_frames, every):
        here = [track for track in (0, 3, 7) if (index // (5 + track)) % 3 != track % 3 and index > 4 * track]
        faces = _faces([*rng.permutation(here), *([-1] if index % 11 == 0 else [])], rng)
        frames.append(Frame(index=index, time_s=index / 30, faces=faces))
    return frames


def _table(frames: Sequence[Frame], name: str) -> np.ndarray:
    parts = [
        np.stack([f.faces.valence, f.faces.arousal], 1) if name == "va" else getattr(f.faces, name) for f in frames
    ]
    return np.concatenate(parts).astype(np.float64)


SETTINGS = [
    "expr=8,va=4,au=1",
    "expr=50,va=0,au=3",
    "va=7,au=2,kernel=median",
    "expr=9,va=3,kernel=gaussian,sigma=20",
    "expr=8,va=4,au=1,causal=true",
    "expr=6,va=5,kernel=median,causal=true",
    "expr=9,va=3,kernel=gaussian,sigma=20,causal=true",
    "expr=8,va=4,au=1,window=rows",
    "expr=9,va=3,kernel=gaussian,sigma=20,window=rows",
    "expr=6,va=5,kernel=median,causal=true,window=rows",
    "expr=0.3s,va=0.1s,au=0.04s",
    "expr=0.2s,va=0.1s,causal=true",
    "va=0.1s,kernel=median",
    "expr=0.2s,kernel=gaussian,sigma=1e4",
]


@pytest.mark.parametrize("text", SETTINGS)
@pytest.mark.parametrize("every", [1, 3])
def test_a_stream_gives_what_the_whole_video_gives(text: str, every: int) -> None:
    settings, frames = Smoothing.parse(text), _video(150, every=every)
    got = list(smooth_frames(iter(frames), settings))
    assert [frame.index for frame in got] == [frame.index for frame in frames]
    tracks = np.concatenate([frame.faces.track_ids for frame in frames])
    positions = settings.positions(np.array([f.index for f in frames]), [f.time_s for f in frames])
    numbers = np.repeat(positions, [len(frame.faces) for frame in frames])
    widths = {"expression": settings.expr, "va": settings.va}
    widths |= {"action_units": settings.au, "action_unit_intensity": settings.au, "action_unit_sides": settings.au}
    for name, width in widths.items():
        expected = smooth_tracks(tracks, numbers, _table(frames, name), width, settings)
        assert _table(got, name) == pytest.approx(expected, abs=1e-6)


def _counted(frames: Sequence[Frame], taken: list[int]) -> Iterator[Frame]:
    for frame in frames:
        taken.append(frame.index)
        yield frame


@pytest.mark.parametrize(("text", "delay"), [("va=5", 5), ("va=5,expr=12", 12), ("va=5,expr=12,causal=true", 0)])
def test_a_frame_comes_as_late_as_its_window_reaches(text: str, delay: int) -> None:
    rng, taken = np.random.default_rng(0), list[int]()
    frames = [Frame(index=i, time_s=i / 30, faces=_faces([0], rng)) for i in range(60)]
    for got in smooth_frames(_counted(frames, taken), Smoothing.parse(text)):
        assert taken[-1] == min(got.index + delay, 59)


def test_a_lost_face_holds_frames_back_until_it_is_given_up() -> None:
    rng, taken = np.random.default_rng(0), list[int]()
    frames = [Frame(index=i, time_s=i / 30, faces=_faces([0] if i < 10 else [], rng)) for i in range(90)]
    seen = {got.index: taken[-1] for got in smooth_frames(_counted(frames, taken), Smoothing(va=3))}
    assert seen[6] == 9
    assert seen[7] == 9 + 31  # it might have come back for one second
    assert seen[60] == 63


def test_a_face_that_was_given_up_starts_anew() -> None:
    rng = np.random.default_rng(0)
    frames = [Frame(index=i, time_s=i / 30, faces=_faces([0], rng)) for i in (0, 1, 100, 101)]
    got = _table(list(smooth_frames(frames, Smoothing(va=200))), "va")
    raw = _table(frames, "va")
    assert got == pytest.approx(np.repeat([raw[:2].mean(axis=0), raw[2:].mean(axis=0)], 2, axis=0), abs=1e-6)


def test_the_expression_is_decided_after_smoothing() -> None:
    rng = np.random.default_rng(0)
    probabilities = [[0.8, 0.2, 0.0], [0.3, 0.4, 0.3], [0.8, 0.2, 0.0]]
    frames = [
        Frame(index=i, time_s=i / 30, faces=replace(_faces([0], rng), expression=np.array([row], dtype=np.float32)))
        for i, row in enumerate(probabilities)
    ]
    assert [frame.faces.top_expressions()[0] for frame in frames] == ["neutral", "happiness", "neutral"]
    got = list(smooth_frames(frames, Smoothing(expr=1)))
    assert [frame.faces.top_expressions()[0] for frame in got] == ["neutral"] * 3


def test_what_was_held_back_comes_before_an_error() -> None:
    def broken() -> Iterator[Frame]:
        yield from _video(20)
        raise InputError("the rest is damaged")

    stream, got = smooth_frames(broken(), Smoothing(va=50)), list[int]()
    with pytest.raises(InputError, match="damaged"):
        got.extend(frame.index for frame in stream)
    assert got == list(range(20))


def test_memory_is_that_of_the_window() -> None:
    rng = np.random.default_rng(0)
    alive, most = 0, 0

    def frames() -> Iterator[Frame]:
        nonlocal alive, most
        for index in range(2000):
            alive += 1
            most = max(most, alive)
            yield Frame(index=index, time_s=index / 30, faces=_faces([0], rng))

    for _ in smooth_frames(frames(), Smoothing(au=3)):
        alive -= 1
    assert most == 4


def test_settings_that_change_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="nothing is to be smoothed"):
        Smoothing.of("kernel=median")
    assert Smoothing.of(None) is None
    settings = Smoothing(expr=5, kernel="gaussian", causal=True)
    assert Smoothing.parse(str(settings)) == settings == Smoothing.of(settings)


def test_frames_within_one_millisecond_keep_their_values() -> None:
    """A camera of 4,000 frames per second: several frames have one place on a timeline of milliseconds."""
    rng = np.random.default_rng(0)
    frames = [Frame(index=index, time_s=index / 4000, faces=_faces([0], rng)) for index in range(12)]
    found = list(smooth_frames(frames, Smoothing.parse("0.002s")))
    assert [frame.index for frame in found] == list(range(12))
    same = [bool(np.array_equal(a.faces.valence, b.faces.valence)) for a, b in zip(frames, found, strict=True)]
    assert sum(same) >= 8
    assert not all(same)
