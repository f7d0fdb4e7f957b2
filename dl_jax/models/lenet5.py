"""LeNet-5: LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document
Recognition, Proceedings of the IEEE 86 (1998); section II.B and figure 2."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from dl_jax import ops
from dl_jax.models.inputs import expect_images
from dl_jax.models.layers import AvgPool, Conv, Dense, Flatten


class LeNet5(nn.Module):
    """Two convolutions with subsampling, and three layers of neurons; names are the figure's.

    As it is built today: C3 sees all six maps where table I of the paper leaves some out,
    subsampling is a mean without coefficients of its own, and the output is dense, for a softmax,
    instead of distances to drawn digits. The paper's images are 32x32: MNIST's with a frame of two
    pixels, for which there is `pad`.

    Attributes:
        num_classes: number of logits.
        pad: rows and columns of zeros to put around the images.
    """

    num_classes: int = 10
    pad: int = 0

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n k"]:
        """Return the logits of each image."""
        del train
        expect_images("LeNet5", inputs, 16 - 2 * self.pad)
        frame = (self.pad, self.pad)
        x = jnp.pad(inputs, ((0, 0), frame, frame, (0, 0)))
        x = _squash(Conv(6, (5, 5), padding="VALID", name="c1")(x))
        x = AvgPool((2, 2), name="s2")(x)
        x = _squash(Conv(16, (5, 5), padding="VALID", name="c3")(x))
        x = AvgPool((2, 2), name="s4")(x)
        x = _squash(Dense(120, name="c5")(Flatten()(x)))
        x = _squash(Dense(84, name="f6")(x))
        return Dense(self.num_classes, name="output")(x)


def _squash(z: jax.Array) -> jax.Array:
    """`A tanh(S z)` with `f(1) = 1`: equation 6 and appendix A."""
    return 1.7159 * ops.tanh(2 / 3 * z)
