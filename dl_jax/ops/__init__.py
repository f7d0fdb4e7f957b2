"""The arithmetic: activations, convolution, pooling, dropout, the bag of words."""

from dl_jax.ops.activations import relu, sigmoid, softmax, tanh
from dl_jax.ops.bag_of_words import bag_of_words, multi_hot
from dl_jax.ops.convolution import conv_general_dilated
from dl_jax.ops.dropout import dropout
from dl_jax.ops.pooling import avg_pool, max_pool

__all__ = [
    "avg_pool",
    "bag_of_words",
    "conv_general_dilated",
    "dropout",
    "max_pool",
    "multi_hot",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]
