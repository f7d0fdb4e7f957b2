import io

import pytest
from rich.console import Console

from dl_jax.report import print_results


def render(function, *args, terminal=False, width=80, encoding=None, **kwargs):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding or "utf-8")
    console = Console(file=stream, width=width, force_terminal=terminal, _environ={})
    function(*args, console=console, **kwargs)
    stream.flush()
    return stream.buffer.getvalue().decode()  # type: ignore[attr-defined]


@pytest.fixture
def results(make_result):
    figure = make_result()["figures"][0]
    long = figure | {"name": "validation loss at epoch 20 over its minimum", "expected": None}
    data = make_result()["data"] | {"embedded": True, "reason": "no [red]network"}
    return [
        make_result(figures=[figure, figure | {"bound": None, "verdict": None}]),
        make_result(
            experiment="fashion_mnist_mlp",
            verdict="not comparable",
            figures=[long | {"verdict": "not comparable"}],
            data=data,
            times={"data": 1.5, "training": None},
        ),
    ]


def test_results_fit_80_columns(results):
    lines = render(print_results, results).splitlines()
    assert max(map(len, lines)) <= 80
    rows = [" ".join(line.split()) for line in lines]
    assert "mnist_cnn met 183.5 s" in rows
    assert "test accuracy 0.9914 0.9911 >= 0.9890 met" in rows
    assert "test accuracy 0.9914 0.9911 - -" in rows
    assert "fashion_mnist_mlp not comparable 1.5 s" in rows
    assert "…" not in "".join(lines)  # nothing is cut off


def test_a_note_says_why_data_are_embedded(results):
    text = render(print_results, results)
    assert "fashion_mnist_mlp: embedded data, not comparable: no [red]network" in text
    assert "mnist_cnn: embedded" not in text


def test_colour_only_on_a_terminal(results):
    assert "\x1b[" not in render(print_results, results)
    assert "\x1b[" in render(print_results, results, terminal=True)


def test_a_terminal_that_knows_only_ascii(results):
    assert render(print_results, results, encoding="ascii").isascii()


def test_results_go_to_standard_output(results, capsys):
    print_results(results)
    assert "fashion_mnist_mlp" in capsys.readouterr().out
