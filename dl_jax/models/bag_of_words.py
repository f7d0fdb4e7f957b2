"""The lecture's classifier for IMDB reviews."""

from flax import linen as nn
from jaxtyping import Array, Float, Integer

from dl_jax import ops
from dl_jax.models.inputs import check_features, expect
from dl_jax.models.layers import BagOfWordsDense, Dense


class BagOfWords(nn.Module):
    """Dense layers with ReLU over the words that a text contains.

    Slide `keras.Sequential([layers.Dense(16, activation='relu'), ...])`, applied there to the
    matrix of `vectorize_sequences`. Here the first layer takes the words' ids instead; parameters
    and output are the same.

    Attributes:
        features: outputs of each layer; the last are the logits.
        num_words: size of the vocabulary.
    """

    features: tuple[int, ...] = (16, 16, 1)
    num_words: int = 10_000

    @nn.compact
    def __call__(
        self, inputs: Integer[Array, "n length"], *, train: bool = False
    ) -> Float[Array, "n k"]:
        """Return the logits of each text, given as its distinct token ids, padded with 0."""
        del train
        check_features("BagOfWords", self.features)
        expect("BagOfWords", inputs, "[n, length] of token ids", 2, integer=True)
        x = BagOfWordsDense(self.num_words, self.features[0], name="Dense_0")(inputs)
        for i, features in enumerate(self.features[1:], start=1):
            x = Dense(features, name=f"Dense_{i}")(ops.relu(x))
        return x
