"""Grids of numbers: what is framed, what has room, and how numbers are shortened."""

import numpy as np
import pytest

from dl_jax.report import Grid, Window, number_text, plot_grids, rows_text
from dl_jax.report.picture import LIGHT
from tests.report.test_plots import count, pixels, rgb


def drawn(rows, path, largest_cell=0.46):
    return pixels(plot_grids(rows, path, alt="", caption="", largest_cell=largest_cell).path)


def places(image, colour):
    """Rows and columns of the pixels of a colour, as shares of the picture."""
    found = np.argwhere(np.abs(image - rgb(colour)).max(-1) <= 2)
    return found / image.shape[:2]


def test_a_frame_is_around_its_cells(tmp_path):
    grid = Grid(np.zeros((4, 4)), windows=[Window(2, 0, 2, 1), Window(0, 3, colour="red")])
    image = drawn([[grid]], tmp_path / "a.png")
    blue, red = places(image, LIGHT.blue), places(image, LIGHT.red)
    assert blue[:, 0].min() > 0.45  # the lower half
    assert blue[:, 1].max() < 0.35  # the first of four columns
    assert red[:, 0].max() < 0.35
    assert red[:, 1].min() > 0.65


def test_the_widest_row_fits_the_page(tmp_path):
    few, many = Grid(np.eye(3), "Kernel"), Grid(np.zeros((7, 7)), "Map", "a note")
    rows = [[few, "∗", few], [many] * 5]
    assert 1200 < drawn(rows, tmp_path / "many.png").shape[1] <= 5.8 * 220
    alone = drawn([[few]], tmp_path / "few.png")
    assert alone.shape[1] < 400  # a small one is not blown up
    smaller = drawn([[few]], tmp_path / "few.png", largest_cell=0.3)
    assert smaller.shape[1] < alone.shape[1]


def test_a_title_wider_than_its_grid_has_its_room(tmp_path):
    narrow = Grid(np.zeros((1, 1)), "Feature map after pooling", tint="none", numbers=False)
    image = drawn([[narrow]], tmp_path / "a.png")
    assert (image[:, -10:] == rgb(LIGHT.surface)).all()


def test_colours_say_sign_padding_and_what_is_left_out(tmp_path):
    values = np.array([[1.0, -1.0], [0.0, 0.0]])

    def cells(**look):
        path = tmp_path / "a.png"
        image = drawn([[Grid(values, numbers=False, **look)]], path)
        h, w = np.array(image.shape[:2]) // 4
        return image[h, w], image[h, 3 * w], image[3 * h, w], image

    plus, minus, zero, _ = cells(tint="sign")
    assert plus[2] - plus[0] > 40
    assert minus[0] - minus[2] > 40
    assert (zero == rgb(LIGHT.surface)).all()
    plus, minus, *_ = cells(tint="grey")
    assert (plus == minus).all()
    assert np.ptp(plus) < 10
    plus, _, shaded, image = cells(tint="none", padding=values == 0)
    assert (plus == rgb(LIGHT.surface)).all()
    assert (shaded < rgb(LIGHT.surface)).all()
    hatched = cells(tint="none", left_out=values == 0)[-1]
    half = len(image) // 2
    warm = hatched[..., 0] - hatched[..., 2] > 40
    assert warm[half:].sum() > 200
    assert warm[:half].sum() < 0.1 * warm[half:].sum()


def test_factors_are_written_into_their_cells(tmp_path):
    def blue(factors):
        windows = [Window(0, 0, 2, 2, factors=factors)]
        grid = Grid(np.ones((2, 2)), windows=windows)
        return count(drawn([[grid]], tmp_path / "a.png"), LIGHT.blue)

    assert blue(np.ones((2, 2))) > blue(None) + 100


def test_numbers_are_short():
    numbers = (4.0, -0.5, 5 / 3, -0.0, 0.001, 999.996, -12345.6, np.float32(0.1), np.inf, np.nan)
    assert [number_text(x) for x in numbers] == [
        "4", "−0.5", "1.67", "0", "1e−03", "1000", "−1.23e+04", "0.1", "∞", "NaN",
    ]  # fmt: skip
    assert rows_text(np.array([[4, 3], [2, 0.5]])) == "4 3; 2 0.5"


def test_only_grids_are_drawn(tmp_path):
    with pytest.raises(ValueError, match=r"expected shape \[h, w\], got \(3,\)"):
        drawn([[Grid(np.zeros(3))]], tmp_path / "a.png")
