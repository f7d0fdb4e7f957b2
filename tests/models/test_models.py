"""The models are the lecture's: the loss before training, dropout, what they refuse.

Their shapes and parameters are in `test_summary`.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from dl_jax import ops
from dl_jax.losses import BINARY, MULTICLASS
from dl_jax.models import CATALOG, MLP, BagOfWords, create, fields_of
from dl_jax.models.layers import Conv, MaxPool, conv_relu_max_pool


def answer(model, params, inputs, **options) -> jax.Array:
    logits = model.apply(params, inputs, **options)
    assert isinstance(logits, jax.Array)
    return logits


@pytest.mark.parametrize(("name", "k"), [("fashion_mlp", 10), ("mnist_cnn", 10)])
def test_the_loss_before_training_is_about_log_k(name, k, key):
    model = create(name)
    images = jax.random.uniform(key, (64, 28, 28, 1))
    logits = answer(model, model.init(key, images), images)
    loss = MULTICLASS.loss(logits, jnp.arange(64) % k).mean()
    assert float(loss) == pytest.approx(math.log(k), rel=0.2)


def test_the_loss_of_the_reviews_before_training_is_about_log_2(key):
    model = create("imdb_bow")
    ids = jax.random.randint(key, (64, 100), 1, 10_000)
    loss = BINARY.loss(answer(model, model.init(key, ids), ids), jnp.arange(64) % 2).mean()
    assert float(loss) == pytest.approx(math.log(2), rel=0.1)


def test_the_bag_of_words_is_the_lectures_dense_network(key):
    bag, dense = BagOfWords(features=(4, 3, 1), num_words=20), MLP((4, 3, 1))
    ids = jnp.array([[1, 5, 19, 0], [2, 0, 0, 0]])
    params = bag.init(key, ids)
    shapes = dense.init(key, jnp.zeros((1, 20)))
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, shapes)
    matrix = ops.multi_hot(ids, 20)
    np.testing.assert_allclose(answer(bag, params, ids), answer(dense, params, matrix), atol=1e-6)


def test_a_network_of_ones_counts_its_inputs():
    model = MLP((3, 1))
    params = jax.tree.map(jnp.ones_like, model.init(jax.random.key(0), jnp.zeros((1, 2))))
    # Each of three hidden neurons: 1 + 2 + bias 1 = 4; the output: 3 * 4 + bias 1.
    assert answer(model, params, jnp.array([[1.0, 2.0]])).tolist() == [[13]]


def test_dropout_is_for_training_alone(key):
    model, images = create("mnist_cnn"), jax.random.uniform(key, (2, 28, 28, 1))
    params = model.init(key, images)
    quiet = answer(model, params, images)
    assert jnp.array_equal(quiet, answer(model, params, images))
    noisy = answer(model, params, images, train=True, rngs={"dropout": key})
    assert not jnp.array_equal(quiet, noisy)


def test_overrides_and_names_that_do_not_exist():
    assert create("mnist_cnn", num_classes=3).num_classes == 3
    with pytest.raises(
        ValueError,
        match="fashion_mlp, googlenet, googlenet_bn, imdb_bow, lenet5",
    ):
        create("alexnot")
    with pytest.raises(ValueError, match="has the fields features, num_classes, dropout_rate"):
        create("mnist_cnn", depth=3)


@pytest.mark.parametrize("features", [(), (0, 10), 10])
@pytest.mark.parametrize("name", ["fashion_mlp", "mnist_cnn", "imdb_bow"])
def test_features_that_are_no_layers(name, features, key):
    model, inputs = create(name, features=features), CATALOG[name].inputs
    with pytest.raises(ValueError, match="one or more positive integers, got"):
        model.init(key, jnp.ones((1, *inputs.shape), inputs.dtype))


@pytest.mark.parametrize("name", CATALOG)
def test_a_model_is_made_again_by_its_fields(name):
    model = create(name)
    assert create(name, **fields_of(model)) == model


@pytest.mark.parametrize(
    ("conv", "pool"),
    [
        ({"kernel_dilation": 2}, {}),
        ({"strides": 2}, {}),
        ({"padding": "SAME"}, {}),
        ({"use_bias": False}, {}),
        ({}, {"round_up": True}),
        ({}, {"window": (3, 3)}),
    ],
)
def test_layers_that_are_not_one_operation(conv, pool, key):
    class Together(nn.Module):
        @nn.compact
        def __call__(self, x):
            layer = Conv(3, (3, 3), **{"padding": "VALID", **conv})
            return conv_relu_max_pool(layer, MaxPool(**pool), x)

    with pytest.raises(ValueError, match="conv_relu_max_pool: expected a convolution with bias"):
        Together().init(key, jnp.ones((1, 10, 10, 2)))


@pytest.mark.parametrize(
    ("name", "inputs", "message"),
    [
        ("mnist_cnn", jnp.zeros((28, 28, 1)), r"\[n, height, width, channels\], got float32"),
        ("mnist_cnn", jnp.zeros((1, 28, 28, 1), jnp.uint8), "expected float inputs"),
        ("mnist_cnn", jnp.zeros((1, 5, 28, 1)), "at least 10x10"),
        ("perceptron", jnp.zeros(2), r"\[n, features\]"),
        ("imdb_bow", jnp.zeros((2, 3)), "expected integer inputs"),
    ],
)
def test_inputs_that_do_not_fit(name, inputs, message, key):
    with pytest.raises(ValueError, match=message):
        create(name).init(key, inputs)
