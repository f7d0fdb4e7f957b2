"""The benchmark's plots and the places of their labels."""

import numpy as np
import pytest

from dl_jax.report import units
from dl_jax.report.picture import LIGHT
from dl_jax.report.plots import (
    Bar,
    Dot,
    Ratio,
    Series,
    plot_batch_sizes,
    plot_ratios,
    plot_roofline,
    plot_stages,
)
from dl_jax.report.plots.labels import apart
from dl_jax.report.plots.ticks import round_ticks
from tests.report.test_plots import check, count, pixels

DOTS = [
    Dot(group, kind, intensity, rate)
    for group, intensity, rates in (
        ("fashion_mlp", 6.0, (0.5e9, 20e9)),
        ("imdb_bow", 0.6, (0.2e9, 1.4e9)),
    )
    for kind, rate in zip(("eager", "step"), rates, strict=True)
]


def test_the_roofline_tells_the_sides_apart(tmp_path):
    products, path = {"float32": 100e9}, tmp_path / "roof.png"
    picture = plot_roofline(DOTS, products, 25e9, path, title="cpu:0")  # the ridge is at 4
    image = check(picture)
    assert count(image, LIGHT.blue) > 200
    assert count(image, LIGHT.red) > 200
    assert "4 programs" in picture.alt
    assert "The fastest is fashion_mlp, step, 20.0 GFLOP/s" in picture.alt
    bound = plot_roofline(DOTS, products, 1e9, path, title="cpu:0")
    assert count(check(bound), LIGHT.blue) == 0


def test_the_roofline_needs_a_program_and_a_roof(tmp_path):
    for dots, products in ((DOTS, {}), ([], {"float32": 1e9})):
        with pytest.raises(ValueError, match="expected at least one program and one ceiling"):
            plot_roofline(dots, products, 1e9, tmp_path / "x.png", title="")


def test_step_time_against_batch_size(tmp_path):
    one = Series(
        "step", (32, 64, 128), (1e-3, 2e-3, 4e-3), (9e-4, 1.9e-3, 3e-3), (2e-3, 3e-3, 5e-3)
    )
    two = one._replace(label="epoch", median=(5e-4, 1e-3, 2e-3))
    picture = plot_batch_sizes([one, two], tmp_path / "sizes.png", title="cpu:0")
    image = check(picture)
    assert count(image, LIGHT.blue) > 500
    assert count(image, LIGHT.red) > 500
    assert "step: from 1.00 ms at 32 to 4.00 ms at 128" in picture.alt
    with pytest.raises(ValueError, match=r"at least two of each program, got \[1\]"):
        plot_batch_sizes([Series("x", (1,), (1,), (1,), (1,))], tmp_path / "x.png", title="")


def test_stages_are_as_long_as_they_took(tmp_path):
    bars = [Bar("step", (0.0, 0.0, 3.0, 1.0)), Bar("eager", (0.0, 0.0, 0.0, 2.0))]
    picture = plot_stages({"mnist_cnn": bars}, tmp_path / "stages.png", title="cpu:0")
    image = check(picture)
    legend = image.shape[0] * 4 // 5
    blue, red = (count(image[:legend], colour) for colour in (LIGHT.blue, LIGHT.red))
    assert blue / red == pytest.approx(3 / (1 + 2), rel=0.1)
    assert "The longest is step, 4.00 s, of which compiling takes 3.00 s" in picture.alt
    with pytest.raises(ValueError, match="at least one program, got none"):
        plot_stages({}, tmp_path / "x.png", title="")


@pytest.mark.parametrize(
    ("ratio", "colour"),
    [
        ((2.0, 1.9, 2.1), LIGHT.blue),
        ((0.5, 0.4, 0.6), LIGHT.red),
        ((1.1, 0.9, 1.2), LIGHT.muted),
        ((2.0, 1.9, 2.1, True), LIGHT.muted),
    ],
)
def test_a_ratio_that_cannot_be_told_from_1_or_is_noisy_is_grey(tmp_path, ratio, colour):
    groups = {"mnist_cnn": [Ratio("b", *ratio)]}
    picture = plot_ratios(groups, tmp_path / "r.png", title="b", meaning="Times as fast as a")
    image = pixels(picture.path)
    middle = image[image.shape[0] // 4 : image.shape[0] * 2 // 3]  # without the axis' own words
    counts = {c: count(middle, c) for c in (LIGHT.blue, LIGHT.red, LIGHT.muted)}
    assert max(counts, key=lambda c: counts[c]) == colour
    assert "mnist_cnn, b " in picture.alt


def test_ratios_must_be_positive(tmp_path):
    for groups in ({}, {"x": [Ratio("b", 1.0, 0.0, 2.0)]}):
        with pytest.raises(ValueError, match="expected positive ones, at least one"):
            plot_ratios(groups, tmp_path / "r.png", title="", meaning="")


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_apart_in_their_order_and_within_the_axes(seed):
    heights = np.random.default_rng(seed).uniform(0, 1, 15) ** 3
    moved = apart(heights, 0.05)
    assert np.diff(np.sort(moved)).min() >= 0.05 - 1e-9
    assert (np.argsort(moved) == np.argsort(heights)).all()
    assert 0 <= moved.min() <= moved.max() <= 1


def test_labels_that_have_room_stay_where_they_are():
    np.testing.assert_allclose(apart([0.9, 0.1, 0.5], 0.1), [0.9, 0.1, 0.5])
    np.testing.assert_allclose(apart([0.5, 0.5], 0.2), [0.4, 0.6])
    np.testing.assert_allclose(apart([1.0, 1.0], 0.2), [0.8, 1.0])


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.8, 1.25, [0.8, 0.9, 1, 1.1, 1.2]),
        (0.7, 12, [1, 2, 5, 10]),
        (0.5, 2e5, [1, 10, 100, 1000, 1e4, 1e5]),
    ],
)
def test_ticks_are_round_and_few(low, high, ticks):
    np.testing.assert_allclose(round_ticks(low, high), ticks)
    assert len(round_ticks(1e-9, 1e9)) <= 6


def test_three_digits_and_a_unit():
    times = [units.seconds(x) for x in (1.5e-5, 0.0271, 0.99949, 0.9996, 83.4, 1234.0, 0.0, None)]
    assert times == ["15.0 µs", "27.1 ms", "999 ms", "1.00 s", "83.4 s", "1234 s", "0.00 µs", "-"]
    counts = [units.count(x) for x in (1.825e12, 999_600, 34_826, 12.0, 0.5, None)]
    assert counts == ["1.82 T", "1.00 M", "34.8 k", "12.0", "0.50", "-"]
    assert units.count(1.5e9, "B/s") == "1.50 GB/s"
    assert [units.share(x) for x in (0.625, 0.004, None)] == ["62 %", "0.4 %", "-"]
    spread = {"median": 0.0271, "q1": 0.026, "q3": 0.0283}
    assert units.timing(spread) == "27.1 [26.0, 28.3] ms"
    assert units.ratio({"median": 2.514, "q1": 2.4, "q3": 12.6}) == "2.51 [2.40, 12.6]"
    assert units.timing(None) == units.ratio(None) == "-"
    assert (units.short_count(1e10), units.short_seconds(0.02)) == ("10 G", "20 ms")
