import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from dl_jax.report import (
    plot_confusion,
    plot_decision_boundary,
    plot_history,
    plot_predictions,
)
from dl_jax.report.picture import DARK, LIGHT

NAMES = ["T-shirt/top", "Trouser", "Pullover", "$\\frac$", "Coat", "Sandal", "Shirt"]


def pixels(path):
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def rgb(colour):
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])


def count(image, colour):
    """Pixels of a colour, to within the rounding of a blend."""
    return int((np.abs(image - rgb(colour)).max(-1) <= 2).sum())


def check(picture):
    """Both versions are PNGs of one sane size, each on its theme's background."""
    light, dark = pixels(picture.path), pixels(picture.dark_path)
    assert light.shape == dark.shape
    assert 600 <= light.shape[1] <= 1400
    assert 250 <= light.shape[0] <= 1400
    for image, theme in ((light, LIGHT), (dark, DARK)):
        np.testing.assert_array_equal(image[0, 0], rgb(theme.surface))
        assert image.std() > 5
    assert picture.alt
    assert picture.caption.endswith(".")
    return light


def test_history_marks_the_lowest_validation_loss(tmp_path, history):
    before = dict(matplotlib.rcParams)
    picture = plot_history(history, tmp_path / "history.png", title="Digits")
    image = check(picture)
    assert count(image, LIGHT.blue) > 500  # training
    assert count(image, LIGHT.red) > 500  # validation
    assert "lowest, 0.2500, at epoch 2" in picture.caption
    assert "After epoch 3: loss 0.2500, validation loss 1.0000" in picture.alt
    assert dict(matplotlib.rcParams) == before


def test_history_without_validation_and_with_gaps(tmp_path):
    history = [
        {"epoch": 1, "loss": 1.0},
        {"epoch": 2, "loss": float("nan")},
        {"epoch": 3, "loss": "Infinity"},
    ]
    picture = plot_history(history, tmp_path / "history.png", title="Diverged")
    image = check(picture)
    assert count(image, LIGHT.blue) > 100
    assert count(image, LIGHT.red) == 0
    assert picture.caption == "Dots are the training data."
    one = [{"epoch": 1, "loss": float("nan"), "val_loss": 0.5}]
    plot_history(one, picture.path, title="One")
    lone = pixels(picture.path)
    above_legend = lone[: lone.shape[0] // 2]
    assert count(above_legend, LIGHT.red) > 100  # a lone point is not an empty line


def test_history_without_an_epoch(tmp_path):
    with pytest.raises(ValueError, match="at least one finished epoch, got none"):
        plot_history([], tmp_path / "history.png", title="Digits")


def test_confusion_colours_errors_and_not_the_diagonal(tmp_path):
    right = plot_confusion(np.diag([9000] * 7), NAMES, tmp_path / "right.png")
    hue = pixels(right.path)
    assert np.ptp(hue, axis=-1).max() < 30  # no error, so nothing but greys
    assert "63,000 of 63,000 predictions are right" in right.alt
    wrong = np.diag([9000] * 7)
    wrong[0, 6] = 3
    picture = plot_confusion(wrong, NAMES, tmp_path / "wrong.png")
    image = check(picture)
    rows, columns = np.nonzero(np.ptp(image, axis=-1) > 60)
    assert "T-shirt/top taken for Shirt, 3 times" in picture.caption
    assert rows.max() < image.shape[0] / 3  # the row of the true class, at the top
    assert columns.min() > image.shape[1] * 2 / 3  # the column of the predicted one


def test_confusion_of_many_classes_and_of_two(tmp_path):
    names = [f"class {i}" for i in range(100)]
    check(plot_confusion(np.ones((100, 100), int), names, tmp_path / "many.png"))
    check(plot_confusion(np.array([[3, 1], [0, 4]]), ["no", "yes"], tmp_path / "two.png"))
    with pytest.raises(ValueError, match=r"expected shape \(2, 2\) for 2 classes, got \(3, 3\)"):
        plot_confusion(np.eye(3), ["no", "yes"], tmp_path / "bad.png")


@pytest.mark.parametrize("channels", [1, 3])
def test_predictions_right_is_blue_and_wrong_is_red(tmp_path, channels):
    images = np.full((2, 28, 28, channels), 128, np.uint8)
    probabilities = np.eye(7)[[1, 2]]
    right = plot_predictions(images, np.array([1, 2]), probabilities, NAMES, tmp_path / "a.png")
    image = check(right)
    assert count(image, LIGHT.blue) > 1000
    assert count(image, LIGHT.red) == 0
    assert "2 are predicted right." in right.alt
    wrong = plot_predictions(images, np.array([1, 6]), probabilities, NAMES, tmp_path / "b.png")
    assert count(pixels(wrong.path), LIGHT.red) > 1000
    assert "Wrong: Shirt taken for Pullover." in wrong.alt


def test_predictions_always_show_the_true_class():
    from dl_jax.report.plots.predictions import _top_classes

    p = np.array([0.4, 0.3, 0.2, 0.1])
    assert _top_classes(p, 2) == [0, 1, 2]
    assert _top_classes(p, 3) == [0, 1, 3]
    assert _top_classes(np.array([0.2, 0.8]), 0) == [1, 0]


def test_predictions_of_other_shapes(tmp_path):
    images = np.zeros((2, 28, 28, 1), np.uint8)
    with pytest.raises(ValueError, match=r"\[n, h, w, 1 or 3\], got \(2, 28, 28\)"):
        plot_predictions(images[..., 0], np.zeros(2), np.zeros((2, 7)), NAMES, tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"\(2,\) and \(2, 7\), got \(2,\) and \(2, 6\)"):
        plot_predictions(images, np.zeros(2), np.zeros((2, 6)), NAMES, tmp_path / "a.png")


def test_boundary_is_where_w_x_plus_b_is_zero(tmp_path):
    points, labels = np.array([[0.0, 0.0], [4.0, 8.0]]), np.array([0, 1])
    picture = plot_decision_boundary(
        points, labels, {"line": (np.array([1.0, 0.0]), -1.0)}, tmp_path / "a.png"
    )  # x = 1, a quarter of the way from the left; upright, so no slope could tell it
    image = check(picture)
    ink = np.abs(image - rgb(LIGHT.ink)).max(-1) <= 2
    (columns,) = np.nonzero(ink.sum(0) > 0.5 * image.shape[0])
    left = np.nonzero(np.abs(image - rgb(LIGHT.line)).max(-1) <= 2)[1].min()  # the axis
    low, high = -0.2, 4.2
    share = (columns.mean() - left) / (image.shape[1] - left)
    assert abs(share - (1 - low) / (high - low)) < 0.03
    assert "1 of them above average, with the boundary of line" in picture.alt


def test_boundary_shades_the_side_of_the_second_class(tmp_path):
    points, labels = np.array([[0.0, 0.0], [4.0, 8.0]]), np.array([0, 1])
    lines = {"none yet": (np.zeros(2), 0.0), "diverged": (np.array([np.nan, 1.0]), 0.0)}
    picture = plot_decision_boundary(
        points, labels, lines, tmp_path / "a.png", probability=lambda x: (x[:, 1] > 4) * 1.0
    )
    image = check(picture)
    middle = image[:, image.shape[1] // 2]
    blue, red = middle[:, 2] - middle[:, 0] > 40, middle[:, 0] - middle[:, 2] > 40
    assert blue.sum() > 100
    assert red.sum() > 100
    assert np.nonzero(blue)[0].max() <= np.nonzero(red)[0].min()  # above, on the picture too
    with pytest.raises(ValueError, match=r"expected shapes \[n, 2\] and \[n\]"):
        plot_decision_boundary(points, np.zeros(3), {}, tmp_path / "b.png")


def test_neither_pyplot_nor_the_drawing_library_is_imported_needlessly(tmp_path):
    code = f"""
import sys
from pathlib import Path
import dl_jax.report as report
heavy = {{"matplotlib", "rich"}} & set(sys.modules)
assert not heavy, heavy
report.plot_history([{{"epoch": 1, "loss": 1.0}}], Path({str(tmp_path)!r}) / "a.png", title="")
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
