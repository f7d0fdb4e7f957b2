"""The lecture's images, kernels and windows: what the slides say, and what is refused."""

import json
import re

import numpy as np
import pytest

from dl_jax import report
from dl_jax.report import Grid, Window
from experiments import convolution_kernel, flatten_or_convolve, pooling, stride_and_padding
from experiments.options import main
from tests.report.conftest import png

EXPERIMENTS = {
    "convolution_kernel": convolution_kernel,
    "stride_and_padding": stride_and_padding,
    "pooling": pooling,
    "flatten_or_convolve": flatten_or_convolve,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def drawn(folder, monkeypatch):
    """The grids of each picture by its name, in rows; nothing is really drawn."""
    grids = {}

    def plot_grids(rows, path, *, alt, caption, **_):
        grids[path.stem] = [[item for item in row if isinstance(item, Grid)] for row in rows]
        picture = report.Picture(path, alt, caption)
        for target in (picture.path, picture.dark_path):
            target.write_bytes(png(2, 2))
        return picture

    monkeypatch.setattr(report, "plot_grids", plot_grids)
    return grids


def result_of(name, folder):
    return json.loads((folder / "runs" / f"{name}-1" / "result.json").read_text())


def figure(result, words):
    """The value of the only figure that has these words in its name."""
    (value,) = [f["value"] for f in result["figures"] if words in f["name"]]
    return value


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_slides_are_met(name, folder):
    experiment = EXPERIMENTS[name]
    record = experiment.run(experiment.Config())
    result = result_of(name, folder)
    assert result["verdict"] == "met"
    assert {f["verdict"] for f in result["figures"]} <= {"met", None}
    assert "Not the lecture's settings" not in result["description"]
    for picture in record.pictures:
        assert picture.path.read_bytes().startswith(b"\x89PNG")
        assert picture.dark_path.exists()
        assert picture.alt.endswith(".")
        assert re.search(r"\d", picture.caption)


def test_a_kernel_of_ones_counts_the_pixels_and_looks_the_same_turned(folder, drawn):
    record = convolution_kernel.run(convolution_kernel.Config((1.0,) * 9, bias=-2))
    result = result_of("convolution_kernel", folder)
    assert "+ 0·1 + 0·1 + 1·1 + (−2) = 4." in record.pictures[0].caption  # of nine, six are ones
    counts = np.array([[6, 7, 6], [4, 7, 7], [4, 6, 6]])
    slide = [[4, 3, 4], [2, 4, 3], [2, 3, 4]]
    assert figure(result, "from the slide") == np.abs(counts - 2 - slide).max()
    assert figure(result, "turned") == 0
    ((image, kernel, features),) = drawn["first"]
    assert image.windows[0].factors.tolist() == kernel.values.tolist() == [[1.0] * 3] * 3
    assert features.values.tolist() == (counts - 2).tolist()
    last = drawn["positions"][2][2]
    assert (last.title, last.windows) == ("= 4", [Window(2, 2, 3, 3)])
    assert result["verdict"] == "not comparable"


def test_a_lopsided_kernel_tells_convolution_from_cross_correlation(folder, drawn):
    only_first = (1.0, *[0.0] * 8)
    record = convolution_kernel.run(convolution_kernel.Config(only_first))
    turned = next(picture for picture in record.pictures if picture.path.stem == "turned")
    # The kernel's only one meets the pixel at the window's top left; turned, at the bottom right.
    assert "as it is, 1 1 1; 0 1 1; 0 0 1, and turned by 180°, 1 1 1; 1 1 0; 1 0 0." in turned.alt
    assert "does not matter which" in turned.caption
    assert figure(result_of("convolution_kernel", folder), "turned") == 1
    ((by_kernel, by_image),) = drawn["gradients"]
    assert by_kernel.values[0, 0] == 6  # the pixels at all tops left
    assert by_image.values.tolist() == [[1, 1, 1, 0, 0]] * 3 + [[0] * 5] * 2


def test_padding_to_6x6_leaves_a_row_and_a_column_over_at_stride_2(folder, drawn):
    record = stride_and_padding.run(stride_and_padding.Config())
    padding, by_one, by_two = (picture.caption for picture in record.pictures)
    assert "11 more pixels make 6x6 of 5x5" in padding
    assert "(6 − 3) / 1 + 1 = 4 positions a side, and an output of 4x4" in by_one
    assert "(6 − 3) / 2 + 1 = 2.5 positions a side" in by_two
    assert "only 2x2 positions are left; no window reaches the 11 hatched pixels" in by_two
    ((first, second), _) = drawn["stride-2"]
    assert (first.windows, second.windows) == ([Window(0, 0, 3, 3)], [Window(0, 2, 3, 3)])
    assert first.padding.tolist() == first.left_out.tolist()  # the last row and column
    sides, alexnet = (table["rows"] for table in result_of("stride_and_padding", folder)["tables"])
    assert ["0 before, 1 after", "6 × 6", 2, "2.5", "2 × 2"] in sides
    assert ["1 before, 1 after", "7 × 7", 1, 5, "5 × 5"] in sides  # as large as the image
    assert alexnet == [
        ["Convolution", 227, 11, 4, 55, 55, 55],
        ["Max pooling", 55, 3, 2, 27, 27, 27],
        ["Convolution of 224 pixels", 224, 11, 4, "54.25", 54, 54],
    ]


def test_a_stride_longer_than_the_kernel_jumps_over_pixels(folder, drawn):
    config = stride_and_padding.Config(kernel_size=1, padding=(0, 0), strides=(2, 4))
    by_two, by_four = stride_and_padding.run(config).pictures[1:]
    assert "(5 − 1) / 2 + 1 = 3 positions a side" in by_two.caption
    assert by_two.caption.endswith("jumps over the 16 hatched pixels.")  # 9 of 25 are seen
    assert by_four.caption.endswith("jumps over the 21 hatched pixels.")  # the corners are


def test_each_maximum_has_one_pixel_and_each_mean_nine(folder, drawn):
    maps, windows, gradients = pooling.run(pooling.Config()).pictures
    assert "after max pooling, 3 3 3; 3 3 3; 3 2 3" in maps.alt
    assert "largest number is 3, its mean is 1.67." in maps.caption  # 15 / 9
    # Two windows begin with a 3 in row 1, and the first of their threes counts.
    assert "The 3 in row 2, column 4 is the largest of 3 of the 9 windows" in windows.caption
    assert "of max pooling, 1 1 0 0 0; 0 0 0 3 0; 2 0 1 0 1; 0 0 0 0 0; 0 0" in gradients.alt
    assert "of average pooling, 0.11 0.22 0.33 0.22 0.11; 0.22 0.44 0.67" in gradients.alt
    assert "6 of 25 get any" in gradients.caption
    assert "Both add up to 9" in gradients.caption
    ((_, maxima, means),) = drawn["maps"]
    assert (maxima.values[2, 1], means.values[1, 0]) == (2, 1)  # 9 / 9
    window, largest = drawn["windows"][0][2].windows
    assert (window, largest) == (Window(0, 2, 3, 3), Window(1, 3, colour="red"))


def test_other_windows_have_other_maps_and_nothing_to_compare_with(folder, drawn):
    maps, *_ = pooling.run(pooling.Config(window=2, stride=2)).pictures
    assert "after max pooling, 3 3; 3 2; after average pooling, 1.5 1.75; 1.5 1.5." in maps.alt
    result = result_of("pooling", folder)
    assert not [f for f in result["figures"] if "slide" in f["name"]]
    assert result["verdict"] == "not comparable"


def test_the_map_moves_with_the_pattern_and_the_vector_changes(folder, drawn):
    record = flatten_or_convolve.run(flatten_or_convolve.Config())
    vectors, maps, outcomes = record.pictures
    assert "Flattened: 6 of the 9 numbers change" in vectors.caption
    assert "of the image, 1 2 0 0; 3 5 2 0; 0 3 4 0; 0 0 0 0" in maps.alt
    assert "of the moved image, 0 1 2 0; 0 3 5 2; 0 0 3 4; 0 0 0 0" in maps.alt
    assert "the convolutional one on 100%" in outcomes.caption
    frames = drawn["convolved"][0][2].windows + drawn["convolved"][1][2].windows
    assert frames == [Window(0, 0, 3, 3), Window(0, 1, 3, 3)]
    ((_, before, _, after),) = drawn["flattened"]
    assert before.values.ravel().tolist() == [1, 2, 0, 3, 4, 0, 0, 0, 0]
    assert [window.row for window in after.windows] == [0, 1, 2, 3, 4, 5]
    ((_, convolutional),) = drawn["outcomes"]
    assert (convolutional.values == 2).all()
    assert convolutional.padding.sum() == 25  # positions that were trained on
    (table,) = result_of("flatten_or_convolve", folder)["tables"]
    assert table["rows"][0][1:] == [5, (9 + 1) * 16]
    assert table["rows"][2][1] == 34_944  # slide "# of Parameters in Convolutional Layer"
    assert table["rows"][3][1:] == [4 * 16 + 16 + 16, 64 * 16 + 16 + 16]


def test_a_pattern_that_stays_changes_nothing(folder, drawn):
    flatten_or_convolve.run(flatten_or_convolve.Config(right=0))
    result = result_of("flatten_or_convolve", folder)
    assert figure(result, "that change") == 0
    assert figure(result, "the reverse") == 0


REFUSED = [
    ("convolution_kernel", "--kernel 1 0 1", "expected nine numbers, row by row.* got 3, 1"),
    ("convolution_kernel", "--bias nan", "each from -100 to 100, got 9, .* and nan"),
    ("stride_and_padding", "--padding 0 3", r"padding: expected numbers from 0 to 2, got \(0, 3"),
    ("stride_and_padding", "--kernel-size 7", "from 1 to 6, the side of the padded image, got 7"),
    ("stride_and_padding", "--strides 1 0", r"strides: .*from 1 to 6, .*got \(1, 0\)"),
    ("pooling", "--window 6", "window: expected from 1 to 5, the side of the image, got 6"),
    ("pooling", "--stride 0", "stride: expected from 1 to 5, the side of the image, got 0"),
    ("flatten_or_convolve", "--right 2", "0 or 1, so that the pattern stays .* got 2 and 0"),
    ("flatten_or_convolve", "--kernel 1 0 0 inf", "kernel: expected numbers from -100 to 100"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), REFUSED)
def test_bad_input_ends_with_one_message_and_no_folder(
    name, arguments, message, folder, monkeypatch, capsys
):
    monkeypatch.setattr("sys.argv", [name, *arguments.split()])
    with pytest.raises(SystemExit) as stopped:
        main(name, EXPERIMENTS[name].Config, EXPERIMENTS[name].run)
    assert stopped.value.code == 2
    assert re.search(f"error: .*{message}", capsys.readouterr().err)
    assert not (folder / "runs").exists()
