"""An operation that XLA would spread badly is computed by each device for its own examples."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AbstractMesh, AxisType

from dl_jax.ops import bag_of_words, conv_general_dilated, conv_relu_max_pool, dot_general
from dl_jax.ops.sharding import by_device


def program(n: int, mesh: AbstractMesh | None, function=lambda x, w: x @ w) -> str:
    """What is traced for n examples; an abstract mesh needs no devices."""
    x, w = jnp.ones((n, 3)), jnp.ones((3, 2))
    with jax.sharding.use_abstract_mesh(mesh or AbstractMesh((), ())):
        return str(jax.make_jaxpr(lambda x, w: by_device(function, x, w))(x, w))


def mesh(name="data", kind=AxisType.Auto) -> AbstractMesh:
    return AbstractMesh((2,), (name,), axis_types=(kind,))


def test_each_device_has_its_part_of_the_examples_and_all_of_the_rest():
    parts = []
    program(6, mesh(), lambda x, w: parts.append((x.shape, w.shape)) or x @ w)
    assert parts == [((3, 3), (3, 2))]


@pytest.mark.parametrize(
    ("n", "where"),
    [(6, None), (5, mesh()), (6, mesh("model")), (6, mesh(kind=AxisType.Explicit))],
    ids=["no mesh", "they do not divide", "another axis", "explicit axes"],
)
def test_otherwise_it_is_the_call_alone(n, where):
    assert "shard_map" not in program(n, where)
    assert "shard_map" in program(6, mesh())


@pytest.mark.parametrize("operation", ["convolution", "tiles", "bag of words", "dense"])
def test_the_operations_of_which_each_device_computes_its_own_part(operation):
    images, kernel = jnp.ones((32, 6, 6, 2)), jnp.ones((3, 3, 2, 4))
    layout = ("NHWC", "HWIO", "NHWC")
    call = {
        "convolution": lambda: conv_general_dilated(
            images, kernel, (1, 1), "SAME", dimension_numbers=layout
        ),
        "tiles": lambda: conv_relu_max_pool(images, kernel, jnp.ones(4)),
        "dense": lambda: dot_general(
            jnp.ones((32, 2048)), jnp.ones((2048, 512)), (((1,), (0,)), ((), ()))
        ),
        "bag of words": lambda: bag_of_words(jnp.ones((32, 5), jnp.int32), jnp.ones((9, 4))),
    }[operation]
    with jax.sharding.use_abstract_mesh(mesh()):
        assert "shard_map" in str(jax.make_jaxpr(call)())
