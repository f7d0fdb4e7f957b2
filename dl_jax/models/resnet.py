"""ResNet: He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition, CVPR 2016; table 1
and figure 5."""

from flax import linen as nn
from jaxtyping import Array, Float

from dl_jax import ops
from dl_jax.models.initializers import he_init
from dl_jax.models.inputs import expect_images
from dl_jax.models.layers import AvgPool, BatchNorm, Conv, Dense, Flatten, MaxPool
from dl_jax.ops.once import once


class ResNet(nn.Module):
    """Four stages of residual blocks; names are those of the usual implementations.

    Attributes:
        depths: blocks of each stage.
        bottleneck: whether a block is 1x1, 3x3, 1x1 (figure 5, right) instead of 3x3, 3x3.
        stride_first: whether a bottleneck halves its map in its first convolution, as published,
            instead of in its 3x3 one, as implementations have it since (version 1.5).
        kernel_size: of the first convolution: 7, or 3 for small images as in section 4.2.
        strides: of the first convolution.
        pool: whether its maps are pooled, which those of small images are not.
        num_classes: number of logits.
    """

    depths: tuple[int, int, int, int]
    bottleneck: bool = False
    stride_first: bool = False
    kernel_size: int = 7
    strides: int = 2
    pool: bool = True
    num_classes: int = 1000

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n k"]:
        """Return the logits of each image; training changes the collection `"batch_stats"`."""
        expect_images("ResNet", inputs, 1)
        x = _conv(64, self.kernel_size, self.strides, "conv1")(inputs)
        x = ops.relu(BatchNorm(name="bn1")(x, train=train))
        if self.pool:
            x = MaxPool((3, 3), (2, 2), padding=1, name="maxpool")(x)
        for stage, depth in enumerate(self.depths):
            for i in range(depth):
                block = Block(
                    64 * 2**stage,
                    stride=2 if stage and not i else 1,
                    bottleneck=self.bottleneck,
                    stride_first=self.stride_first,
                    name=f"layer{stage + 1}_{i}",
                )
                x = block(x, train=train)
        x = Flatten()(AvgPool(name="avgpool")(x))
        return Dense(self.num_classes, name="fc")(x)


class Block(nn.Module):
    """`y = relu(F(x) + x)`, equations 1 and 2, with a 1x1 convolution on x where sizes differ.

    Attributes:
        width: kernels of the 3x3 convolutions; a bottleneck puts out four times as many maps.
        stride: by which the maps get smaller.
        bottleneck: as in `ResNet`.
        stride_first: as in `ResNet`.
    """

    width: int
    stride: int
    bottleneck: bool
    stride_first: bool

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], *, train: bool) -> Float[Array, "n i j f"]:
        """Return the block's maps."""
        if self.bottleneck:
            strides = (self.stride, 1, 1) if self.stride_first else (1, self.stride, 1)
            widths = (self.width, self.width, 4 * self.width)
            layers = list(zip(widths, (1, 3, 1), strides, strict=True))
        else:
            layers = [(self.width, 3, self.stride), (self.width, 3, 1)]
        y = x
        for i, (features, size, stride) in enumerate(layers, start=1):
            y = _conv(features, size, stride, f"conv{i}")(y)
            y = BatchNorm(name=f"bn{i}")(y, train=train)
            if i < len(layers):
                y = ops.relu(y)
        if x.shape != y.shape:
            x = _conv(y.shape[-1], 1, self.stride, "downsample_0")(x)
            x = BatchNorm(name="downsample_1")(x, train=train)
        # The next block needs it twice, and the one behind again.
        return once(ops.relu(y + x), back=False)


def _conv(features: int, size: int, stride: int, name: str) -> nn.Conv:
    return Conv(
        features, (size, size), stride, size // 2, use_bias=False, kernel_init=he_init, name=name
    )
