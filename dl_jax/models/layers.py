"""The layers that Flax has only as functions, as modules: so that each is a row of the summary."""

from functools import partial

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Integer, Shaped

from dl_jax import ops
from dl_jax.models.initializers import glorot_init

Dense = partial(nn.Dense, kernel_init=glorot_init, dot_general=ops.dot_general)
Conv = partial(nn.Conv, kernel_init=glorot_init, conv_general_dilated=ops.conv_general_dilated)

DATA_FIELDS = "hyperparams"
"""The collection with the values of a model's `data_fields`, where they are data of the program.

A model names those of its fields that change no shapes, and takes each as
`self.get_variable(DATA_FIELDS, name, self.name)`: without such a variable it is a constant.
"""


class MaxPool(nn.Module):
    """The largest value of each window. Slide "Pooling".

    Attributes:
        window: height and width of the windows.
        strides: distance between windows; unless given they touch and do not overlap.
        padding: rows and columns of nothing on each side.
        round_up: whether a last window may overhang, so that the output size is rounded up; it has
            to begin in front of the map's end, as with PyTorch's `ceil_mode`.
    """

    window: tuple[int, int] = (2, 2)
    strides: tuple[int, int] | None = None
    padding: int = 0
    round_up: bool = False

    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n out_h out_w c"]:
        """Pool each channel."""
        strides = self.strides or self.window
        pads = []
        for side, size, step in zip(x.shape[1:3], self.window, strides, strict=True):
            over = -(side + 2 * self.padding - size) % step if self.round_up else 0
            if self.padding + over >= size:  # the last window would see nothing of the map
                over = 0
            pads.append((self.padding, self.padding + over))
        return ops.max_pool(x, self.window, strides, pads)


class AvgPool(nn.Module):
    """The mean of each window. Slide "Pooling".

    Attributes:
        window: height and width of the windows; unless given, one window is the whole map.
        strides: distance between windows; unless given they touch and do not overlap.
    """

    window: tuple[int, int] | None = None
    strides: tuple[int, int] | None = None

    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n out_h out_w c"]:
        """Pool each channel."""
        if self.window is None:
            return x.mean((1, 2), keepdims=True)
        return ops.avg_pool(x, self.window, self.strides or self.window)


class BatchNorm(nn.Module):
    """`ops.batch_norm`, with running averages of mean and variance for what is no training.

    Variables are those of `nn.BatchNorm`, under the same names, and so are its values, to rounding.

    Attributes:
        momentum: what the averages keep of themselves at each step.
        epsilon: what is added to the variance.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: Float[Array, "n ... c"], *, train: bool) -> Float[Array, "n ... c"]:
        """Normalise each channel, in training over the batch; `batch_stats` change then."""
        size = x.shape[-1:]
        mean = self.variable("batch_stats", "mean", jnp.zeros, size, jnp.float32)
        var = self.variable("batch_stats", "var", jnp.ones, size, jnp.float32)
        scale = self.param("scale", nn.initializers.ones, size, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, size, jnp.float32)
        if not train:
            return ops.normalized(x, mean.value, var.value, scale, bias, self.epsilon)
        y, *now = ops.batch_norm(x, scale, bias, self.epsilon)
        if not self.is_initializing():
            for average, new in zip((mean, var), now, strict=True):
                average.value = self.momentum * average.value + (1 - self.momentum) * new
        return y


class LocalResponseNorm(nn.Module):
    """Each value over what its neighbouring channels make of the same place: `ops`' of that name.

    Attributes:
        size: channels that count, the value's own in the middle.
        alpha: weight of their squares.
        beta: exponent.
        k: what is added to them.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 2.0

    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
        """Normalise across channels."""
        return ops.local_response_norm(x, self.size, self.alpha, self.beta, self.k)


def conv_relu_max_pool(
    conv: nn.Conv, pool: MaxPool, x: Float[Array, "n h w c"]
) -> Float[Array, "n out_h out_w f"]:
    """Return `pool(relu(conv(x)))`: layer by layer to initialise them, then as one operation.

    Args:
        conv: a convolution without padding, at stride 1.
        pool: of windows of 2x2 that touch.
        x: images or feature maps.

    Raises:
        ValueError: for another convolution or other windows.
    """
    ones = (None, 1, (1, 1))
    plain = conv.strides in ones and conv.kernel_dilation in ones and conv.input_dilation in ones
    plain = plain and conv.padding == "VALID" and conv.use_bias and conv.feature_group_count == 1
    touching = (pool.window, pool.strides, pool.padding, pool.round_up) == ((2, 2), None, 0, False)
    if not (plain and touching):
        raise ValueError(
            "conv_relu_max_pool: expected a convolution with bias, padding 'VALID', stride 1, "
            f"one group and no dilation, and windows of 2x2 that touch, got {conv} and {pool}"
        )
    if conv.is_initializing():
        return pool(ops.relu(conv(x)))
    params = conv.variables["params"]
    return ops.conv_relu_max_pool(x, params["kernel"], params["bias"])


class Flatten(nn.Module):
    """One row an example. Slide "Convolutional vs Feed-Forward"."""

    def __call__(self, x: Shaped[Array, "n ..."]) -> Shaped[Array, "n size"]:
        """Reshape to `[n, size]`."""
        return x.reshape(x.shape[0], -1)


class Dropout(nn.Module):
    """Dropout in training, the identity otherwise.

    Attributes:
        rate: the share of values set to zero; an array may be known only as the program runs.
    """

    rate: float | Float[Array, ""]

    def __call__(self, x: Float[Array, "n ..."], *, train: bool) -> Float[Array, "n ..."]:
        """Drop values with the random stream `"dropout"`."""
        return ops.dropout(x, self.rate, self.make_rng("dropout")) if train else x


class BagOfWordsDense(nn.Module):
    """A dense layer over the multi-hot vector of a sequence's words, without that vector.

    Its parameters are those of `nn.Dense` on the multi-hot matrix, and so is its output, to
    rounding.

    Attributes:
        num_words: size of the vocabulary.
        features: number of outputs.
    """

    num_words: int
    features: int

    @nn.compact
    def __call__(self, ids: Integer[Array, "n length"]) -> Float[Array, "n features"]:
        """Apply to distinct token ids, 0 where a sequence has ended."""
        kernel = self.param("kernel", glorot_init, (self.num_words, self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return ops.bag_of_words(ids, kernel) + bias[None, :]
