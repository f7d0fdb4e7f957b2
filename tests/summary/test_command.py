"""`dl-jax summary`: the lecture's table in the console, and what it refuses."""

import re

import pytest

from dl_jax.cli import main


def lines_of(capsys) -> list[list[str]]:
    return [re.split(r"  +", line.strip()) for line in capsys.readouterr().out.splitlines()]


def test_the_lectures_table_of_alexnet(capsys):
    assert main(["summary", "alexnet", "--image-size", "227"]) == 0
    lines = lines_of(capsys)
    assert lines[0] == ["alexnet: one example of float32 (227, 227, 3)"]
    assert lines[2] == ["Layer (type)", "Kernel", "Stride", "Padding", "Output shape", "Parameters",
                        "FLOPs", "Receptive field"]  # fmt: skip
    numbers = ["11x11", "4", "0", "(55, 55, 96)", "34,944", "210,830,400", "11"]
    assert lines[4] == ["conv1 (Conv)", *numbers]
    assert ["pool1 (MaxPool)", "3x3", "2", "0", "(27, 27, 96)", "0", "0", "19"] in lines
    assert ["fc8 (Dense)", "(1000)", "4,097,000", "8,192,000", "355"] in lines
    assert lines[-1] == ["Total", "60,965,224", "1,452,629,824"]


def test_a_model_without_an_image_has_no_receptive_fields(capsys):
    assert main(["summary", "perceptron"]) == 0
    assert ["Dense_0 (Dense)", "(1)", "3", "4"] in lines_of(capsys)


def test_another_image_and_another_number_of_classes(capsys):
    assert main(["summary", "lenet5", "--image-size", "40", "--num-classes", "7"]) == 0
    lines = lines_of(capsys)
    assert ["c1 (Conv)", "5x5", "1", "0", "(36, 36, 6)", "156", "388,800", "5"] in lines
    assert lines[-3][:2] == ["output (Dense)", "(7)"]


def test_heads_that_run_in_training_alone_are_marked(capsys):
    assert main(["summary", "googlenet", "--image-size", "96"]) == 0
    lines = lines_of(capsys)
    marked = [line[0] for line in lines if line[0].endswith(" *")]
    assert len(marked) == 12
    assert all(name.startswith("aux") for name in marked)
    assert lines[-1] == ["* runs in training alone; its FLOPs are not in the total"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["resnet"], "unknown model 'resnet'; the models are alexnet, alexnet_2014"),
        (["imdb_bow", "--image-size", "32"], "imdb_bow takes no images; those that do: fashion"),
        (["alexnet", "--image-size", "0"], "--image-size: expected at least 1, got 0"),
        (["alexnet", "--image-size", "60"], "of at least 67x67, got 60x60); its own is 227"),
        (["googlenet", "--image-size", "32"], "googlenet does not take images of that size ("),
        (["imdb_bow", "--num-classes", "3"], "the outputs of imdb_bow are not a field"),
        (["lenet5", "--num-classes", "0"], "--num-classes: expected at least 1, got 0"),
    ],
)
def test_what_there_is_not_is_refused(capsys, arguments, said):
    assert main(["summary", *arguments]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_a_page_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("mine")
    for page, said in (("file", "expected a folder, got a file"), ("file/in", "cannot make")):
        assert main(["summary", "perceptron", "--page", str(tmp_path / page)]) == 2
        printed = capsys.readouterr()
        assert said in printed.err
        assert printed.out == ""
    assert (tmp_path / "file").read_text() == "mine"


def test_the_page_has_the_picture_the_table_and_the_formulas(capsys, tmp_path):
    folder = tmp_path / "page"
    assert main(["summary", "mnist_cnn", "--num-classes", "5", "--page", str(folder)]) == 0
    assert f"Page: {folder / 'index.html'}" in capsys.readouterr().err
    page = (folder / "index.html").read_text()
    for text in (
        "dl-jax summary mnist_cnn --num-classes 5",
        ">(28 − 3 + 2·0)/1 + 1 = 26</td>",
        ">3·3·1·32 + 32 = 320</td>",
        "2·3·3·1·26·26·32 = 389,376",
        "(26, 26, 32)",
        "Conv_0 26×26×32, MaxPool_0 13×13×32",
    ):
        assert text in page
    assert page.count("<img ") == 1
    assert "training alone" not in page
    # A page that is there already is not lost.
    assert main(["summary", "perceptron", "--page", str(folder)]) == 0
    assert (tmp_path / "page-2" / "index.html").is_file()
