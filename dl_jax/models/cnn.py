"""The lecture's convolutional network for MNIST."""

from flax import linen as nn
from jaxtyping import Array, Float

from dl_jax import ops
from dl_jax.models.inputs import check_features, expect
from dl_jax.models.layers import (
    DATA_FIELDS,
    Conv,
    Dense,
    Dropout,
    Flatten,
    MaxPool,
    conv_relu_max_pool,
)
from dl_jax.ops.tiles import side_before, side_behind


class CNN(nn.Module):
    """Convolutions 3x3, each with ReLU and 2x2 max pooling; then dropout and a dense layer.

    Slide `keras.Sequential([keras.Input(shape=input_shape), layers.Conv2D(32, ...), ...])`, and
    keras.io's example "Simple MNIST convnet".

    Attributes:
        features: kernels of each convolution.
        num_classes: number of logits.
        dropout_rate: share of the flattened features set to zero in training.
    """

    features: tuple[int, ...] = (32, 64)
    num_classes: int = 10
    dropout_rate: float = 0.5
    data_fields = ("dropout_rate",)  # no field: without annotation

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n k"]:
        """Return the logits of each image; training needs the random stream `"dropout"`."""
        check_features("CNN", self.features)
        expect("CNN", inputs, "[n, height, width, channels]", 4)
        depth = len(self.features)
        smallest = side_before(depth, 1)
        if min(inputs.shape[1:3]) < smallest:
            raise ValueError(
                f"CNN: expected images of at least {smallest}x{smallest} for "
                f"{depth} convolutions, got {inputs.shape[1]}x{inputs.shape[2]}"
            )
        x = inputs
        if not self.is_initializing():  # where the summary sees the lecture's shapes
            # Rows and columns that pooling drops, here or behind the next convolution, cost time.
            height, width = (side_before(depth, side_behind(depth, i)) for i in x.shape[1:3])
            x = x[:, :height, :width]
        for features in self.features:
            x = conv_relu_max_pool(Conv(features, (3, 3), padding="VALID"), MaxPool(), x)
        rate = self.get_variable(DATA_FIELDS, "dropout_rate", self.dropout_rate)
        x = Dropout(rate)(Flatten()(ops.examples_outermost(x)), train=train)
        return Dense(self.num_classes)(x)
