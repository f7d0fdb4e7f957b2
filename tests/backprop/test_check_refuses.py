"""What `check` refuses, and what it says then."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import backprop
from dl_jax.backprop import check

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(2, 3))
X, W, B = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 2)), RNG.normal(size=2)
DENSE = backprop.dense_fwd


def square(x):
    return x**2, x


def nan_backward(x, d):
    return ((2 * x * d).at[0, 0].set(jnp.nan),)


ERRORS = {
    "no floating input": (
        (square, lambda x, d: (d,), np.arange(3)), ValueError,
        r"expected an example input with floating values.*int64 of shape \(3,\); give floats",
    ),
    "an empty input": (
        (DENSE, backprop.dense_bwd, np.zeros((0, 3)), W, B), ValueError,
        r"inputs\[0\] is empty, of shape \(0, 3\): there is no gradient to check; give an example",
    ),
    "integers": (
        (square, lambda x, d: (d,), 2), ValueError, r"of type int; give floats such as 2\.0",
    ),
    "an empty output": (
        (lambda x: (x[:0], x), lambda x, d: (0 * x,), Z), ValueError, "forward's output is empty",
    ),
    "another output each time": (
        (lambda x: (x * RNG.normal(), x), lambda x, d: (d,), Z), ValueError,
        "forward returned another output when it was called again.*what is random takes a key",
    ),
    "NumPy": (
        (lambda x: (np.square(np.asarray(x)), x), lambda x, d: (2 * x * d,), Z), TypeError,
        "forward uses NumPy on its inputs; automatic differentiation needs jax.numpy",
    ),
    "complex output": (
        (lambda x: (1j * x, x), lambda x, d: ((1j * d).real,), Z), ValueError,
        "output to have floating values; it is complex128",
    ),
    "no input": ((lambda: (1.0, ()), lambda r, d: ()), ValueError, "the inputs are none at all"),
    "complex": ((square, lambda x, d: (d,), Z + 1j), ValueError, r"inputs\[0\] is complex"),
    "no pair": (
        (lambda x: x, lambda x, d: (d,), Z), TypeError,
        r"expected forward to return \(output, residuals\); it returned float64 of shape \(2, 3\)",
    ),
    "no floating output": (
        (lambda x: (x.argmax(), ()), lambda x, d: (d,), Z), ValueError,
        "expected forward's output to have floating values",
    ),
    "output in float32": (
        (lambda x: (x.astype("float32"), x), lambda x, d: (d,), Z), TypeError,
        "expected forward's output in float64.*it is float32",
    ),
    "no tuple": (
        (square, lambda x, d: 2 * x * d, Z), TypeError,
        r"expected backward to return a tuple.*return \(d_x,\).*returned float64 of shape \(2, 3\)",
    ),
    "a list": ((square, lambda x, d: [2 * x * d], Z), TypeError, "it returned a list of 1"),
    "too few": (
        (DENSE, lambda r, d: (d @ r[1].T, r[0].T @ d), X, W, B), ValueError,
        "expected backward to return 3 gradients, one an input of forward; it returned 2",
    ),
    "another tree": (
        (lambda p: (p["a"], ()), lambda r, d: ({"b": d},), {"a": Z}), ValueError,
        r"the gradient of inputs\[0\] is a dict of 1, unknown: \['b'\], missing: \['a'\]; expected "
        "the tree of the input, a dict of 1, with None",
    ),
    "a key deep in a tree": (
        (lambda p: (p["a"] + p["l"][1]["c"], ()), lambda r, d: ({"a": d, "l": [None, {}]},),
         {"a": Z, "l": [Z, {"c": Z}]}), ValueError,
        r"the gradient of inputs\[0\] is a dict of 2, missing: \['l'\]\[1\]\['c'\]; expected",
    ),
    "an array for a tree": (
        (lambda p: (p["a"], ()), lambda r, d: (d,), {"a": Z}), ValueError,
        r"\[0\] is float64 of shape \(2, 3\); expected the tree of the input, a dict of 1",
    ),
    "a leaf for a tree": (
        (lambda p: (p["a"] + p["b"], ()), lambda r, d: (d,), {"a": Z, "b": Z}), ValueError,
        r"the gradient of inputs\[0\] is .*the tree of the input",
    ),
    "transposed shape": (
        (square, lambda x, d: ((2 * x * d).T,), Z), ValueError,
        r"the gradient of inputs\[0\] has shape \(3, 2\), expected \(2, 3\).*it is transposed",
    ),
    "permuted shape": (
        (square, lambda x, d: ((2 * x * d).transpose(0, 2, 1),), Z[None]), ValueError,
        r"has shape \(1, 3, 2\), expected \(1, 2, 3\).*its axes are permuted",
    ),
    "sum missing": (
        (DENSE, lambda r, d: (d @ r[1].T, r[0].T @ d, d), X, W, B), ValueError,
        r"inputs\[2\] has shape \(4, 2\), expected \(2,\).*a sum over its axis 0 is missing",
    ),
    "sum without keepdims": (
        (lambda x, b: (x + b, ()), lambda r, d: (d, d), Z, Z[:1]), ValueError,
        r"has shape \(2, 3\), expected \(1, 3\).*a sum over axes \[0\] is missing, with keepdims",
    ),
    "summed away": (
        (square, lambda x, d: ((2 * x * d).sum(0),), Z), ValueError,
        r"has shape \(3,\), expected \(2, 3\).*axis 0 of \(2, 3\) is summed away or not kept",
    ),
    "to be reshaped": (
        (square, lambda x, d: ((2 * x * d).reshape(-1),), Z), ValueError,
        r"has shape \(6,\), expected \(2, 3\).*it has to be reshaped",
    ),
    "float32 gradient": (
        (square, lambda x, d: ((2 * x * d).astype("float32"),), Z), TypeError,
        r"the gradient of inputs\[0\] is float32 of shape \(2, 3\), expected float64",
    ),
    "integer gradient": (
        (square, lambda x, d: (jnp.zeros(x.shape, int),), Z), TypeError, "is int64 of shape",
    ),
    "None for a derivative": (
        (DENSE, lambda r, d: (d @ r[1].T, None, d.sum(0)), X, W, B), ValueError,
        r"returned None for inputs\[1\], which has a derivative that is not zero",
    ),
    "a gradient by integers": (
        (lambda x, i: (x[i], (x, i)), lambda r, d: (d, d), Z, np.arange(2)), TypeError,
        r"expected None for an input that is int64 of shape \(2,\)",
    ),
    "NaN forward": (
        (lambda x: (jnp.log(x), x), lambda x, d: (d / x,), np.array([1, -1.0])), ValueError,
        "forward made NaN or infinity: 1 of 2 entries of its output",
    ),
    "NaN backward": (
        (square, nan_backward, Z), ValueError,
        r"backward made NaN or infinity: 1 of 6 entries of the gradient of inputs\[0\]",
    ),
    "no derivative": (
        (lambda x: (jnp.sqrt(x), x), lambda x, d: (d / 2 / jnp.sqrt(x),), np.zeros(2)), ValueError,
        r"automatic differentiation of forward gives NaN or infinity for inputs\[0\]",
    ),
    "d_output forgotten": (
        (square, lambda x, d: (2 * x,), Z), ValueError,
        r"not linear in d_output: backward\(0\) is not 0; d_output is forgotten.*it is right for "
        "d_output = 1: multiply by d_output",
    ),
    "a term without d_output": (
        (square, lambda x, d: (2 * x * d + 1,), Z), ValueError, r"backward\(0\) is not 0; d_output",
    ),
    "squared": (
        (square, lambda x, d: (2 * x * d**2,), Z), ValueError,
        r"backward\(2 d\) is not 2 backward\(d\)",
    ),
    "its absolute value": (
        (square, lambda x, d: (2 * x * abs(d),), Z), ValueError,
        r"backward\(-d\) is not -backward\(d\): an absolute value\?",
    ),
    "its absolute value, of one number": (
        (square, lambda x, d: (2 * x * abs(d),), 0.7), ValueError, r"is not -backward\(d\)",
    ),
    "an odd function of it": (
        (square, lambda x, d: (2 * x * jnp.sign(d) * (d**2).sum() ** 0.5,), Z), ValueError,
        r"backward\(d \+ e\) is not backward\(d\) \+ backward\(e\)",
    ),
    "clipped": (
        (square, lambda x, d: (jnp.clip(2 * x * d, -50, 50),), Z), ValueError,
        r"backward\(1000 d\) is not 1000 backward\(d\).*isn't clipped",
    ),
    "small ones left out": (
        (square, lambda x, d: (jnp.where(abs(d) > 2e-3, 2 * x * d, 0),), Z), ValueError,
        r"backward\(0.001 d\) is not 0.001 backward\(d\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_what_is_refused(name):
    arguments, error, message = ERRORS[name]
    with pytest.raises(error, match=message):
        check(*arguments)


SINGLE = jnp.zeros(3)
DTYPES = {
    "forward": (lambda x: (jax.lax.add(x, SINGLE), ()), lambda _, d: (d,)),
    "backward": (lambda x: (x, ()), lambda _, d: (jax.lax.add(d, SINGLE),)),
    "a state": (
        lambda x: (jax.lax.scan(lambda s, v: (s + v, s), jnp.float32(0), x)[0], ()),
        lambda _, d: (jnp.full(3, d),),
    ),
}


@pytest.mark.parametrize("name", DTYPES)
def test_two_precisions_say_which_is_wanted(name):
    with pytest.raises(TypeError) as caught:
        check(*DTYPES[name], Z[0])
    assert "check calls in float64" in caught.value.__notes__[-1]
    assert "write jnp.zeros(..., x.dtype)" in caught.value.__notes__[-1]


def test_another_type_error_stays_as_it_is():
    with pytest.raises(TypeError) as caught:
        check(lambda x: x["a"], lambda _, d: (d,), 1.0)
    assert not any("float64" in note for note in getattr(caught.value, "__notes__", ()))
