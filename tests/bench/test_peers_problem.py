"""What every framework is given is what the lecture has."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax.bench import LECTURE
from dl_jax.bench.peers import problem
from dl_jax.bench.peers.problem import WORKLOADS, make_problem
from dl_jax.models import create, entry


@pytest.fixture(scope="module")
def problems() -> dict[str, problem.Problem]:
    return {name: make_problem(name, "synthetic", 1100) for name in WORKLOADS}


def test_the_same_problem_on_both_sides_of_a_file(problems, tmp_path):
    for name, few in problems.items():
        problem.save(few, tmp_path)
        read = problem.load(name, tmp_path)
        assert jax.tree.map(np.array_equal, read.params, few.params) == jax.tree.map(
            lambda _: True, few.params
        )
        np.testing.assert_array_equal(read.inputs, few.inputs)
        np.testing.assert_array_equal(read.targets, few.targets)


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_workloads_are_the_lectures(name):
    workload, lecture = WORKLOADS[name], LECTURE[name]
    assert (workload.size, workload.batch_size) == (lecture.num_train, lecture.batch_size)
    inputs = jnp.zeros((1, *lecture.inputs), entry(name).inputs.dtype)
    params = jax.eval_shape(create(name).init, jax.random.key(0), inputs)["params"]
    shapes = {layer: leaves["kernel"].shape for layer, leaves in params.items()}
    assert shapes == dict(workload.kernels)


def test_initial_kernels_are_keras_and_biases_are_0(problems):
    layer = problems["fashion_mlp"].params["Dense_0"]
    limit = np.sqrt(6 / (784 + 64))
    assert 0.999 * limit < np.abs(layer["kernel"]).max() <= limit
    assert layer["kernel"].std() == pytest.approx(limit / np.sqrt(3), rel=0.01)
    assert not layer["bias"].any()
    kernel = problems["mnist_cnn"].params["Conv_1"]["kernel"]
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * (32 + 64))), rel=0.01)


def test_synthetic_data_are_like_the_real_ones(problems):
    reviews = problems["imdb_bow"].inputs
    assert (reviews.dtype, reviews.shape[1]) == (np.uint16, LECTURE["imdb_bow"].inputs[0])
    assert 120 < (reviews > 0).sum(1).mean() < 140  # as those of the rest of the benchmark
    kind = problems["imdb_bow"].targets
    assert kind.mean() == pytest.approx(0.5, abs=0.01)
    for review in reviews[:20]:
        words = review[review > 0]
        assert all(a < b for a, b in pairwise(words.tolist()))
        assert not review[len(words) :].any()
    images = problems["mnist_cnn"].inputs
    assert (images.dtype, images.shape[1:]) == (np.uint8, (28, 28, 1))
    dense = problems["imdb_bow"].dense_inputs()
    assert dense.sum() == (reviews > 0).sum()
    assert dense[0, reviews[0, 0]] == 1
    assert not dense[:, 0].any()
