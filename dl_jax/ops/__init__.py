"""The arithmetic: products, convolution, pooling, activations, dropout, bags of words, shapes."""

from dl_jax.ops.activations import relu, sigmoid, softmax, tanh
from dl_jax.ops.arithmetic import (
    ConvParameters,
    conv_output_size,
    conv_parameters,
    pool_output_size,
    receptive_field,
)
from dl_jax.ops.bag_of_words import add_to_words, bag_of_words, multi_hot
from dl_jax.ops.batch_norm import batch_norm, normalized
from dl_jax.ops.conv_relu_max_pool import conv_relu_max_pool, examples_outermost
from dl_jax.ops.convolution import conv_general_dilated
from dl_jax.ops.dense import dot_general
from dl_jax.ops.dropout import dropout
from dl_jax.ops.local_response_norm import local_response_norm
from dl_jax.ops.pooling import avg_pool, max_pool
from dl_jax.ops.shapes import Description, describe, to_channels_first, to_channels_last

__all__ = [
    "ConvParameters",
    "Description",
    "add_to_words",
    "avg_pool",
    "bag_of_words",
    "batch_norm",
    "conv_general_dilated",
    "conv_output_size",
    "conv_parameters",
    "conv_relu_max_pool",
    "describe",
    "dot_general",
    "dropout",
    "examples_outermost",
    "local_response_norm",
    "max_pool",
    "multi_hot",
    "normalized",
    "pool_output_size",
    "receptive_field",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
    "to_channels_first",
    "to_channels_last",
]
