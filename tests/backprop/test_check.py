"""`check`: what it accepts, what it says of a wrong derivation, and what it refuses."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import backprop
from dl_jax.backprop import check

NONE = "no simple explanation"
RNG = np.random.default_rng(0)
Z, T = RNG.normal(size=(2, 3)), RNG.dirichlet(np.full(3, 5.0), 2)
P = RNG.dirichlet(np.full(3, 5.0), 2)
X, W, B = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 2)), RNG.normal(size=2)
SQUARE, SIDE = RNG.normal(size=(3, 3)), RNG.normal(size=3)
IMAGE, KERNEL = RNG.normal(size=(1, 4, 4, 2)), RNG.normal(size=(2, 2, 2, 2))
DISTINCT = RNG.permutation(32).reshape(1, 4, 4, 2) / 10.0
POOL = {"window": (2, 2), "strides": (2, 2)}

RIGHT = {
    "sigmoid": ({}, Z),
    "tanh": ({}, Z),
    "relu": ({}, Z),
    "softmax": ({}, Z),
    "identity": ({}, Z),
    "half_squared_error": ({}, Z, T),
    "mean_squared_error": ({}, Z, T),
    "binary_cross_entropy": ({}, P, T),
    "categorical_cross_entropy": ({}, P, T),
    "sigmoid_binary_cross_entropy": ({}, Z, T),
    "softmax_cross_entropy": ({}, Z, np.array([2, 0])),
    "dense": ({}, X, W, B),
    "flatten": ({}, IMAGE),
    "dropout": ({}, Z, jax.random.key(1)),
    "bag_of_words": ({}, np.array([[1, 3], [3, 0], [2, 1]]), X),
    "conv": ({}, IMAGE, KERNEL, B),
    "max_pool": (POOL, DISTINCT),
    "avg_pool": (POOL, IMAGE),
}


def test_every_rule_of_the_project_is_here():
    assert {f"{name}_fwd" for name in RIGHT} == {n for n in backprop.__all__ if n.endswith("_fwd")}


@pytest.mark.parametrize("name", RIGHT)
def test_right_derivations_pass_with_nothing_to_say(name):
    options, *inputs = RIGHT[name]
    forward_options = {"rate": 0.25} if name == "dropout" else options
    forward = partial(getattr(backprop, f"{name}_fwd"), **forward_options)
    report = check(forward, partial(getattr(backprop, f"{name}_bwd"), **options), *inputs)
    assert report.passed
    assert all(leaf.diagnosis is None for leaf in report.leaves)
    for leaf in report.leaves:
        assert leaf.autodiff < 1e-13
        assert leaf.differences is not None
        assert leaf.differences < 1e-8


def square(x):
    return x**2, x


def layer(x, w):
    """A dense layer with the sigmoid."""
    y = jax.nn.sigmoid(x @ w)
    return y, (x, w, y)


def norm(x, gain):
    """A gain for each channel, of the kind in a normalisation."""
    return x * gain[None, :], (x, gain)


def product(a, b):
    return a * b, (a, b)


def sum_of_squares(x):
    return (x**2).sum(), x


def conv_wrong(residuals, d_z):
    x, w = residuals
    right_x, d_w, d_b = backprop.conv_bwd(residuals, d_z)
    d_x, _, _ = backprop.conv_bwd((x, w[::-1, ::-1]), d_z)
    assert right_x.shape == d_x.shape
    return d_x, d_w.transpose(1, 0, 2, 3), d_b / 9


LOGISTIC = backprop.sigmoid_fwd
DENSE = backprop.dense_fwd
# name: (forward, backward, inputs, the diagnosis of each input; None where it is right)
WRONG = {
    "sign": (square, lambda x, d: (-2 * x * d,), (Z,), ["the sign is wrong: -1 times"]),
    "a factor of two": (sum_of_squares, lambda x, d: (x * d,), (X,), ["1/2 times what it should"]),
    "mean over the batch": (
        DENSE, lambda r, d: (d @ r[1].T, r[0].T @ d / 4, d.mean(0)), (X, W, B),
        [None, *["1/4 times what it should be: a mean over axis 0 of output or inputs[0]"] * 2],
    ),
    "sum for a mean": (
        lambda x: ((x**2).mean(-1), x), lambda x, d: (2 * x * d[:, None],), (Z,),
        ["3 times what it should be: a sum over axis 1 of inputs[0] (n = 3) for a mean?"],
    ),
    "any constant": (square, lambda x, d: (2.3 * x * d,), (Z,), ["1.15 times what it should be"]),
    "1 - y is missing": (
        LOGISTIC, lambda y, d: (y * d,), (Z,),
        ["the local derivative is missing: multiply by 1 - y with y = output"],
    ),
    "y is missing": (
        LOGISTIC, lambda y, d: ((1 - y) * d,), (Z,), ["multiply by y with y = output"],
    ),
    "all of it is missing": (
        LOGISTIC, lambda y, d: (d,), (Z,), ["multiply by y (1 - y) with y = output"],
    ),
    "1 - y^2 is missing": (
        backprop.tanh_fwd, lambda y, d: (d,), (Z,), ["multiply by 1 - y^2 with y = output"],
    ),
    "local derivative twice": (
        LOGISTIC, lambda y, d: ((y * (1 - y)) ** 2 * d,), (Z,),
        ["a factor too many: y (1 - y) with y = output"],
    ),
    "sigmoid's for tanh's": (
        backprop.tanh_fwd, lambda y, d: (y * (1 - y) * d,), (Z,),
        ["y (1 - y) stands where 1 - y^2 is right, y = output"],
    ),
    "missing before the product": (
        layer, lambda r, d: (d @ r[1].T, r[0].T @ (d * r[2])), (X, W),
        [
            "right after dE/d(output) is multiplied by y (1 - y) with y = output: the local deriv",
            "right after dE/d(output) is multiplied by 1 - y with y = output: the local derivative",
        ],
    ),
    "twice before the product": (
        layer, lambda r, d: ((d * (r[2] * (1 - r[2])) ** 2) @ r[1].T, r[0].T @ (d * r[2])), (X, W),
        ["right after dE/d(output) is divided by y (1 - y) with y = output", "1 - y with"],
    ),
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
            "1/9 times what it should be: a mean over axes 1, 2 of output (n = 9) for a sum?",
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
    "rounded": (
        square, lambda x, d: ((2 * x.astype("float32")).astype(d.dtype) * d,), (Z,),
        ["right to 7 digits: something on the way is rounded to float32"],
    ),
    "zero": (square, lambda x, d: (0 * d,), (Z,), ["it is zero: the gradient is missing"]),
    "not zero": (
        lambda x: (jnp.sign(x), ()), lambda _, d: (d,), (Z,), ["it is not zero, where the right"],
    ),
    "cubed, and noise": (square, lambda x, d: ((x**3 + 0.3 * x) * d,), (Z,), [NONE]),
    "softmax over the wrong axis": (
        backprop.softmax_fwd, lambda y, d: (y * (d - (y * d).sum(0, keepdims=True)),), (Z,), [NONE],
    ),
    "summed and shifted": (square, lambda x, d: (x * d + d.sum(),), (Z,), [NONE]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_derivations_get_their_diagnosis(name):
    forward, backward, inputs, expected = WRONG[name]
    leaves = check(forward, backward, *inputs).leaves
    for leaf, diagnosis in zip(leaves, expected, strict=True):
        if diagnosis is None:
            assert leaf.passed, leaf
            assert leaf.diagnosis is None
        elif diagnosis == NONE:
            assert not leaf.passed
            assert leaf.diagnosis == NONE
        else:
            assert not leaf.passed
            assert diagnosis in leaf.diagnosis


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("forward", "shapes"),
    [
        (layer, [(2, 1), (1, 2)]),
        (norm, [(1, 2), (2,)]),
        (square, [()]),
        (lambda x: (3 * x, x), [()]),
        (sum_of_squares, [(2,)]),
        (lambda x: (x.sum(), x), [(2, 1)]),
        (product, [(1,), (1,)]),
    ],
)
def test_noise_is_not_explained(forward, shapes, seed):
    rng = np.random.default_rng(seed)
    inputs = [rng.normal(size=shape) for shape in shapes]
    d_size = int(np.prod(jax.eval_shape(forward, *inputs)[0].shape))
    noise = [rng.normal(size=(*shape, d_size)) for shape in shapes]
    report = check(forward, lambda _, d: tuple(m @ d.reshape(-1) for m in noise), *inputs)
    assert [leaf.diagnosis for leaf in report.leaves] == [NONE] * len(inputs)


def test_equal_values_do_not_make_an_explanation():
    # At x = 1 the gradient 2 x is twice 1; beside it, it is what is missing.
    leaf = check(square, lambda x, d: (d,), np.ones(3)).leaves[0]
    assert leaf.diagnosis == (
        "the local derivative is missing: multiply by y with y = inputs[0]; and 1/2 times what it "
        "should be"
    )


def test_equal_values_that_hide_a_mistake_are_noticed():
    # sigmoid(0) = 1/2, so that y (1 - y) and (1 - y)^2 are equal.
    report = check(LOGISTIC, lambda y, d: ((1 - y) ** 2 * d,), np.zeros(3))
    assert report.passed
    assert "right here, not at inputs beside these" in str(report)


def test_what_holds_only_for_such_inputs_says_so():
    # -(y - t) is right but for its sign where t sums to 1, as one-hot rows do.
    def backward(residuals, d_E):
        z, t = residuals
        y = jax.nn.softmax(z)
        return (t - y) * d_E[:, None], -jax.nn.log_softmax(z) * d_E[:, None]

    report = check(backprop.softmax_cross_entropy_fwd, backward, Z, np.eye(3)[:2])
    assert report.leaves[0].diagnosis == (
        "at these inputs, not beside them: the sign is wrong: -1 times what it should be"
    )
    assert report.leaves[1].passed


def test_trees_keys_and_integers():
    def forward(params, ids, key, scale):
        """Inputs of all kinds, and two outputs, of which one are integers."""
        y = params["embed"][ids] @ params["kernel"] * scale
        out = {"y": y, "norm": (params["bias"] ** 2).sum(), "best": y.argmax(-1)}
        return out, (params, ids, y, scale)

    def backward(residuals, d):
        params, ids, y, scale = residuals
        rows = params["embed"][ids]
        d_z = d["y"] * scale
        d_params = {
            "embed": jnp.zeros_like(params["embed"]).at[ids].add(d_z @ params["kernel"].T),
            "kernel": d_z.T @ rows,
            "bias": 2 * params["bias"] * d["norm"],
            "steps": None,
        }
        return d_params, None, None, (d["y"] * y).sum() / scale

    params = {"embed": X, "kernel": SQUARE, "bias": B, "steps": np.arange(2)}
    report = check(forward, backward, params, np.array([0, 3, 3]), jax.random.key(0), 0.5)
    found = {leaf.name: (leaf.shape, leaf.passed, leaf.diagnosis) for leaf in report.leaves}
    assert found == {
        "inputs[0]['bias']": ((2,), True, None),
        "inputs[0]['embed']": ((4, 3), True, None),
        "inputs[0]['kernel']": ((3, 3), False, "transposed"),
        "inputs[3]": ((), True, None),
    }


def test_none_where_the_gradient_is_zero_is_accepted():
    assert check(lambda x, y: (x, ()), lambda _, d: (d, None), Z, {"a": Z, "b": [Z]}).passed


def test_values_that_forward_looks_at():
    def forward(x):
        return (x**2, x) if float(x[0, 0]) ** 2 > 0 else (x, x)

    assert jnp.ones(1).dtype == jnp.float32
    with pytest.raises(jax.errors.ConcretizationTypeError):
        jax.jit(forward)(Z)
    assert check(
        lambda x: (x**2, x) if x[0, 0] > -9 else (x, x), lambda x, d: (2 * x * d,), Z
    ).passed


def test_a_single_precision_configuration_stays_as_it_is():
    assert check(DENSE, backprop.dense_bwd, *(np.float32(a) for a in (X, W, B))).passed
    assert jnp.asarray(Z).dtype == jnp.float32


def test_a_derivative_that_forward_brings_itself():
    @jax.custom_jvp
    def cube(x):
        return x**3

    cube.defjvp(lambda primals, tangents: (primals[0] ** 3, 2 * primals[0] ** 2 * tangents[0]))
    right = check(lambda x: (cube(x), x), lambda x, d: (3 * x**2 * d,), Z).leaves[0]
    assert not right.passed
    assert str(right.diagnosis).startswith("right by differences, not by automatic differentiation")
    same = check(lambda x: (cube(x), x), lambda x, d: (2 * x**2 * d,), Z).leaves[0]
    assert not same.passed
    assert str(same.diagnosis).startswith("agrees with automatic differentiation, but differences")
    neither = check(lambda x: (cube(x), x), lambda x, d: (x**2 * d,), Z).leaves[0]
    assert str(neither.diagnosis).startswith("differences give another derivative")


def test_kinks():
    at_zero = np.array([0, 1, -2, 3.0])
    taken = check(backprop.relu_fwd, backprop.relu_bwd, at_zero)
    assert taken.passed
    assert "a kink, as of ReLU at 0: taken as automatic differentiation does" in str(taken).replace(
        "\n  ", " "
    )
    other = check(lambda z: (jnp.where(z > 0, z, 0), z), lambda z, d: (d * (z >= 0),), at_zero)
    assert not other.passed
    assert "1 of the directions tried" in str(other.leaves[0].diagnosis)
    assert "right elsewhere" in str(other.leaves[0].diagnosis)
    all_kinks = check(lambda z: (abs(z), z), lambda z, d: (d,), np.zeros(2)).leaves[0]
    assert all_kinks.differences is None


def test_many_entries_move_in_groups():
    x = RNG.normal(size=(40, 30))
    report = check(square, lambda x, d: ((2 * x * d).at[7, 7].mul(1.01),), x)
    assert report.leaves[0].differences is not None
    assert report.leaves[0].differences > 1e-5
    assert report.leaves[0].diagnosis == "right at 1199 of 1200 entries, wrong at (7, 7)"


def test_small_probabilities_whose_logarithm_bends_fast():
    y = np.array([[1e-3, 0.999 - 1e-6, 1e-6]])
    rule = backprop.categorical_cross_entropy_fwd, backprop.categorical_cross_entropy_bwd
    report = check(*rule, y, np.eye(3)[2:])
    assert report.passed, report


def test_where_no_difference_can_be_taken():
    leaf = check(lambda x: (jnp.sqrt(x - 1), x), lambda x, d: (d / 2 / jnp.sqrt(x - 1),),
                 np.array([1 + 1e-12])).leaves[0]  # fmt: skip
    assert not leaf.passed
    assert "is not smooth near these inputs" in str(leaf.diagnosis)


def test_the_report_reads_as_a_table():
    _, backward, inputs, _ = WRONG["mean over the batch"]
    text = str(check(DENSE, backward, *inputs))
    print(text)
    lines = text.splitlines()
    assert lines[0] == "1 of 3 gradients right"
    assert lines[2].split() == ["gradient", "by", "shape", "autodiff", "differences"]
    assert lines[3].startswith("inputs[0]")
    assert lines[3].endswith("right")
    assert lines[4].split()[:3] == ["inputs[1]", "(3,", "2)"]
    assert lines[4].endswith("WRONG")
    assert "1/4 times what it should be: a mean over axis 0 of output or inputs[0]" in lines[5]


def test_the_table_fits_80_columns():
    deep = {"a_name_that_is_long": {"and_another_name_that_is": np.ones((1, 1, 1, 1, 1, 1, 2))}}
    report = check(
        lambda p: (jax.tree.leaves(p)[0], ()), lambda _, d: (jax.tree.map(lambda _: d, deep),), deep
    )
    assert report.passed
    assert max(map(len, str(report).splitlines())) <= 80


def nan_backward(x, d):
    return ((2 * x * d).at[0, 0].set(jnp.nan),)


ERRORS = {
    "no floating input": (
        (square, lambda x, d: (d,), np.arange(3)), ValueError,
        r"expected an example input with floating values.*int64 of shape \(3,\); give numbers",
    ),
    "an empty input": (
        (DENSE, backprop.dense_bwd, np.zeros((0, 3)), W, B), ValueError,
        r"inputs\[0\] is empty, of shape \(0, 3\): there is no gradient to check; give an example",
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
        r"the gradient of inputs\[0\] is .*'b'.*expected .*'a'.*the tree of the input",
    ),
    "an array for a tree": (
        (lambda p: (p["a"], ()), lambda r, d: (d,), {"a": Z}), ValueError,
        r"the gradient of inputs\[0\] is .*the tree of the input",
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
        r"backward\(d \+ e\) is not backward\(d\) \+ backward\(e\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_what_is_refused(name):
    arguments, error, message = ERRORS[name]
    with pytest.raises(error, match=message):
        check(*arguments)
