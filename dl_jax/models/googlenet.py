"""GoogLeNet: Szegedy et al., Going Deeper with Convolutions, CVPR 2015; table 1 and figure 3."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from dl_jax import ops
from dl_jax.models.initializers import he_init
from dl_jax.models.inputs import expect_images
from dl_jax.models.layers import (
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    LocalResponseNorm,
    MaxPool,
)

TABLE = {  # columns #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5 and pool proj of table 1
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class GoogLeNet(nn.Module):
    """Nine inception modules, each four branches side by side, and two heads on the way.

    In training the logits are `[n, 3, k]`: those of the network and of its heads, which
    `losses.with_auxiliary_heads` weighs as the paper does; else `[n, k]`. Names are torchvision's.
    The heads pool windows of 5x5, which images of 79x79 or more have room for; what was initialised
    on such images, or without heads, takes smaller ones as well.

    Attributes:
        num_classes: number of logits.
        batch_norm: batch normalisation, as in its successor and in torchvision's weights, instead
            of biases and local response normalisation; the third branch is then 3x3 as there.
        auxiliary: whether there are the two heads.
    """

    num_classes: int = 1000
    batch_norm: bool = False
    auxiliary: bool = True

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n *heads k"]:
        """Return the logits of each image; training needs the random stream `"dropout"`."""
        with_heads = self.auxiliary and (train or self.is_initializing())
        # Maps are halved four times, the last time rounding down or up, and three times before 4d.
        alone = 15 if self.batch_norm else 31
        if with_heads:
            expect_images("GoogLeNet with its auxiliary heads", inputs, 79)
        expect_images("GoogLeNet", inputs, alone)
        normalize = (lambda name: lambda x: x) if self.batch_norm else _response_norm
        heads = []
        x = BasicConv(64, 7, 2, self.batch_norm, name="conv1")(inputs, train=train)
        x = normalize("norm1")(MaxPool((3, 3), (2, 2), round_up=True, name="maxpool1")(x))
        x = BasicConv(64, 1, 1, self.batch_norm, name="conv2")(x, train=train)
        x = BasicConv(192, 3, 1, self.batch_norm, name="conv3")(x, train=train)
        x = MaxPool((3, 3), (2, 2), round_up=True, name="maxpool2")(normalize("norm2")(x))
        for name, widths in TABLE.items():
            if name == "4a":
                x = MaxPool((3, 3), (2, 2), round_up=True, name="maxpool3")(x)
            if name == "5a":
                size = (2, 2) if self.batch_norm else (3, 3)
                x = MaxPool(size, (2, 2), round_up=True, name="maxpool4")(x)
            x = Inception(widths, self.batch_norm, name=f"inception{name}")(x, train=train)
            if with_heads and name in ("4a", "4d"):
                head = Head(self.num_classes, self.batch_norm, name=f"aux{len(heads) + 1}")
                heads.append(head(x, train=train))
        x = Dropout(0.4, name="dropout")(Flatten()(AvgPool(name="avgpool")(x)), train=train)
        logits = Dense(self.num_classes, name="fc")(x)
        return jnp.stack([logits, *heads], axis=1) if train and heads else logits


class BasicConv(nn.Module):
    """A convolution that keeps the size of a map at stride 1, and ReLU.

    Attributes:
        features: its kernels.
        size: their height and width.
        stride: distance between windows.
        batch_norm: as in `GoogLeNet`.
    """

    features: int
    size: int
    stride: int
    batch_norm: bool

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], *, train: bool) -> Float[Array, "n i j f"]:
        """Return the maps."""
        conv = Conv(
            self.features, (self.size, self.size), self.stride, self.size // 2,
            use_bias=not self.batch_norm, kernel_init=he_init, name="conv",
        )  # fmt: skip
        x = conv(x)
        if self.batch_norm:
            x = BatchNorm(epsilon=1e-3, name="bn")(x, train=train)
        return ops.relu(x)


class Inception(nn.Module):
    """Four branches over the same maps, and their maps one behind the other; figure 2 (b).

    Attributes:
        widths: a row of table 1.
        batch_norm: as in `GoogLeNet`.
    """

    widths: tuple[int, int, int, int, int, int]
    batch_norm: bool

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], *, train: bool) -> Float[Array, "n h w f"]:
        """Return the maps of all branches."""

        def conv(features: int, size: int, name: str, x: jax.Array) -> jax.Array:
            return BasicConv(features, size, 1, self.batch_norm, name=name)(x, train=train)

        one, three_in, three, five_in, five, projected = self.widths
        pooled = MaxPool((3, 3), (1, 1), padding=1, name="branch4_0")(x)
        branches = (
            conv(one, 1, "branch1", x),
            conv(three, 3, "branch2_1", conv(three_in, 1, "branch2_0", x)),
            conv(five, 3 if self.batch_norm else 5, "branch3_1", conv(five_in, 1, "branch3_0", x)),
            conv(projected, 1, "branch4_1", pooled),
        )
        return jnp.concatenate(branches, axis=-1)


class Head(nn.Module):
    """An auxiliary classifier on the maps of a lower module; section 5.

    Attributes:
        num_classes: number of logits.
        batch_norm: as in `GoogLeNet`.
    """

    num_classes: int
    batch_norm: bool

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], *, train: bool) -> Float[Array, "n k"]:
        """Return the logits."""
        x = AvgPool((5, 5), (3, 3), name="pool")(x)
        x = BasicConv(128, 1, 1, self.batch_norm, name="conv")(x, train=train)
        x = ops.relu(Dense(1024, kernel_init=he_init, name="fc1")(Flatten()(x)))
        x = Dropout(0.7, name="dropout")(x, train=train)
        return Dense(self.num_classes, name="fc2")(x)


def _response_norm(name: str) -> LocalResponseNorm:
    return LocalResponseNorm(name=name)
