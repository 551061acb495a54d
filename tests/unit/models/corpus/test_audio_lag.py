import numpy as np
import pytest

from models.corpus import audio_lag
from models.corpus.audio_lag import LagClip, estimate_lags


@pytest.fixture(autouse=True)
def small_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the lip reader a quarter of its inputs; the clips' states have few dimensions."""
    monkeypatch.setattr(audio_lag, "COMPONENTS", 24)


def clip(person: str, lag: int, rng: np.random.Generator, *, in_step: bool = False) -> LagClip:
    """Return a clip whose states encode the opening of the lips, with a lag of `lag` states."""
    states = 2 * 60
    opening = np.convolve(rng.standard_normal(states + 40), np.hanning(12), mode="same")
    heard = opening[20 - lag : 20 - lag + states]
    channels = 0.3 * rng.standard_normal((states, 120)) + heard[:, None] * np.linspace(-1, 1, 120)
    return LagClip(
        states=channels.astype(np.float32),
        opening=opening[20 : 20 + states : 2].astype(np.float32),
        person=person,
        in_step=in_step,
        judged_only=person == "held_out",
    )


def test_early_and_late_sound_is_found() -> None:
    rng = np.random.default_rng(0)
    clips = {f"step_{i}": clip("studio", 0, rng, in_step=True) for i in range(20)}
    true = {f"loose_{i}": int(rng.integers(-4, 8)) for i in range(12)}
    clips |= {name: clip(f"p{lag % 3}", lag, rng) for name, lag in true.items()}
    clips["val"] = clip("held_out", 4, rng)
    found = estimate_lags(clips)
    assert all(found[name] == 0 for name in clips if name.startswith("step"))
    assert all(abs(found[name] - lag) <= 1 for name, lag in (true | {"val": 4}).items())


def test_clips_without_known_sync_are_compared_with_each_other() -> None:
    rng = np.random.default_rng(0)
    clips = {f"usual_{i}": clip(f"p{i % 8}", 2, rng) for i in range(32)}
    clips |= {f"late_{i}": clip(f"p{i}", 5, rng) for i in range(3)}
    found = estimate_lags(clips)
    usual = np.median([found[name] for name in clips if name.startswith("usual")])
    assert all(abs(found[f"late_{i}"] - usual - 3) <= 1 for i in range(3))
