"""FLOPs and bytes against the lecture's formulas by hand, and XLA's count beside them."""

import jax
import jax.numpy as jnp
import pytest

from dl_jax.bench.cost import Work, bytes_of, cost_of, flops_of, xla_cost
from dl_jax.bench.memory import peak_memory
from dl_jax.bench.workloads import ADAM, RMSPROP
from dl_jax.models import create

IMAGE = jax.ShapeDtypeStruct((28, 28, 1), jnp.float32)


def test_the_flops_of_a_training_step_of_the_lectures_cnn():
    cost = cost_of(create("mnist_cnn"), IMAGE, 28 * 28 + 4, ADAM, 4)
    first = 2 * 3 * 3 * 1 * 32 * 26 * 26
    second = 2 * 3 * 3 * 32 * 64 * 11 * 11
    dense = 2 * 1600 * 10
    assert cost.forward_flops == first + second + dense
    assert cost.example_flops == 2 * first + 3 * second + 3 * dense  # no gradient by the image
    assert cost.update_flops == 14 * 34_826
    work: Work = {"steps": 1, "examples": 128, "updates": 1, "evaluated": 0}
    assert flops_of(cost, work) == 128 * 14_256_384 + 14 * 34_826 == 1_825_304_716
    run: Work = {"steps": 2, "examples": 256, "updates": 2, "evaluated": 100}
    assert flops_of(cost, run) == 2 * 1_825_304_716 + 100 * 4_881_920


def test_the_bytes_of_a_training_step_of_the_lectures_cnn():
    cost = cost_of(create("mnist_cnn"), IMAGE, 28 * 28 + 4, ADAM, 4)
    outputs = 26 * 26 * 32 + 13 * 13 * 32 + 11 * 11 * 64 + 5 * 5 * 64 + 10
    assert cost.example_bytes == 788 + 2 * 4 * outputs
    assert cost.update_bytes == 2 * 3 * 4 * 34_826  # parameters and two averages, read and written
    half = cost_of(create("mnist_cnn"), IMAGE, 28 * 28 + 4, ADAM, 2)
    assert half.example_bytes - 788 == outputs * 4
    work: Work = {"steps": 2, "examples": 100, "updates": 2, "evaluated": 50}
    moved = 100 * cost.example_bytes + 2 * cost.update_bytes + 50 * 788
    assert bytes_of(cost, work) == moved


def test_the_words_of_a_review_are_what_counts():
    words = jax.ShapeDtypeStruct((131,), jnp.int32)
    cost = cost_of(create("imdb_bow"), words, 131 * 2 + 4, RMSPROP, 4)
    assert cost.forward_flops == 131 * 16 + 2 * 16 * 16 + 2 * 16
    assert cost.example_flops == 2 * 131 * 16 + 3 * (2 * 16 * 16 + 2 * 16)
    assert cost.update_flops == 9 * 160_305
    assert cost.update_bytes == 2 * 2 * 4 * 160_305


class Compiled:
    """A program that says what it is told to."""

    def __init__(self, cost=None, error=None):
        self.cost, self.error = cost, error

    def cost_analysis(self):
        if self.error:
            raise self.error
        return self.cost

    memory_analysis = cost_analysis


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        ({"flops": 10.0, "bytes accessed": 20.0}, (10.0, 20.0)),
        ([{"flops": 10.0, "bytes accessed": 20.0}], (10.0, 20.0)),
        ({"flops": -1.0, "bytes accessed": 20.0}, (None, 20.0)),
        ({}, (None, None)),
        (None, (None, None)),
    ],
)
def test_what_xla_does_not_know_is_null(cost, expected):
    found = xla_cost(Compiled(cost))  # pyright: ignore[reportArgumentType]
    assert (found["flops"], found["bytes"]) == expected


def test_a_backend_without_analysis_has_none():
    silent = Compiled(error=jax.errors.JaxRuntimeError("UNIMPLEMENTED"))
    assert xla_cost(silent) == {"flops": None, "bytes": None}  # pyright: ignore[reportArgumentType]
    assert peak_memory(None, None, silent) is None  # pyright: ignore[reportArgumentType]


def test_xla_counts_a_product_as_we_do():
    a = jnp.ones((64, 64))
    assert xla_cost(jax.jit(jnp.matmul).lower(a, a).compile())["flops"] == 2 * 64**3


def test_peak_memory_is_the_devices_where_it_rose_and_the_programs_elsewhere():
    program = jax.jit(lambda x: x + 1).lower(jnp.ones(1000)).compile()
    assert peak_memory(100, 900, program) == {"bytes": 900, "source": "device"}
    assert peak_memory(900, 900, program) == {"bytes": 8000, "source": "program"}
    assert peak_memory(None, None, program) == {"bytes": 8000, "source": "program"}
    assert peak_memory(None, None, None) is None


def test_auxiliary_heads_cost_in_training_alone():
    image = jax.ShapeDtypeStruct((96, 96, 3), jnp.float32)
    with_heads, without = (
        cost_of(create("googlenet", auxiliary=auxiliary), image, 0, ADAM, 4)
        for auxiliary in (True, False)
    )
    assert with_heads.forward_flops == without.forward_flops
    assert with_heads.example_flops > without.example_flops
    assert with_heads.num_params > without.num_params


def test_what_layers_without_parameters_cost():
    image = jax.ShapeDtypeStruct((32, 32, 1), jnp.float32)
    cost = cost_of(create("lenet5"), image, 0, ADAM, 4)
    means = 4 * (14 * 14 * 6 + 5 * 5 * 16)  # of four values each, which have one gradient alone
    first, second = 2 * 25 * 28 * 28 * 6, 2 * 25 * 6 * 10 * 10 * 16
    dense = 2 * (400 * 120 + 120 * 84 + 84 * 10)
    assert cost.forward_flops == first + second + dense + means
    assert cost.example_flops == 2 * first + 3 * (second + dense) + 2 * means
