"""The pictures of the worked examples: which colour means what, and what has no room."""

import numpy as np
import pytest

from dl_jax.report import (
    plot_descent,
    plot_functions,
    plot_jacobian,
    plot_probabilities,
    plot_weights,
)
from dl_jax.report.picture import LIGHT
from dl_jax.report.plots.curves import _broken
from dl_jax.report.plots.descent import _numbered
from dl_jax.report.plots.weights import _apart, _power
from tests.report.test_plots import check, count, rgb


def parabola(w):
    return (np.asarray(w) - 2.0) ** 2


def test_functions_stand_beside_their_derivatives(tmp_path):
    z = np.linspace(-1, 1, 101)
    curves = {"step": (np.maximum(0, z), (z > 0) * 1.0), "hill": (z**3, 1 - z**2)}
    formulas = {name: ("f", "f′") for name in curves}
    picture = plot_functions(z, curves, tmp_path / "a.png", formulas=formulas)
    image = check(picture)
    left, right = np.split(image, [image.shape[1] // 2], axis=1)
    assert count(left, LIGHT.blue) > 500
    assert count(left, LIGHT.red) == 0
    assert count(right, LIGHT.red) > 500
    assert count(right, LIGHT.blue) == 0
    jump = np.all(np.abs(right[: len(right) // 2] - rgb(LIGHT.red)) <= 2, axis=-1)
    assert jump.sum(0).max() < 0.25 * len(jump)  # no upright line
    assert "largest derivative is 1 for step, 1 for hill" in picture.caption
    with pytest.raises(ValueError, match=r"step: expected \(2,\) values"):
        plot_functions(z[:2], curves, tmp_path / "b.png", formulas=formulas)


def test_a_jump_is_a_gap_and_a_slope_is_none():
    np.testing.assert_array_equal(_broken(np.array([0.0, 0, 1, 1])), [0, np.nan, 1, 1])
    slope = np.array([0.0, 0.5, 1])
    np.testing.assert_array_equal(_broken(slope), slope)


def test_a_walk_towards_the_minimum_is_blue_and_any_other_red(tmp_path):
    down, away = np.array([0.0, 1, 1.5]), np.array([0.0, 4.5, -1])
    image = check(plot_descent({"down": down}, parabola, 2.0, tmp_path / "a.png"))
    assert count(image, LIGHT.blue) > 300
    assert count(image, LIGHT.red) == 0
    picture = plot_descent({"away": away}, parabola, 2.0, tmp_path / "b.png")
    image = check(picture)
    assert count(image, LIGHT.red) > 300
    assert count(image, LIGHT.blue) == 0
    assert "away: from E = 4 to 9 in 2 steps, no nearer to the minimum" in picture.caption
    check(plot_descent({"still": np.array([2.0, 2.0])}, parabola, 2.0, tmp_path / "c.png"))
    with pytest.raises(ValueError, match=r"down: expected the weights of at least one step"):
        plot_descent({"down": down[:1]}, parabola, 2.0, tmp_path / "d.png")


def test_numbers_stand_outside_the_curve_where_there_is_room():
    walk = np.array([0.0, 5.0, 1.9, 1.91])  # the last two are at the same height, nearly
    assert _numbered(walk, parabola(walk), 2.0) == [(0, -1), (1, 1), (2, -1)]
    across = np.array([0.0, 4.0])
    assert _numbered(across, parabola(across), 2.0) == [(0, -1), (1, 1)]


def test_labels_are_moved_apart():
    np.testing.assert_allclose(_apart(np.array([1.0, -1, 0.95]), 0.1), [1.05, -1, 0.95])


def test_exponents_are_superscripts():
    assert _power(-12) == "⁻¹²"


def test_weights_are_told_apart_and_named(tmp_path):
    weights = np.array([[0.0, 0, 0], [0.8, -0.7, 0.4], [1, -1, 0.5]])
    errors, hidden = np.array([1.0, 0.1, 0]), weights[-1]
    picture = plot_weights(weights, errors, hidden, tmp_path / "a.png", title="Neuron")
    image = check(picture)
    for colour in (LIGHT.blue, LIGHT.red, LIGHT.ink):
        assert count(image, colour) > 300
    assert "w₁ = 1; w₂ = −1; w₃ = 0.5" in picture.caption
    assert "E goes from 1 to 0 in 2 steps" in picture.caption
    with pytest.raises(ValueError, match=r"shapes \(3, 3\) and \(3,\), got \(2, 3\) and \(3,\)"):
        plot_weights(weights[:2], errors, hidden, tmp_path / "b.png", title="Neuron")


def test_weights_that_diverged_leave_a_gap(tmp_path):
    weights = np.array([[0.0, 0, 0], [3e38, -3e38, 3], [np.inf, np.nan, 0]], np.float32)
    errors = np.array([1.0, 2, np.inf], np.float32)
    picture = plot_weights(
        weights, errors, np.zeros(3, np.float32), tmp_path / "a.png", title="Diverged"
    )
    check(picture)
    assert "to inf in 2 steps" in picture.caption


def test_the_most_probable_class_is_blue(tmp_path):
    strong, even = np.array([0.001, 0.996, 0.003]), np.array([0.3, 0.3, 0.4])
    picture = plot_probabilities({"Strong": strong}, ["a", "b", "c"], tmp_path / "a.png")
    sure = count(check(picture), LIGHT.blue)
    assert "Strong: b with probability 0.996, the sum over all classes is 1" in picture.caption
    image = check(plot_probabilities({"x": even, "y": even}, ["a", "b", "c"], tmp_path / "b.png"))
    assert 0 < count(image, LIGHT.blue) < sure  # two bars of 0.4 together are lower than one of 1
    with pytest.raises(ValueError, match=r"x: expected 2 probabilities, got shape \(3,\)"):
        plot_probabilities({"x": even}, ["a", "b"], tmp_path / "c.png")


def test_a_jacobian_is_blue_where_it_raises_and_red_where_it_lowers(tmp_path):
    picture = plot_jacobian(np.array([[0.25, -0.25], [-0.25, 0.25]]), tmp_path / "a.png")
    image = check(picture)
    height, width, _ = image.shape
    cells = image[height // 5 :, width // 4 :]
    top, bottom = np.split(cells, [len(cells) // 2])
    blueness = [np.mean(c[..., 2] - c[..., 0]) for row in (top, bottom)
                for c in np.split(row, [row.shape[1] // 2], axis=1)]  # fmt: skip
    assert [b > 0 for b in blueness] == [True, False, False, True]
    assert "No cell is 0, the nearest is 0.25" in picture.caption
    zeros = plot_jacobian(np.zeros((3, 3)), tmp_path / "b.png")
    assert "The softmax is saturated" in zeros.caption
    with pytest.raises(ValueError, match=r"expected shape \[k, k\], got \(2, 3\)"):
        plot_jacobian(np.zeros((2, 3)), tmp_path / "c.png")
