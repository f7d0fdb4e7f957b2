"""Whole networks: the hand-derived gradient of each parameter against the Flax module's."""

import math
from functools import partial
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from dl_jax import backprop, losses
from dl_jax.backprop.proof import AUTODIFF_BOUND, Leaf, Precision
from dl_jax.gradcheck.evaluate import Evaluated, derive, evaluate
from dl_jax.models import create, entry, summarize
from dl_jax.ops.compile_once import compile_once

NUM_EXAMPLES = 4
NUM_DRAWS = 5
"""At the most, until there is no kink nearby."""


class Derivation(NamedTuple):
    """A network of the catalog by hand.

    Attributes:
        network: its hand derivation, loss included.
        objective: what the Flax module of that name is trained with.
    """

    network: backprop.Network
    objective: losses.Objective


NETWORKS: dict[str, Derivation] = {
    "perceptron": Derivation(backprop.mlp(loss=backprop.BINARY), losses.BINARY),
    "fashion_mlp": Derivation(backprop.mlp(), losses.MULTICLASS),
    "mnist_cnn": Derivation(backprop.cnn(), losses.MULTICLASS),
    "imdb_bow": Derivation(backprop.bag_of_words_classifier(), losses.BINARY),
}
"""The networks by their names in the catalog."""


def check_network(name: str, precision: Precision = "float64", seed: int = 0) -> list[Leaf]:
    """Compare loss, logits and each parameter's gradient, by hand and of the Flax module.

    A few random examples of the real shape, random parameters, dropout in force. An error is
    relative to the largest entry of its array.

    Differences, in float64 alone, are of the module's loss along random directions of signs in
    each parameter: `(E(θ + h v) - E(θ - h v)) / 2h` against `sum_i v_i dE/dθ_i`, relative to
    `sum_i |dE/dθ_i|`. A network has many kinks, where a ReLU is at 0 or two values of a window
    are equal; a step across one gives a wrong slope through no fault of the derivation. Then the
    slopes of the two sides differ, by twice that error, and everything is drawn anew. Whether it
    is does not depend on the hand derivation.

    In float32 the hand derivation is compared with the module in float64. Inputs are multiples of
    2^-2 and parameters of 2^-5, so that the terms of every sum up to the logits are multiples of
    2^-17 and, below 2^7 together, need no more than float32's 24 bits: the forward pass is exact
    and takes the same side of each kink. Rounding begins with the loss. Going back, each layer
    makes sums of L terms, with one rounding u a term, so a gradient, which is a sum over the paths
    from the loss, is known to `4 (sum L + 8 (layers + 1)) u S`. L is the number of outputs that
    an input of the layer feeds plus the number of places where a weight is used; S is the largest
    entry of the same backward pass with the absolute values of everything, `y + t` for the loss's
    `y - t`. The 4 and the 8 stand for what is not a sum: the loss, the masks. This is the worst
    case, and wide: of the CNN's first kernel an error below a sixteenth of the largest entry would
    pass, of the other networks one below a two-thousandth. The proof is the one in float64.

    As in `prove`, whatever is in float64 is computed on a CPU, the float32 derivation on the
    default device.

    Args:
        name: of the network.
        precision: of the hand derivation.
        seed: of examples, parameters and dropout.

    Raises:
        ValueError: if there is no hand derivation of that name; names those that exist.
        ArithmeticError: if a kink was near in each of several draws.
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; the networks are {', '.join(NETWORKS)}")
    model, example = create(name), entry(name).inputs
    network, objective = NETWORKS[name]
    rng = np.random.default_rng(seed)
    grid, key = precision == "float32", jax.random.key(seed)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            program = compile_once(partial(evaluate, model, network, objective, precision))
            for _ in range(NUM_DRAWS):
                drawn = _draw(model, example, rng, grid=grid)
                found: Evaluated = jax.tree.map(np.asarray, program(*drawn, key))
                if not found.kink:
                    break
            else:
                raise ArithmeticError(
                    f"a kink was near in each of {NUM_DRAWS} draws of parameters and inputs, so "
                    f"that no differences could be taken; not the derivation's fault: another seed "
                    f"than {seed} may do"
                )
        params, *examples = drawn
        if precision == "float32":
            narrow = jax.tree.map(_narrow, [params, *examples])
            by_hand = compile_once(partial(derive, network))(*narrow, key)
            found = found._replace(by_hand=jax.tree.map(np.asarray, by_hand))
    chex.assert_trees_all_equal_shapes(found.by_hand, found.right)
    chex.assert_type(jax.tree.leaves(found.by_hand), np.dtype(precision))

    bound = AUTODIFF_BOUND
    if precision == "float32":
        length = _length(model, example, params)
        bound = 4 * (length + 8 * (len(params) + 1)) * float(np.finfo(np.float32).eps) / 2

    def leaf(path: tuple, hand: np.ndarray) -> Leaf:
        true, scale, slope = (_at(tree, path) for tree in (found.right, found.scales, found.slopes))
        error = float(np.abs(hand.astype(np.float64) - true).max())
        error /= max(float(np.abs(scale).max()), 1e-300)
        differences = None if slope is None else float(slope)
        return Leaf("/".join(key.key for key in path), true.shape, error, differences, bound)

    return [leaf(*pair) for pair in jax.tree_util.tree_flatten_with_path(found.by_hand)[0]]


def _draw(model: nn.Module, example: jax.ShapeDtypeStruct, rng: np.random.Generator, grid: bool):
    """Parameters within 1/8 of 0, inputs in [0, 1] or texts, targets."""

    def values(shape, low, high, step):
        drawn = rng.uniform(low, high, shape)
        return np.round(drawn / step) * step if grid else drawn

    shape = (NUM_EXAMPLES, *example.shape)
    logits, init = jax.eval_shape(
        model.init_with_output, jax.random.key(0), jnp.zeros(shape, example)
    )
    params = jax.tree.map(lambda p: values(p.shape, -1 / 8, 1 / 8, 2.0**-5), init["params"])
    if jnp.issubdtype(example.dtype, jnp.integer):
        words = params["Dense_0"]["kernel"].shape[0]
        inputs = np.stack([rng.permutation(words)[: shape[1]] for _ in range(NUM_EXAMPLES)])
        inputs[1, shape[1] // 2 :] = 0  # a shorter text
    else:
        inputs = values(shape, 0, 1, 2.0**-2)
    # With two examples of each of two classes the gradient of the last bias would nearly cancel.
    return params, inputs, np.minimum(np.arange(NUM_EXAMPLES), max(logits.shape[-1], 2) - 1)


def _narrow(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float32) if np.issubdtype(x.dtype, np.floating) else x


def _length(model: nn.Module, example: jax.ShapeDtypeStruct, params: Any) -> int:
    """How many terms the sums of the backward pass have, of all layers together."""
    length = 0
    for row in summarize(model, example.shape, example.dtype):
        layer = params.get(row.path)
        if layer is not None:
            kernel = layer["kernel"]
            length += kernel.size // kernel.shape[-2]  # outputs that an input feeds
            length += NUM_EXAMPLES * math.prod(row.output_shape[:-1])  # places of a weight
    return length


def _at(tree: Any, path: tuple) -> Any:
    for key in path:
        tree = tree[key.key]
    return tree
