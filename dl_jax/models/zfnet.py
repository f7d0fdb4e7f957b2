"""ZFNet: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014;
figure 3."""

from flax import linen as nn
from jaxtyping import Array, Float

from dl_jax import ops
from dl_jax.models.initializers import he_init
from dl_jax.models.inputs import expect_images
from dl_jax.models.layers import Conv, Dense, Dropout, Flatten, LocalResponseNorm, MaxPool


class ZFNet(nn.Module):
    """AlexNet in one stream, with smaller kernels and strides in its first two layers.

    The figure's sizes, 224, 110, 55, 26, 13, 13, 13, 13 and 6, follow with a frame of one pixel
    around the images and windows that may overhang. Its contrast normalisation across maps is
    AlexNet's; it stands behind pooling. Kernels are initialised after He et al. 2015.

    Attributes:
        num_classes: number of logits.
        dropout_rate: in front of the first two dense layers.
    """

    num_classes: int = 1000
    dropout_rate: float = 0.5

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n k"]:
        """Return the logits of each image; training needs the random stream `"dropout"`."""
        expect_images("ZFNet", inputs, 47)
        layers = ((96, 7, 2, 1), (256, 5, 2, 0), (384, 3, 1, 1), (384, 3, 1, 1), (256, 3, 1, 1))
        x = inputs
        for i, (kernels, size, stride, pad) in enumerate(layers, start=1):
            conv = Conv(kernels, (size, size), stride, pad, kernel_init=he_init, name=f"conv{i}")
            x = ops.relu(conv(x))
            if i in (1, 2, 5):
                x = MaxPool((3, 3), (2, 2), round_up=True, name=f"pool{i}")(x)
            if i <= 2:
                x = LocalResponseNorm(name=f"norm{i}")(x)
        x = Flatten()(x)
        for name in ("fc6", "fc7"):
            x = Dropout(self.dropout_rate, name=f"drop_{name}")(x, train=train)
            x = ops.relu(Dense(4096, kernel_init=he_init, name=name)(x))
        return Dense(self.num_classes, name="fc8")(x)
