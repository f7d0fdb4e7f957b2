"""AlexNet: Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep Convolutional Neural
Networks, NIPS 2012; section 3.5 and figure 2."""

from flax import linen as nn
from jaxtyping import Array, Float

from dl_jax import ops
from dl_jax.models.initializers import he_init
from dl_jax.models.inputs import expect_images
from dl_jax.models.layers import Conv, Dense, Dropout, Flatten, LocalResponseNorm, MaxPool


class AlexNet(nn.Module):
    """Five convolutions and three dense layers.

    The paper says 224x224; its arithmetic, and the lecture's, holds for 227x227. Kernels are
    initialised after He et al. 2015 instead of N(0, 0.01), with which training hardly begins.

    Attributes:
        num_classes: number of logits.
        features: kernels of each convolution.
        groups: of convolutions 2, 4 and 5: two, one for each GPU, as published; 1 in the
            single-stream form.
        padding: of the first convolution.
        normalize: whether the first two layers have local response normalisation.
        dropout_rate: in front of the first two dense layers.
    """

    num_classes: int = 1000
    features: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256)
    groups: int = 2
    padding: int = 0
    normalize: bool = True
    dropout_rate: float = 0.5

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n k"]:
        """Return the logits of each image; training needs the random stream `"dropout"`."""
        expect_images("AlexNet", inputs, 67 - 2 * self.padding)
        groups, pool = (1, self.groups, 1, self.groups, self.groups), (3, 3)
        x = inputs
        for i, (kernels, group) in enumerate(zip(self.features, groups, strict=True), start=1):
            size, stride, pad = ((11, 4, self.padding), (5, 1, 2), (3, 1, 1))[min(i, 3) - 1]
            conv = Conv(
                kernels, (size, size), stride, pad, feature_group_count=group,
                kernel_init=he_init, name=f"conv{i}",
            )  # fmt: skip
            x = ops.relu(conv(x))
            if self.normalize and i <= 2:
                x = LocalResponseNorm(name=f"norm{i}")(x)
            if i in (1, 2, 5):
                x = MaxPool(pool, (2, 2), name=f"pool{i}")(x)
        x = Flatten()(x)
        for name in ("fc6", "fc7"):
            x = Dropout(self.dropout_rate, name=f"drop_{name}")(x, train=train)
            x = ops.relu(Dense(4096, kernel_init=he_init, name=name)(x))
        return Dense(self.num_classes, name="fc8")(x)
