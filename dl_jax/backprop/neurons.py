"""One neuron: its decision, and the rules by which it learns."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dl_jax import ops


def perceptron_decision(
    x: Float[Array, "... k"], w: Float[Array, " k"], b: Float[Array, ""]
) -> Int[Array, "..."]:
    """Return `h(x, θ) = 1` where `x . w + b >= 0`, and -1 elsewhere. Slide "Perceptron".

    The slide's `θ_0` is b, its `θ_1, θ_2` are w.
    """
    return jnp.where(x @ w + b >= 0, 1, -1)


def perceptron_rule(
    x: Float[Array, " k"],
    t: Int[Array, ""],
    w: Float[Array, " k"],
    b: Float[Array, ""],
    epsilon: float,
) -> tuple[Float[Array, " k"], Float[Array, ""]]:
    """Return `Δw = ε x (t - h) / 2` and `Δb = ε (t - h) / 2` for one example.

    Only a wrong decision changes anything: then `(t - h) / 2 = t`, and `t (x . w + b)` grows by
    `ε (x . x + 1)`. It descends along `E = max(0, -t (x . w + b))` (Rosenblatt 1958). Slide
    "Perceptron".

    Args:
        x: one example.
        t: its target, -1 or +1.
        w: the weights.
        b: the bias.
        epsilon: the learning rate.
    """
    change = epsilon * (t - perceptron_decision(x, w, b)) / 2
    return change * x, change


def linear_delta_rule(
    w: Float[Array, " k"], x: Float[Array, "n k"], t: Float[Array, " n"], epsilon: float
) -> Float[Array, " k"]:
    """Return `Δw_k = sum_i ε x_k (t - y)` of a linear neuron, `y = x . w`.

    `-ε dE/dw_k` of `E = 1/2 sum_i (t - y)^2`: `dE/dy = -(t - y)` and `dy/dw_k = x_k`. Slide
    "gradient descent".

    Args:
        w: the weights.
        x: examples.
        t: their targets.
        epsilon: the learning rate.
    """
    y = x @ w
    return epsilon * (x.T @ (t - y))


def sigmoid_delta_rule(
    w: Float[Array, " k"], x: Float[Array, "n k"], t: Float[Array, " n"], epsilon: float
) -> Float[Array, " k"]:
    """Return `Δw_k = sum_i ε x_k y (1 - y) (t - y)` of a sigmoid neuron, `y = sigmoid(x . w)`.

    `-ε dE/dw_k` of `E = 1/2 sum_i (t - y)^2`: `dE/dy = -(t - y)`, `dy/dz = y (1 - y)`,
    `dz/dw_k = x_k`. Slide "The final step is the update of the network weights".

    Args:
        w: the weights.
        x: examples.
        t: their targets.
        epsilon: the learning rate.
    """
    y = ops.sigmoid(x @ w)
    return epsilon * (x.T @ (y * (1 - y) * (t - y)))
