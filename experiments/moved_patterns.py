"""Two patterns that move over an image, learned by a feed-forward and a convolutional network."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key

from dl_jax import backprop, losses, ops

PATTERNS = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]]], np.float32)
"""The classes 0 and 1."""
SIDE = 8
POSITIONS = SIDE - 1  # a side

Params = dict[str, jax.Array]


class Outcome(NamedTuple):
    """What became of a network.

    Attributes:
        right: `[7, 7]`, at how many of both patterns it was right, by the pattern's position.
        num_params: how many parameters it has.
    """

    right: np.ndarray
    num_params: int


def moved_patterns() -> tuple[Float[Array, "49 2 8 8 1"], Float[Array, "49 2"]]:
    """Return both patterns at each of the 7x7 positions of an 8x8 image, and their classes."""
    images = np.zeros((POSITIONS, POSITIONS, 2, SIDE, SIDE, 1), np.float32)
    for i, j in np.ndindex(POSITIONS, POSITIONS):
        images[i, j, :, i : i + 2, j : j + 2, 0] = PATTERNS
    targets = np.tile(np.arange(2, dtype=np.float32), (POSITIONS**2, 1))
    return jnp.asarray(images.reshape(POSITIONS**2, 2, SIDE, SIDE, 1)), jnp.asarray(targets)


def feed_forward(params: Params, x: Float[Array, "n 8 8 1"]) -> Float[Array, " n"]:
    """Return a logit for each image: flattened, a dense layer with ReLU, and a dense one."""
    y, _ = backprop.flatten_fwd(x)
    y = ops.relu(y @ params["kernel"] + params["bias"][None])
    return y @ params["last"]


def convolutional(params: Params, x: Float[Array, "n 8 8 1"]) -> Float[Array, " n"]:
    """Return a logit for each image: a convolution with ReLU, the maximum over it, a dense layer.

    The maximum over all positions forgets where the pattern was.
    """
    z, _ = backprop.conv_fwd(x, params["kernel"], params["bias"])
    y = ops.max_pool(ops.relu(z), z.shape[1:3])
    return y[:, 0, 0] @ params["last"]


NETWORKS: Mapping[str, tuple[Callable, tuple[int, ...]]] = {
    "feed-forward": (feed_forward, (SIDE * SIDE, 16)),
    "convolutional": (convolutional, (2, 2, 1, 16)),
}
"""Each with the shape of its first kernel."""


def learn(
    key: Key[Array, ""], network: Callable, shape: tuple[int, ...], seen: np.ndarray, steps: int
) -> Outcome:
    """Train on the positions that are seen, and return what it is right about at all positions.

    Args:
        key: of the initial weights.
        network: from parameters and images to a logit each.
        shape: of its first kernel.
        seen: `[49]`, whether a position is trained on.
        steps: of Adam, each on all of the seen images.
    """
    images, targets = moved_patterns()
    x, t = images[seen].reshape(-1, SIDE, SIDE, 1), targets[seen].reshape(-1)
    first, last = jax.random.split(key)
    params = {
        "kernel": jax.random.normal(first, shape) * np.prod(shape[:-1]) ** -0.5,
        "bias": jnp.zeros(shape[-1]),
        "last": jax.random.normal(last, shape[-1:]) * shape[-1] ** -0.5,
    }
    optimizer = optax.adam(0.03)

    def loss(params: Params) -> jax.Array:
        return losses.binary_cross_entropy(network(params, x), t).mean()

    def step(state, _):
        params, opt_state = state
        updates, opt_state = optimizer.update(jax.grad(loss)(params), opt_state)
        return (optax.apply_updates(params, updates), opt_state), None

    @jax.jit
    def train(params: Params) -> jax.Array:
        (trained, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), length=steps)
        return network(trained, images.reshape(-1, SIDE, SIDE, 1)) > 0

    right = np.asarray(train(params)).reshape(targets.shape) == targets
    num_params = sum(p.size for p in params.values())
    return Outcome(np.asarray(right.sum(1)).reshape(POSITIONS, POSITIONS), num_params)
