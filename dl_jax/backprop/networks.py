"""The lecture's networks, forward and backward by hand on the parameters of the Flax modules.

The same arguments make the same network, not another like it: for `jit`, to which a network is a
static argument, another one would be another program.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Key, PyTree, Shaped

from dl_jax.backprop import layers, losses, tiles
from dl_jax.backprop.activations import RELU
from dl_jax.backprop.pair import Pair
from dl_jax.ops.tiles import side_before, side_behind


class Network(NamedTuple):
    """A network and its hand-derived gradient.

    Attributes:
        forward: `forward(params, inputs, key) -> (logits, residuals)`; the key is for dropout.
        backward: `backward(residuals, d_logits) -> d_params`, of the same tree as the parameters.
        loss: from logits and targets to the loss of each example, with its gradient.
    """

    forward: Callable[..., tuple[Float[Array, "n k"], Any]]
    backward: Callable[..., dict[str, dict[str, jax.Array]]]
    loss: Pair


def value_and_grad(
    network: Network,
    params: Mapping[str, Any],
    inputs: Shaped[Array, "n ..."],
    targets: Shaped[Array, "n ..."],
    key: Key[Array, ""] | None = None,
) -> tuple[tuple[Float[Array, ""], Float[Array, "n k"]], PyTree]:
    """Return the mean loss, the logits and the gradients of the parameters.

    `E = 1/n sum_i E_i`, and so `1/n` is what goes back into the loss of each example. Slides
    "Backpropagation".

    Args:
        network: from `mlp`, `cnn` or `bag_of_words_classifier`.
        params: of the Flax module of that name.
        inputs: as the module takes them.
        targets: as the loss takes them.
        key: for dropout; None, as in evaluation, for a network without.

    Returns:
        `((loss, logits), gradients)`, as `jax.value_and_grad(..., has_aux=True)` does; the
        gradients in the tree of the parameters.

    Raises:
        ValueError: if there is no example, or the parameters are not those of such a network.
    """
    if len(targets) == 0:
        raise ValueError("value_and_grad: expected at least one example, got none")
    logits, way = network.forward(params, inputs, key)
    E, loss_way = network.loss.forward(logits, targets)
    d_logits, _ = network.loss.backward(loss_way, jnp.full_like(E, 1 / E.size))
    return (E.mean(), logits), network.backward(way, d_logits)


@cache
def mlp(activation: Pair = RELU, loss: Pair = losses.MULTICLASS) -> Network:
    """Return the hand derivation of `models.MLP`, of as many layers as its parameters have.

    Args:
        activation: after each layer but the last.
        loss: of the logits.
    """

    def forward(params, inputs, key=None):
        del key
        x, _ = layers.flatten_fwd(inputs)
        (dense,) = _in_order("mlp", params, "Dense")
        return _dense_stack_fwd(activation, dense, x)

    def backward(way, d_logits):
        _, gradients = _dense_stack_bwd(activation, way, d_logits)
        return _by_name("Dense", gradients)

    return Network(forward, backward, loss)


@cache
def bag_of_words_classifier(loss: Pair = losses.BINARY) -> Network:
    """Return the hand derivation of `models.BagOfWords`, of as many layers as its parameters have.

    Args:
        loss: of the logits.
    """

    def forward(params, inputs, key=None):
        del key
        ((first, *rest),) = _in_order("bag_of_words_classifier", params, "Dense")
        z, words = layers.bag_of_words_fwd(inputs, first["kernel"])
        z = z + first["bias"][None, :]
        if not rest:
            return z, (words, None, None)
        y, relu = RELU.forward(z)
        logits, way = _dense_stack_fwd(RELU, rest, y)
        return logits, (words, relu, way)

    def backward(way, d_z):
        words, relu, dense = way
        rest = []
        if dense is not None:
            d_y, rest = _dense_stack_bwd(RELU, dense, d_z)
            (d_z,) = RELU.backward(relu, d_y)
        _, d_w = layers.bag_of_words_bwd(words, d_z)
        return _by_name("Dense", [{"kernel": d_w, "bias": d_z.sum(0)}, *rest])

    return Network(forward, backward, loss)


@cache
def cnn(dropout_rate: float = 0.5, loss: Pair = losses.MULTICLASS) -> Network:
    """Return the hand derivation of `models.CNN`, of as many convolutions as its parameters have.

    Each is 3x3, followed by ReLU and 2x2 max pooling; then dropout, where there is a key, and a
    dense layer. A key drops the values that the module drops for it.

    Args:
        dropout_rate: as the module's.
        loss: of the logits.
    """

    def forward(params, inputs, key=None):
        convs, (dense, *more) = _in_order("cnn", params, "Conv", "Dense")
        if more:
            raise ValueError(f"backprop.cnn: expected one dense layer, got {1 + len(more)}")
        depth, blocks = len(convs), []  # beyond these sides no pixel reaches an output
        height, width = (side_before(depth, side_behind(depth, i)) for i in inputs.shape[1:3])
        x = inputs[:, :height, :width]
        for conv in convs:
            x, block = tiles.conv_relu_max_pool_fwd(x, conv["kernel"], conv["bias"])
            blocks.append(block)
        x, shape = layers.flatten_fwd(x)
        mask = None
        if key is not None:
            key = jnp.asarray(_ModelStream().apply({}, rngs={"dropout": key}))
            x, mask = layers.dropout_fwd(x, key, rate=dropout_rate)
        logits, dense_way = layers.dense_fwd(x, dense["kernel"], dense["bias"])
        return logits, (blocks, shape, mask, dense_way)

    def backward(way, d_logits):
        blocks, shape, mask, dense_way = way
        d_x, d_w, d_b = layers.dense_bwd(dense_way, d_logits)
        dense = {"kernel": d_w, "bias": d_b}
        if mask is not None:
            d_x, _ = layers.dropout_bwd(mask, d_x)
        (d_x,) = layers.flatten_bwd(shape, d_x)
        convs = []
        for block in reversed(blocks):
            d_x, d_w, d_b = tiles.conv_relu_max_pool_bwd(block, d_x)
            convs.insert(0, {"kernel": d_w, "bias": d_b})
        return _by_name("Conv", convs) | _by_name("Dense", [dense])

    return Network(forward, backward, loss)


class _ModelStream(nn.Module):
    """The key that a Flax model's first dropout layer makes of the key that `apply` is given."""

    @nn.compact
    def __call__(self):
        return _LayerStream(name="Dropout_0")()


class _LayerStream(nn.Module):
    def __call__(self):
        return self.make_rng("dropout")


def _dense_stack_fwd(activation: Pair, params: list, x: jax.Array):
    way = []
    for i, layer in enumerate(params):
        if i:
            x, active = activation.forward(x)
            way.append(active)
        x, dense = layers.dense_fwd(x, layer["kernel"], layer["bias"])
        way.append(dense)
    return x, way


def _dense_stack_bwd(activation: Pair, way: list, d_z: jax.Array):
    gradients = []
    for i in reversed(range(0, len(way), 2)):
        d_z, d_w, d_b = layers.dense_bwd(way[i], d_z)
        gradients.insert(0, {"kernel": d_w, "bias": d_b})
        if i:
            (d_z,) = activation.backward(way[i - 1], d_z)
    return d_z, gradients


def _in_order(
    network: str, params: Mapping[str, Any], *kinds: str
) -> list[list[Mapping[str, jax.Array]]]:
    """For each kind, the parameters of `kind_0`, `kind_1`, ..., as Flax numbers its layers.

    Anything else in the tree is an error: it would get no gradient, and nobody would hear of it.
    """
    count = {kind: sum(name.startswith(f"{kind}_") for name in params) for kind in kinds}
    names = [[f"{kind}_{i}" for i in range(count[kind])] for kind in kinds]
    if not all(names) or set().union(*names) != set(params):
        expected = " and ".join(f"{kind}_0, {kind}_1, ..." for kind in kinds)
        raise ValueError(
            f"backprop.{network}: expected parameters {expected} as Flax names them, "
            f"got {', '.join(params) or 'none'}"
        )
    for name, layer in params.items():
        if set(layer) != {"kernel", "bias"}:
            raise ValueError(
                f"backprop.{network}: expected kernel and bias in {name}, got {', '.join(layer)}"
            )
    return [[params[name] for name in of_a_kind] for of_a_kind in names]


def _by_name(kind: str, gradients: list) -> dict[str, dict[str, jax.Array]]:
    return {f"{kind}_{i}": gradient for i, gradient in enumerate(gradients)}
