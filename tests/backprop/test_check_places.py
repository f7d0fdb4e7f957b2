"""What `check` says of entries that are right, but not there: moved, masked, summed."""

import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import backprop
from dl_jax.backprop import check

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(2, 3))
P = RNG.dirichlet(np.full(3, 5.0), 2)
X, W, B = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 2)), RNG.normal(size=2)
SQUARE, SIDE = RNG.normal(size=(3, 3)), RNG.normal(size=3)
IMAGE, KERNEL = RNG.normal(size=(1, 4, 4, 2)), RNG.normal(size=(2, 2, 2, 2))
DENSE = backprop.dense_fwd


def square(x):
    return x**2, x


def norm(x, gain):
    """A gain for each channel, of the kind in a normalisation."""
    return x * gain[None, :], (x, gain)


def product(a, b):
    return a * b, (a, b)


def conv_wrong(residuals, d_z):
    x, w = residuals
    right_x, d_w, d_b = backprop.conv_bwd(residuals, d_z)
    d_x, _, _ = backprop.conv_bwd((x, w[::-1, ::-1]), d_z)
    assert right_x.shape == d_x.shape
    return d_x, d_w.transpose(1, 0, 2, 3), d_b / 9


# name: (forward, backward, inputs, the diagnosis of each input; None where it is right)
PLACES = {
    "mask missing": (
        backprop.relu_fwd, lambda m, d: (d,), (Z,),
        ["the local derivative is missing: multiply by y with y = residuals"],
    ),
    "mask upside down": (
        backprop.relu_fwd, lambda m, d: (jnp.where(m, 0, d),), (Z,),
        ["right with the opposite of the mask residuals"],
    ),
    "mask of another": (
        square, lambda x, d: ((2 * x * d).at[0, 1:].set(0),), (Z,),
        ["right at 4 of 6 entries, zero at the others: right up to a mask"],
    ),
    "two entries wrong": (
        square, lambda x, d: ((2 * x * d).at[0, 1:].mul(jnp.asarray([3, 4.5])),), (Z,),
        ["right at 4 of 6 entries, wrong at (0, 1), (0, 2)"],
    ),
    "transposed": (
        DENSE, lambda r, d: (d @ r[1].T, d.T @ r[0], d.sum(0)), (X, SQUARE, SIDE),
        [None, "transposed", None],
    ),
    "transposed and negative": (
        DENSE, lambda r, d: (d @ r[1].T, -d.T @ r[0], d.sum(0)), (X, SQUARE, SIDE),
        [None, "transposed; and -1 times what it should be", None],
    ),
    "kernel not transposed": (
        DENSE, lambda r, d: (d @ r[1], r[0].T @ d, d.sum(0)), (X, SQUARE, SIDE),
        ["right with residuals[1] transposed", None, None],
    ),
    "bias summed over the wrong axis": (
        DENSE, lambda r, d: (d @ r[1].T, r[0].T @ d, d.sum(1)), (SQUARE, SQUARE, SIDE),
        [None, None, "summed over axis 1 of dE/d(output), where axis 0 is right"],
    ),
    "gain summed over the wrong axis": (
        norm, lambda r, d: (d * r[1][None], (d * r[0]).sum(1)), (SQUARE, SIDE),
        [None, "summed over axis 1 of dE/d(output) times inputs[0], where axis 0 is right"],
    ),
    "one example for all": (
        DENSE, lambda r, d: (d @ r[1].T, r[0][:1].T @ d[:1], d[-1]), (X, W, B),
        [
            None, "only the first entry along axis 0 of output counts: a sum is missing",
            "only the last entry along axis 0 of output counts: a sum is missing",
        ],
    ),
    "summed where no sum is": (
        square, lambda x, d: (jnp.broadcast_to((2 * x * d).sum(0, keepdims=True), x.shape),), (Z,),
        ["summed over axis 0 of the gradient, where no sum is"],
    ),
    "diagonal only": (
        backprop.softmax_fwd, lambda y, d: (y * (1 - y) * d,), (Z,),
        ["only the diagonal of the Jacobian: entries of output depend on others, too"],
    ),
    "exchanged": (
        product, lambda r, d: (r[0] * d, r[1] * d), (Z, P),
        ["it is the right gradient by inputs[1]", "it is the right gradient by inputs[0]"],
    ),
    "convolution": (
        backprop.conv_fwd, conv_wrong, (IMAGE, KERNEL, B),
        [
            "right with residuals[1] reversed along axes 0, 1", "with axes permuted (1, 0, 2, 3)",
            "1/9 times what it should be: a mean over axes 1, 2 of output (n = 9) for a sum, or ",
        ],
    ),
    "reversed": (
        square, lambda x, d: ((2 * x * d)[:, ::-1],), (Z,), ["reversed along axis 1"],
    ),
    "off by one": (
        square, lambda x, d: (jnp.roll(2 * x * d, 1, 1),), (Z,), ["off by one along axis 1"],
    ),
    "another entry comes in": (
        square, lambda x, d: (jnp.roll(2 * x * d, -1, 1).at[:, -1].set(d[:, 0]),), (Z,),
        ["off by one along axis 1 (shifted by -1)"],
    ),
    "columns first": (
        backprop.flatten_fwd, lambda x, d: (d.reshape(x.shape, order="F"),), (IMAGE,),
        ["reshaped from the shape of output in column-major order"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_misplaced_derivations_get_their_diagnosis(name):
    forward, backward, inputs, expected = PLACES[name]
    leaves = check(forward, backward, *inputs).leaves
    for leaf, diagnosis in zip(leaves, expected, strict=True):
        if diagnosis is None:
            assert leaf.passed, leaf
            assert leaf.diagnosis is None
        else:
            assert not leaf.passed
            assert diagnosis in leaf.diagnosis


def test_many_entries_move_in_groups():
    x = RNG.normal(size=(40, 30))
    report = check(square, lambda x, d: ((2 * x * d).at[7, 7].mul(1.01),), x)
    assert report.leaves[0].differences is not None
    assert report.leaves[0].differences > 1e-5
    assert report.leaves[0].diagnosis == "right at 1199 of 1200 entries, wrong at (7, 7)"


FEW = {
    "the slope of the leaky ReLU": (
        lambda x: (jnp.where(x > 0, x, 0.01 * x), (x,)), lambda r, d: (d * (r[0] > 0),),
        np.array([1.5, -2.0]), "right at 1 of 2 entries, zero at the others: right up to a mask",
    ),
    "another clip": (
        lambda x: (jnp.clip(x, -1, 1), (x,)), lambda r, d: (d * (r[0] > 0),),
        np.array([-0.5, 2.0]), "no simple explanation",
    ),
    "ReLU's mask": (
        backprop.relu_fwd, lambda m, d: (d,), np.array([1.5, -2.0]),
        "the local derivative is missing: multiply by y with y = residuals",
    ),
    "only positive inputs": (
        lambda x: (jnp.where(x > 1, jnp.log(x), jnp.sqrt(x)), (x,)),
        lambda r, d: (jnp.where(r[0] > 1, d / r[0], 0),), np.array([0.5, 2.0]),
        "right at 1 of 2 entries, zero at the others: right up to a mask",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FEW)
def test_a_few_zeros_are_no_proof(name):
    forward, backward, x, text = FEW[name]
    assert check(forward, backward, x).leaves[0].diagnosis == text
