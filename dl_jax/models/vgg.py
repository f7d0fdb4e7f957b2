"""VGG: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition,
ICLR 2015; table 1, columns A, B, D and E."""

from flax import linen as nn
from jaxtyping import Array, Float

from dl_jax import ops
from dl_jax.models.initializers import he_init
from dl_jax.models.inputs import expect_images
from dl_jax.models.layers import Conv, Dense, Dropout, Flatten, MaxPool


class VGG(nn.Module):
    """Five groups of 3x3 convolutions with pooling behind each, and three dense layers.

    Kernels are initialised after He et al. 2015, which the paper's pre-training does without.

    Attributes:
        depths: convolutions of each group: (1, 1, 2, 2, 2), (2, 2, 2, 2, 2), (2, 2, 3, 3, 3) and
            (2, 2, 4, 4, 4) for 11, 13, 16 and 19 layers.
        num_classes: number of logits.
        dropout_rate: behind the first two dense layers.
    """

    depths: tuple[int, int, int, int, int]
    num_classes: int = 1000
    dropout_rate: float = 0.5

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n k"]:
        """Return the logits of each image; training needs the random stream `"dropout"`."""
        expect_images("VGG", inputs, 32)
        x = inputs
        widths = (64, 128, 256, 512, 512)
        for group, (depth, width) in enumerate(zip(self.depths, widths, strict=True), start=1):
            for i in range(1, depth + 1):
                conv = Conv(width, (3, 3), padding=1, kernel_init=he_init, name=f"conv{group}_{i}")
                x = ops.relu(conv(x))
            x = MaxPool(name=f"pool{group}")(x)
        x = Flatten()(x)
        for name in ("fc6", "fc7"):
            x = ops.relu(Dense(4096, kernel_init=he_init, name=name)(x))
            x = Dropout(self.dropout_rate, name=f"drop_{name}")(x, train=train)
        return Dense(self.num_classes, name="fc8")(x)
