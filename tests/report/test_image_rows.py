"""Kernels and maps as rows of small images."""

import numpy as np
import pytest

from dl_jax.report import plot_image_rows
from dl_jax.report.picture import DARK, LIGHT


def pixels(path):
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def count(image, colour):
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return int((np.abs(image - wanted).max(-1) <= 2).sum())


def draw(rows, path, signed):
    return plot_image_rows(rows, path, signed=signed, alt="Kernels.", caption="Of a layer.")


def test_signs_have_colours_and_nothing_is_paper(tmp_path):
    kernel = np.array([[[1.0, -1.0], [0.0, 0.0]]])
    picture = draw({"conv": kernel}, tmp_path / "kernels.png", signed=True)
    for path, theme in ((picture.path, LIGHT), (picture.dark_path, DARK)):
        image = pixels(path)
        blue, red = count(image, theme.blue), count(image, theme.red)
        assert blue > 100
        assert blue == pytest.approx(red, rel=0.1)
    assert (picture.alt, picture.caption) == ("Kernels.", "Of a layer.")


def test_each_group_has_a_scale_of_its_own_and_may_be_in_colour(tmp_path):
    faint, strong = np.zeros((1, 2, 2)), np.zeros((9, 2, 2))
    faint[0, 0, 0], strong[:, 0, 0] = 1e-3, 1e3
    reds = np.zeros((1, 2, 2, 3))
    reds[..., 0] = 255
    rows = {"faint": faint, "strong": strong, "image": reds}
    image = pixels(draw(rows, tmp_path / "maps.png", signed=False).path)
    ink = count(image, "#000000")
    assert ink > 10 * count(image, LIGHT.ink)  # the largest of both groups is black
    assert count(image, "#ff0000") > 400
    assert image.shape[0] > 700  # four rows: nine images take two


def test_small_values_are_paper_and_large_ones_ink_whatever_their_sign(tmp_path):
    below_zero = np.array([[[-5.0, -1.0], [-1.0, -1.0]]])
    image = pixels(draw({"maps": below_zero}, tmp_path / "maps.png", signed=False).path)
    assert count(image, "#000000") > 1000  # three of four pixels


def test_what_is_no_images(tmp_path):
    with pytest.raises(ValueError, match="at least one group of images, got none"):
        draw({}, tmp_path / "none.png", signed=True)
    with pytest.raises(ValueError, match=r"rows\['conv'\]: expected shape \[k, h, w\].*\(3, 3\)"):
        draw({"conv": np.ones((3, 3))}, tmp_path / "bad.png", signed=True)
