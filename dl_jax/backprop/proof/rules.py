"""Every hand derivation as something to prove: its slide, and cases of random shapes.

A case's reference is written independently of the rule, by the definition on the slide or with
`jax.lax`, and differentiated automatically.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from dl_jax.backprop import activations, images, layers, losses, neurons, tiles
from dl_jax.backprop.proof import cases, image_cases
from dl_jax.backprop.proof.case import Case, distinct, few_values, normal, probabilities


class Rule(NamedTuple):
    """A hand derivation and how to make cases of it.

    Attributes:
        slide: where the lecture has it.
        derivation: the function that holds the gradient's formula.
        case: `case(rng, derivation) -> Case`, with shapes and values drawn from rng.
    """

    slide: str
    derivation: Callable[..., Any]
    case: Callable[[np.random.Generator, Callable[..., Any]], Case]


def _activations() -> dict[str, Rule]:
    a, each = activations, cases.activation_case
    relu = each(a.relu_fwd, lambda z: jnp.where(z > 0, z, 0), distinct)
    softmax = each(a.softmax_fwd, cases.softmax, low=2)
    return {
        "sigmoid": Rule("Sigmoid Function", a.sigmoid_bwd, each(a.sigmoid_fwd, cases.sigmoid)),
        "tanh": Rule("Tanh", a.tanh_bwd, each(a.tanh_fwd, cases.tanh)),
        "tanh_from_sigmoid": Rule("Tanh", a.tanh_from_sigmoid, cases.identity_case),
        "relu": Rule("Restricted linear unit (ReLU)", a.relu_bwd, relu),
        "softmax": Rule("Softmax", a.softmax_bwd, softmax),
        "softmax_jacobian": Rule("Softmax", a.softmax_jacobian, cases.jacobian_case),
    }


def _losses() -> dict[str, Rule]:
    def rule(slide, name, reference, first, second):
        forward, backward = getattr(losses, f"{name}_fwd"), getattr(losses, f"{name}_bwd")
        return {name: Rule(slide, backward, cases.loss_case(forward, reference, first, second))}

    def half(y, t):
        return 0.5 * ((t - y) ** 2).sum()

    def mean(y, t):
        return ((t - y) ** 2).mean(-1)

    def fused_binary(z, t):
        return cases.binary_cross_entropy(cases.sigmoid(z), t)

    def fused_categorical(z, t):
        return cases.categorical_cross_entropy(cases.softmax(z), t)

    table, p = "Choice of Activation/Loss functions", probabilities
    return {
        **rule("Loss function", "half_squared_error", half, normal, normal),
        **rule(table, "mean_squared_error", mean, normal, normal),
        **rule(table, "binary_cross_entropy", cases.binary_cross_entropy, p, p),
        **rule(table, "categorical_cross_entropy", cases.categorical_cross_entropy, p, p),
        **rule(table, "sigmoid_binary_cross_entropy", fused_binary, normal, p),
        **rule(table, "softmax_cross_entropy", fused_categorical, normal, p),
        "softmax_cross_entropy_of_classes": Rule(
            table, losses.softmax_cross_entropy_bwd, cases.classes_case
        ),
    }


def _pools() -> dict[str, Rule]:
    def rule(kind, reference, values, **kind_of_case):
        forward, backward = getattr(images, f"{kind}_fwd"), getattr(images, f"{kind}_bwd")
        case = image_cases.pool_case(forward, reference, values, **kind_of_case)
        return Rule("Pooling", backward, case)

    largest, mean = image_cases.max_reference, image_cases.avg_reference
    return {
        "max_pool": rule("max_pool", largest, distinct),
        "max_pool_of_ties": rule("max_pool", largest, few_values, smooth=False),
        "avg_pool": rule("avg_pool", mean, normal),
    }


_linear, _sigmoid = cases.neuron_case(lambda z: z), cases.neuron_case(cases.sigmoid)
RULES: dict[str, Rule] = {
    "perceptron_rule": Rule("Perceptron", neurons.perceptron_rule, cases.perceptron_case),
    **_activations(),
    **_losses(),
    "linear_delta_rule": Rule("gradient descent", neurons.linear_delta_rule, _linear),
    "sigmoid_delta_rule": Rule(
        "The final step is the update of the network weights", neurons.sigmoid_delta_rule, _sigmoid
    ),
    "dense": Rule("Feed Forward Network", layers.dense_bwd, cases.dense_case),
    "layer_recursion": Rule("Backpropagation", layers.layer_recursion, cases.recursion_case),
    "batch_update": Rule("Backpropagation", layers.batch_update, cases.batch_case),
    "flatten": Rule("Convolutional vs Feed-Forward", layers.flatten_bwd, cases.flatten_case),
    "conv": Rule("Convolution Kernel and Bias", images.conv_bwd, image_cases.conv_case),
    **_pools(),
    "conv_relu_max_pool": Rule("Pooling", tiles.conv_relu_max_pool_bwd, image_cases.block_case),
    "dropout": Rule("layers.Dropout(0.5)", layers.dropout_bwd, cases.dropout_case),
    "bag_of_words": Rule("We need to vectorize input", layers.bag_of_words_bwd, cases.words_case),
}
"""The rules by name, in the order of the lecture."""
