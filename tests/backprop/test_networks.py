"""Whole networks by hand: the gradients of the Flax modules, and the same training with them."""

import dataclasses
from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dl_jax import backprop as bp
from dl_jax import losses, ops
from dl_jax.models import CNN, MLP, BagOfWords
from dl_jax.ops.compile_once import compile_once
from dl_jax.train import Data, Examples, Schedule, fit, init_state, make_train, train_step

PAIRS = {ops.relu: bp.RELU, ops.tanh: bp.TANH, ops.sigmoid: bp.SIGMOID}


def perceptron_like(rng, n):
    return rng.standard_normal((n, 5)), rng.integers(0, 3, n)


def numbers(rng, n):
    return rng.standard_normal((n, 5)), rng.standard_normal((n, 3))


def pictures(rng, n):
    return rng.standard_normal((n, 10, 11, 2)), rng.integers(0, 3, n)


def texts(rng, n):
    ids = np.stack([rng.permutation(9)[:4] for _ in range(n)])
    return np.where(ids == 8, 0, ids), rng.integers(0, 2, n)


def mlp_case(depth, activation=ops.relu):
    """A network, its objective, its hand derivation, examples, and the lengths of its sums."""
    model = MLP((6, 4, 5, 3)[4 - depth :], activation)
    return model, losses.MULTICLASS, bp.mlp(PAIRS[activation]), perceptron_like, 2 * 6 * depth


CASES = {
    **{f"mlp of {depth}": mlp_case(depth) for depth in (1, 2, 3, 4)},
    **{f"mlp of 3, {f.__name__}": mlp_case(3, f) for f in (ops.tanh, ops.sigmoid)},
    "mlp, regression": (
        MLP((4, 3)), losses.REGRESSION, bp.mlp(loss=bp.REGRESSION), numbers, 2 * 6 * 2,
    ),
    "mlp, one logit": (
        MLP((4, 1)), losses.BINARY, bp.mlp(loss=bp.BINARY), lambda rng, n: (
            rng.standard_normal((n, 5)), rng.integers(0, 2, n)), 2 * 6 * 2,
    ),
    # Its longest sums are over the positions of a batch of 6 pictures.
    "cnn of 1": (CNN((3,), 3), losses.MULTICLASS, bp.cnn(), pictures, 6 * 8 * 9 + 60),
    "cnn of 2": (CNN((3, 4), 3), losses.MULTICLASS, bp.cnn(), pictures, 6 * 8 * 9 + 60),
    **{f"bag of words of {len(features)}": (
        BagOfWords(features, 8), losses.BINARY, bp.bag_of_words_classifier(), texts, 40,
    ) for features in ((1,), (8, 1), (4, 3, 1))},
}  # fmt: skip
ALL = [(name, False) for name in CASES] + [("cnn of 2", True)]


def made(name, n=6):
    """A case with float64 parameters, of which no bias is 0, and float64 examples."""
    model, objective, network, examples, length = CASES[name]
    inputs, targets = examples(np.random.default_rng(0), n)
    params = compile_once(partial(model.init, train=False))(jax.random.key(0), jnp.asarray(inputs))
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda p: p + 0.1 * rng.standard_normal(p.shape), params["params"])
    return model, objective, network, inputs, targets, params, length


def by_autodiff(model, objective, params, inputs, targets, key):
    def mean_loss(params):
        rngs = None if key is None else {"dropout": key}
        logits = model.apply({"params": params}, inputs, train=key is not None, rngs=rngs)
        return jnp.mean(objective.loss(logits, targets)), logits

    return jax.value_and_grad(mean_loss, has_aux=True)(params)


def cast(tree, dtype):
    def one(x):
        return jnp.asarray(x, dtype if np.issubdtype(x.dtype, np.floating) else jnp.int32)

    return jax.tree.map(one, tree)


@pytest.mark.parametrize(("name", "drops"), ALL)
def test_value_and_gradients_are_those_of_the_flax_module(name, drops):
    model, objective, network, inputs, targets, params, length = made(name)
    key = jax.random.key(2) if drops else None

    def all_three(exact, rounded):
        hand = [bp.value_and_grad(network, *each, key=key) for each in (exact, rounded)]
        return by_autodiff(model, objective, *exact, key=key), *hand

    with jax.enable_x64(True):
        exact = cast((params, inputs, targets), jnp.float64)
        right, found, narrow = compile_once(all_three)(exact, cast(exact, jnp.float32))
        chex.assert_trees_all_equal_structs(found, right)
        chex.assert_trees_all_equal_shapes_and_dtypes(found, right)
        chex.assert_trees_all_equal_structs(found[1], exact[0])
        chex.assert_type(jax.tree.leaves(narrow), jnp.float32)
    # A value is a chain of sums; each of their terms costs at most a few units of rounding, which
    # count relative to the largest value of its array. In float64 1e-12 is thousands of units.
    bound = 4 * (length + 16) * 2.0**-24
    for tree, allowed in ((found, 1e-12), (narrow, bound)):
        for a, b in zip(jax.tree.leaves(tree), jax.tree.leaves(right), strict=True):
            hand, exactly = np.asarray(a, np.float64), np.asarray(b)
            assert np.abs(hand - exactly).max() <= allowed * np.abs(exactly).max()


def test_a_key_drops_and_the_same_key_drops_the_same():
    *_, network, inputs, targets, params, _ = made("cnn of 1")
    params, inputs, targets = cast((params, inputs, targets), jnp.float32)

    @compile_once
    def gradients(key):
        return bp.value_and_grad(network, params, inputs, targets, key)[1]

    one, again, other = (gradients(jax.random.key(k)) for k in (2, 2, 3))
    chex.assert_trees_all_equal(one, again)
    kernels = [g["Dense_0"]["kernel"] for g in (one, other, gradients(None))]
    assert not np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


def test_the_hand_derivation_drops_what_the_module_drops():
    # Where all pixels and weights are alike, a logit counts the values that were kept.
    model, rate = CNN((2,), 3, dropout_rate=0.25), 0.25
    inputs, key = jnp.ones((4, 6, 6, 1)), jax.random.key(5)
    shapes = jax.eval_shape(model.init, key, inputs)["params"]
    params = jax.tree.map(lambda p: jnp.ones(p.shape), shapes)
    logits, _ = bp.cnn(rate).forward(params, inputs, key)
    expected = model.apply({"params": params}, inputs, train=True, rngs={"dropout": key})
    chex.assert_trees_all_close(logits, expected, rtol=1e-6)
    counts = (np.asarray(logits)[:, 0] - 1) / (10 / (1 - rate))
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-4)
    assert len(set(np.round(counts))) > 1  # the examples drop differently
    without, _ = bp.cnn(rate).forward(params, inputs, None)
    np.testing.assert_allclose(without, np.full((4, 3), 81.0))


@pytest.mark.parametrize("name", ["cnn of 1", "bag of words of 2"])
def test_an_epoch_by_hand_is_an_epoch_with_autodiff_in_float32(name):
    model, objective, network, inputs, targets, *_ = made(name, n=18)
    train = Examples(*cast((inputs, targets), jnp.float32))

    def run(**how):
        return fit(
            model, objective, optax.sgd(0.1, momentum=0.9), train, num_epochs=1, batch_size=6,
            key=jax.random.key(0), progress=False, **how,
        )  # fmt: skip

    plain, by_hand = run(), run(by_hand=network)
    np.testing.assert_allclose(by_hand.history[0]["loss"], plain.history[0]["loss"], rtol=1e-4)
    chex.assert_trees_all_close(by_hand.state, plain.state, rtol=1e-4, atol=1e-5)
    assert int(by_hand.state.step) == 3


@pytest.mark.parametrize("name", ["mlp of 3", "cnn of 1", "bag of words of 2"])
def test_twenty_steps_by_hand_are_those_with_autodiff_in_float64(name):
    model, objective, network, inputs, targets, params, _ = made(name)
    optimizer = optax.sgd(0.05, momentum=0.9)  # not Adam, which knows no scale of a gradient
    with jax.enable_x64(True):
        params, inputs, targets = cast((params, inputs, targets), jnp.float64)
        start = init_state(model, optimizer, jax.random.key(0), inputs)
        start = dataclasses.replace(start, params=params, opt_state=optimizer.init(params))
        batch, noise = Examples(inputs, targets), jax.random.key(1)

        def run(how):
            def step(state, _):
                return train_step(model, objective, optimizer, state, batch, noise, how)

            return jax.lax.scan(step, start, length=20)

        (plain, rows), (by_hand, rows_by_hand) = compile_once(lambda: (run(None), run(network)))()
        chex.assert_trees_all_equal_shapes_and_dtypes(by_hand, plain)
        chex.assert_trees_all_close(by_hand.params, plain.params, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(rows_by_hand["loss"], rows["loss"], rtol=1e-6)  # of float32
        moved = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), by_hand.params, params)
        assert min(jax.tree.leaves(moved)) > 1e-3


def test_it_is_the_hand_derivation_that_trains():
    model, objective, network, inputs, targets, *_ = made("mlp of 1", n=4)
    train, optimizer, key = (
        Examples(*cast((inputs, targets), jnp.float32)),
        optax.sgd(1.0),
        jax.random.key(0),
    )
    start = init_state(model, optimizer, jax.random.split(key, 3)[0], train.inputs)

    def learns_nothing(*way):
        return jax.tree.map(jnp.zeros_like, network.backward(*way))

    lazy = network._replace(backward=learns_nothing)
    done = fit(
        model, objective, optimizer, train, num_epochs=1, batch_size=4, key=key,
        progress=False, by_hand=lazy,
    )  # fmt: skip
    chex.assert_trees_all_equal(done.state.params, start.params)
    run = make_train(model, objective, optimizer, Data(train), Schedule(1, 4), lazy)
    chex.assert_trees_all_equal(run(key)[0].params, start.params)


@pytest.mark.parametrize("t", [0.0, 1.0])
def test_a_logit_of_zero_learns_output_less_target_with_autodiff_as_by_hand(t):
    # A text whose hidden neurons are all silent has the logit 0, as long as its bias is.
    z, targets = jnp.zeros((1, 1)), jnp.array([t])
    E, pull_back = jax.vjp(lambda z: losses.BINARY.loss(z, targets), z)
    by_hand, _ = bp.BINARY.backward(bp.BINARY.forward(z, targets)[1], jnp.ones_like(E))
    assert by_hand.tolist() == [[0.5 - t]]
    assert pull_back(jnp.ones_like(E))[0].tolist() == by_hand.tolist()


@pytest.mark.parametrize(
    ("model", "objective", "network", "message"),
    [
        (MLP((4, 3), jnp.tanh), losses.MULTICLASS, bp.mlp(), "expected the logits of MLP"),
        (MLP((4, 3)), losses.MULTILABEL, bp.mlp(), "expected the losses of MLP"),
        (CNN((2,), 3, 0.5), losses.MULTICLASS, bp.cnn(0.25), "the model's activation and dropout"),
    ],
)
def test_a_derivation_of_another_network_does_not_train(model, objective, network, message, key):
    inputs = jax.random.normal(key, (4, 8, 8, 1))
    labels = jnp.array([0, 1, 2, 1])
    targets = jax.nn.one_hot(labels, 3) if objective is losses.MULTILABEL else labels
    data, optimizer = Examples(inputs, targets), optax.sgd(0.1)
    with pytest.raises(ValueError, match=message):
        make_train(model, objective, optimizer, Data(data), Schedule(1, 4), network)
    with pytest.raises(ValueError, match=message):
        fit(model, objective, optimizer, data, num_epochs=1, batch_size=4, key=key,
            progress=False, by_hand=network)  # fmt: skip


def test_the_same_network_is_not_compiled_again():
    assert bp.cnn(0.5) is bp.cnn(0.5)
    assert bp.mlp(bp.TANH) is not bp.mlp()


def test_no_examples_have_no_mean_loss():
    with pytest.raises(ValueError, match="at least one example, got none"):
        bp.value_and_grad(bp.mlp(), {}, jnp.ones((0, 5)), jnp.zeros(0, jnp.int32))


def test_an_ensemble_trains_by_hand():
    model, objective, network, inputs, targets, *_ = made("mlp of 3", n=12)
    data = Data(Examples(*cast((inputs, targets), jnp.float32)))
    keys = jax.random.split(jax.random.key(0), 2)
    plain, by_hand = (
        jax.vmap(make_train(model, objective, optax.sgd(0.1), data, Schedule(2, 6), by))(keys)
        for by in (None, network)
    )
    chex.assert_trees_all_close(by_hand, plain, rtol=1e-4, atol=1e-5)


DENSE = {"kernel": jnp.ones((5, 5)), "bias": jnp.zeros(5)}
CONV = {"kernel": jnp.ones((3, 3, 1, 5)), "bias": jnp.zeros(5)}


@pytest.mark.parametrize(
    ("network", "params", "message"),
    [
        (bp.mlp(), {}, "backprop.mlp: expected parameters Dense_0, Dense_1, ... .* got none"),
        (bp.mlp(), {"params": {"Dense_0": DENSE}}, "as Flax names them, got params"),
        (bp.mlp(), {"Dense_0": DENSE, "Dense_2": DENSE}, "got Dense_0, Dense_2"),
        (bp.mlp(), {"Dense_0": {"kernel": DENSE["kernel"]}}, "kernel and bias in Dense_0, got ker"),
        (
            bp.bag_of_words_classifier(),
            {"Dense_0": DENSE, "Conv_0": CONV},
            "bag_of_words_classifier: expected parameters Dense_0, .* got Dense_0, Conv_0",
        ),
        (bp.cnn(), {"Dense_0": DENSE}, "cnn: expected parameters Conv_0, .* and Dense_0, .* got D"),
        (bp.cnn(), {"Conv_0": CONV}, "and Dense_0, Dense_1, ... as Flax names them, got Conv_0"),
        (
            bp.cnn(),
            {"Conv_0": CONV, "Dense_0": DENSE, "Dense_1": DENSE},
            "backprop.cnn: expected one dense layer, got 2",
        ),
    ],
)
def test_parameters_of_another_network_are_refused(network, params, message):
    with pytest.raises(ValueError, match=message):
        bp.value_and_grad(network, params, jnp.ones((2, 5)), jnp.zeros(2, jnp.int32))
