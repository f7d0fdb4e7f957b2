"""Cases of the rules without images: references by the slide's definition, shapes at random."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from dl_jax import ops
from dl_jax.backprop import activations, layers, losses
from dl_jax.backprop.proof.case import Case, normal, shape


def sigmoid(z):
    """Return `1 / (1 + e^{-z})`."""
    return 1 / (1 + jnp.exp(-z))


def tanh(z):
    """Return `(e^z - e^{-z}) / (e^z + e^{-z})`."""
    return (jnp.exp(z) - jnp.exp(-z)) / (jnp.exp(z) + jnp.exp(-z))


def softmax(z):
    """Return `e^{z_i} / sum_j e^{z_j}`."""
    return jnp.exp(z) / jnp.exp(z).sum(-1, keepdims=True)


def activation_case(forward, reference, values=normal, low=1):
    """Return the cases of an activation; a softmax of one class has a gradient of rounding only."""

    def case(rng, derivation):
        return Case(forward, derivation, reference, (values(rng, shape(rng, 2, low)),))

    return case


def jacobian_case(rng, derivation):
    """Return a case of the softmax whose backward multiplies with its full Jacobian."""

    def backward(y, d_y):
        return (jnp.einsum("nij,ni->nj", derivation(y), d_y),)

    inputs = (normal(rng, shape(rng, 2, low=2)),)
    return Case(activations.softmax_fwd, backward, softmax, inputs)


def identity_case(rng, derivation):
    """Return a case of tanh whose forward is the sigmoid's identity."""

    def forward(x):
        y = derivation(x)
        return y, y

    inputs = (normal(rng, shape(rng, 2)),)
    return Case(forward, activations.tanh_bwd, tanh, inputs)


def loss_case(forward, reference, first, second):
    """Return the cases of a loss: values from `first`, targets from `second`."""

    def case(rng, derivation):
        size = shape(rng, 2, low=2)
        return Case(forward, derivation, reference, (first(rng, size), second(rng, size)))

    return case


def classes_case(rng, derivation):
    """Return a case of the fused softmax whose targets are class numbers."""
    n, k = shape(rng, 2, low=2)

    def reference(z, t):
        return -jnp.log(softmax(z))[jnp.arange(n), t]

    inputs = (normal(rng, (n, k)), rng.integers(0, k, n))
    return Case(losses.softmax_cross_entropy_fwd, derivation, reference, inputs)


def binary_cross_entropy(y, t):
    """Return `-t log y - (1 - t) log(1 - y)`."""
    return -t * jnp.log(y) - (1 - t) * jnp.log(1 - y)


def categorical_cross_entropy(y, t):
    """Return `-sum_j t_j log y_j`."""
    return -(t * jnp.log(y)).sum(-1)


def neuron_case(activation):
    """Return the cases of a delta rule, which is `-ε dE/dw` of the half squared error."""

    def case(rng, derivation):
        n, k = shape(rng, 2)
        x, t, epsilon = normal(rng, (n, k)), normal(rng, (n,)), 0.3

        def reference(w):
            x_, t_ = jnp.asarray(x, w.dtype), jnp.asarray(t, w.dtype)
            return 0.5 * jnp.sum((t_ - activation(jnp.einsum("ik,k->i", x_, w))) ** 2)

        def backward(w, d_E):
            delta = derivation(w, jnp.asarray(x, w.dtype), jnp.asarray(t, w.dtype), epsilon)
            return (-delta / epsilon * d_E,)

        return Case(lambda w: (reference(w), w), backward, reference, (normal(rng, (k,)),))

    return case


def perceptron_case(rng, derivation):
    """Return a case of the perceptron's rule, `-ε dE/dw` of `E = max(0, -t (x . w + b))`."""
    (k,), t = shape(rng, 1), int(rng.choice([-1, 1]))
    x, w, epsilon = normal(rng, (k,)), normal(rng, (k,)), 0.3
    # Mostly on the wrong side, where something is learned, and away from the kink.
    z = float(rng.choice([-t, -t, t])) * rng.uniform(0.1, 1)

    def reference(w, b):
        return jnp.maximum(0, -t * (jnp.asarray(x, w.dtype) @ w + b))

    def backward(residuals, d_E):
        w, b = residuals
        d_w, d_b = derivation(jnp.asarray(x, w.dtype), jnp.asarray(t), w, b, epsilon)
        return -d_w / epsilon * d_E, -d_b / epsilon * d_E

    inputs = (w, np.asarray(z - x @ w))
    return Case(lambda w, b: (reference(w, b), (w, b)), backward, reference, inputs)


def dense_case(rng, derivation):
    """Return a case of a dense layer."""
    # Square ones as often as not: where axes are of one size, taking the wrong one fits.
    n, i, j = shape(rng, 3) if rng.integers(2) else shape(rng, 1, low=2) * 3
    inputs = (normal(rng, (n, i)), normal(rng, (i, j)), normal(rng, (j,)))

    def reference(x, w, b):
        return jnp.einsum("ni,ij->nj", x, w) + b[None, :]

    return Case(layers.dense_fwd, derivation, reference, inputs)


def recursion_case(rng, derivation):
    """Return a case of the lecture's recursion through a layer of sigmoid neurons."""
    n, i, j = shape(rng, 3)

    def reference(y_i, w):
        return sigmoid(jnp.einsum("ni,ij->nj", y_i, w))

    def forward(y_i, w):
        y_j = ops.sigmoid(y_i @ w)
        return y_j, (y_i, w, y_j)

    def backward(residuals, d_y_j):
        y_i, w, y_j = residuals
        d_y_i, d_w = derivation(w, y_i, y_j, d_y_j)
        return d_y_i, -layers.batch_update(d_w, 1.0)

    return Case(forward, backward, reference, (normal(rng, (n, i)), normal(rng, (i, j))))


def batch_case(rng, derivation):
    """Return a case of the sum over the batch."""
    n, i, j = shape(rng, 3)
    y_i, epsilon = normal(rng, (n, i)), 0.3

    def reference(w):
        return sigmoid(jnp.einsum("ni,ij->nj", jnp.asarray(y_i, w.dtype), w))

    def backward(w, d_y):
        y = jnp.asarray(y_i, w.dtype)
        _, d_w = layers.layer_recursion(w, y, ops.sigmoid(y @ w), d_y)
        return (-derivation(d_w, epsilon) / epsilon,)

    inputs = (normal(rng, (i, j)),)
    return Case(lambda w: (reference(w), w), backward, reference, inputs)


def flatten_case(rng, derivation):
    """Return a case of flattening."""
    x = normal(rng, shape(rng, int(rng.integers(2, 5))))
    return Case(layers.flatten_fwd, derivation, lambda x: x.reshape(len(x), -1), (x,))


def dropout_case(rng, derivation):
    """Return a case of dropout; the reference draws the same mask from the same key."""
    rate, key = float(rng.choice([0.25, 0.5, 0.75])), jax.random.key(int(rng.integers(1000)))
    x = normal(rng, shape(rng, 2, low=3))
    forward = partial(layers.dropout_fwd, rate=rate)
    return Case(forward, derivation, lambda x, key: ops.dropout(x, rate, key), (x, key))


def words_case(rng, derivation):
    """Return a case of the bag of words; the reference multiplies by the multi-hot matrix."""
    n, length, j = shape(rng, 3)
    words = 7
    ids = np.stack([rng.permutation(words)[:length] for _ in range(n)])  # 0 is no word
    inputs = (ids, normal(rng, (words, j)))

    def reference(ids, w):
        return jnp.einsum("nv,vj->nj", ops.multi_hot(ids, words).astype(w.dtype), w)

    return Case(layers.bag_of_words_fwd, derivation, reference, inputs)
