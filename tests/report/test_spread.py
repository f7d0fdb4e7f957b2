"""Means, spreads and intervals of several seeds."""

import math

import pytest
from matplotlib.figure import Figure

from dl_jax.report import Point, history_of, mean_and_spread, plot_history, plot_sweep
from dl_jax.report.picture import LIGHT
from tests.report.test_plots import check, count


def test_the_interval_is_students_t():
    mean, spread = mean_and_spread([0.0, 2.0])
    assert mean == 1.0
    assert spread is not None
    assert spread["n"] == 2
    assert spread["std"] == pytest.approx(math.sqrt(2))
    # t_{0.975} with one degree of freedom is tan(0.475 pi) = 12.706, and s / sqrt(n) is 1.
    assert spread["high"] - 1 == pytest.approx(math.tan(0.475 * math.pi))
    assert 1 - spread["low"] == pytest.approx(spread["high"] - 1)


def test_one_seed_is_its_own_mean_without_a_spread():
    assert mean_and_spread([0.3]) == (0.3, None)
    with pytest.raises(ValueError, match="expected at least one"):
        mean_and_spread([])


def test_a_seed_that_diverged_is_not_hidden():
    assert math.isnan(mean_and_spread([0.3, math.nan])[0])
    mean, spread = mean_and_spread([0.3, math.inf])
    assert mean == math.inf
    assert spread is not None
    assert math.isnan(spread["std"])


def test_a_history_of_means():
    histories = [
        [{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": 0.5}],
        [{"epoch": 1, "loss": 3.0}, {"epoch": 2, "loss": 0.5}],
    ]
    means, spreads = history_of(histories)
    assert means == [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 0.5}]
    assert [row["loss"]["std"] for row in spreads] == [pytest.approx(math.sqrt(2)), 0.0]
    assert history_of(histories[:1]) == (histories[0], [])


def test_a_history_of_seeds_has_bands(tmp_path):
    histories = [[{"epoch": i, "loss": 1.0 + s, "val_loss": 2.0 + s} for i in (1, 2, 3)]
                 for s in (0.0, 0.1)]  # fmt: skip
    means, spread = history_of(histories)
    plain = plot_history(means, tmp_path / "plain.png", title="Digits")
    banded = plot_history(means, tmp_path / "banded.png", title="Digits", spread=spread)
    assert banded.caption.endswith("Means of 2 seeds, with bands of their 95 % intervals.")
    assert "seeds" not in plain.caption
    assert (check(plain) != check(banded)).any(axis=-1).sum() > 5000


def test_a_sweep_shows_each_point_and_leaves_out_what_diverged(tmp_path):
    points = [Point(10.0**-i, 0.8 - 0.1 * i, 0.7 - 0.1 * i, 0.9 - 0.1 * i) for i in range(3)]
    lines = {"": [*points, Point(10.0, math.nan, math.nan, math.nan)]}
    picture = plot_sweep(
        lines, tmp_path / "a.png", name="learning_rate", metric="Accuracy", title="Digits"
    )
    assert count(check(picture), LIGHT.blue) > 200
    assert "Accuracy by learning_rate: 1: 0.8000" in picture.alt
    assert "1 of 4 diverged" in picture.caption
    assert "95 % intervals" in picture.caption
    with pytest.raises(ValueError, match="at least one point"):
        plot_sweep({}, tmp_path / "b.png", name="x", metric="y", title="z")


def test_the_ticks_of_a_sweep_over_decades_are_plain_numbers(tmp_path, monkeypatch):
    shown = []

    def look(path, size, draw):
        figure = Figure(figsize=size)
        draw(figure, LIGHT)
        shown.extend(tick.get_text() for tick in figure.axes[0].get_xticklabels())

    monkeypatch.setattr("dl_jax.report.plots.sweep.save_picture", look)
    points = [Point(10.0**-i, 0.5, 0.5, 0.5) for i in range(4)]
    plot_sweep({"": points}, tmp_path / "a.png", name="x", metric="y", title="z")
    assert shown == ["0.001", "0.01", "0.1", "1"]
