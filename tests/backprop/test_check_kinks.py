"""What `check` says where there is no derivative, or differences leave the domain."""

import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import backprop
from dl_jax.backprop import check


def test_kinks():
    at_zero = np.array([0, 1, -2, 3.0])
    taken = check(backprop.relu_fwd, backprop.relu_bwd, at_zero)
    assert taken.passed
    assert "a kink, as of ReLU at 0: taken as automatic differentiation does" in str(taken).replace(
        "\n  ", " "
    )
    beyond = check(
        lambda z: (jnp.where(z > 0, z, 0), z),
        lambda z, d: (d * jnp.where(z == 0, -1, z > 0),),
        at_zero,
    )
    assert not beyond.passed
    assert "1 of the directions tried" in str(beyond.leaves[0].diagnosis)
    assert "right elsewhere" in str(beyond.leaves[0].diagnosis)
    all_kinks = check(lambda z: (abs(z), z), lambda z, d: (d,), np.zeros(2)).leaves[0]
    assert all_kinks.differences is None


def test_where_no_difference_can_be_taken():
    leaf = check(lambda x: (jnp.sqrt(x - 1), x), lambda x, d: (d / 2 / jnp.sqrt(x - 1),),
                 np.array([1 + 1e-12])).leaves[0]  # fmt: skip
    assert leaf.passed
    assert leaf.differences is None
    assert str(leaf.diagnosis).startswith("differences step out of where forward is defined")


def test_where_some_differences_leave_the_domain():
    # A probability of 0, as the lecture's cross-entropy takes it.
    y = np.array([0.0, 1e-3, 0.5])
    right, wrong = (
        check(lambda y: (-jnp.log(y + 1e-7), (y,)), lambda r, d, s=s: (s * d / (r[0] + 1e-7),), y)
        .leaves[0] for s in (-1, 1)
    )  # fmt: skip
    assert right.passed
    assert "along 1 of 3 directions; move the inputs" in str(right.diagnosis)
    assert not wrong.passed
    assert wrong.diagnosis == "the sign is wrong: -1 times what it should be"


RELU, ABS = (lambda x: (jnp.maximum(x, 0), x)), (lambda x: (abs(x), x))


@pytest.mark.parametrize("size", [3, 100])
@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        (RELU, lambda x, d: (jnp.where(x > 0, d, 0),)),
        (RELU, lambda x, d: (jnp.where(x >= 0, d, 0),)),
        (ABS, lambda x, d: (jnp.sign(x) * d,)),
        (ABS, lambda x, d: (jnp.where(x > 0, d, -d),)),
    ],
)
def test_either_slope_at_a_kink_is_right(forward, backward, size):
    # Automatic differentiation takes 1/2 of jnp.maximum, and 1 of abs; the lecture takes 0.
    x = np.resize([0, 1, -1.5], size)
    report = check(forward, backward, x)
    assert report.passed
    assert "between the slopes on both sides" in str(report.leaves[0].diagnosis)


def test_another_mistake_beside_a_kink_is_wrong():
    x = np.array([0, 1, -1.5])
    assert not check(RELU, lambda x, d: (jnp.where(x > 0, 1.1 * d, 0),), x).passed
    assert not check(
        RELU, lambda x, d: (jnp.where(x > 0, d, jnp.where(x < 0, 0, 2 * d)),), x
    ).passed
