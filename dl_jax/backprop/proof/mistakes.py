"""Plausible mistakes in the derivations, to show that the proof would find them.

Each is a change of a rule's text: what stands there, and what somebody might have written.
"""

import inspect
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dl_jax.backprop.proof.prove import Precision, prove
from dl_jax.backprop.proof.rules import RULES


class Mistake(NamedTuple):
    """A wrong derivation.

    Attributes:
        rule: its name in `RULES`.
        what: the mistake in words.
        right: a text that occurs once in the derivation's source.
        wrong: what stands there instead.
    """

    rule: str
    what: str
    right: str
    wrong: str


def make_mistake(mistake: Mistake) -> Callable[..., Any]:
    """Return the rule's derivation with the mistake in it.

    Raises:
        ValueError: if the text is not there exactly once, as after a change of the rule.
    """
    derivation = RULES[mistake.rule].derivation
    source = textwrap.dedent(inspect.getsource(derivation))
    start = source.index('"""', source.index('"""') + 3) + 3  # the docstring has the equation, too
    if source[start:].count(mistake.right) != 1:
        raise ValueError(
            f"mistake '{mistake.what}' of {mistake.rule}: expected {mistake.right!r} once in its "
            f"source, found it {source[start:].count(mistake.right)} times; bring the mistake up "
            "to date"
        )
    names: dict[str, Any] = {}
    text = source[:start] + source[start:].replace(mistake.right, mistake.wrong)
    known = dict(inspect.unwrap(derivation).__globals__)  # a test may have wrapped it
    exec(compile(text, f"<{mistake.what}>", "exec"), known, names)
    return names[derivation.__name__]


def is_caught(mistake: Mistake, num_cases: int = 8, precision: Precision = "float64") -> bool:
    """Whether the proof fails at one of some cases; a derivation that can't be run has failed.

    Differences are left out: a mistake is one in the backward pass alone, where automatic
    differentiation of the reference sees all that they would see, in half of the time. That they
    catch what it cannot, a reference with the same mistake, is tested by itself.

    Args:
        mistake: what to make.
        num_cases: shapes and values at which to look for it, at the most.
        precision: of the hand derivation.
    """
    rule, derivation = RULES[mistake.rule], make_mistake(mistake)
    for seed in range(num_cases):
        case = rule.case(np.random.default_rng(seed), derivation)._replace(smooth=False)
        try:
            if not all(leaf.passed for leaf in prove(case, precision)):
                return True
        except (TypeError, ValueError, AssertionError):  # shapes that do not fit
            return True
    return False


MISTAKES: tuple[Mistake, ...] = tuple(
    Mistake(*words)
    for words in (
        ("perceptron_rule", "sign", "(t - perceptron", "(-t + perceptron"),
        ("perceptron_rule", "not halved", " / 2", ""),
        ("perceptron_rule", "the bias learns too much", "x, change", "x, 2 * change"),
        ("sigmoid", "1 - y is missing", "y * (1 - y)", "y"),
        ("sigmoid", "y is missing", "y * (1 - y)", "(1 - y)"),
        ("sigmoid", "1 + y for 1 - y", "1 - y", "1 + y"),
        ("tanh", "y not squared", "y**2", "y"),
        ("tanh", "the sigmoid's derivative", "(1 - y**2)", "y * (1 - y)"),
        ("tanh_from_sigmoid", "2 x is x", "2 * x", "x"),
        ("tanh_from_sigmoid", "1 not taken off", " - 1", ""),
        ("relu", "the mask is missing", "jnp.where(positive, d_y, 0)", "d_y"),
        ("relu", "the mask upside down", "d_y, 0", "0, d_y"),
        ("softmax", "the other outputs are forgotten", "y * d_y, axis", "0 * d_y, axis"),
        ("softmax", "only the diagonal, y (1 - y)",
         "d_y - jnp.sum(y * d_y, axis=-1, keepdims=True)", "(1 - y) * d_y"),
        ("softmax", "mean for sum", "jnp.sum", "jnp.mean"),
        ("softmax", "summed over the examples", "axis=-1", "axis=0"),
        ("softmax_jacobian", "sign of the products", "delta - y", "delta + y"),
        ("softmax_jacobian", "transposed product", "y[..., :, None] * (delta - y[..., None, :])",
         "y[..., None, :] * (delta - y[..., None, :])"),
        ("half_squared_error", "sign", "-d_t, d_t", "d_t, d_t"),
        ("half_squared_error", "the half is forgotten", "d_E * error", "2 * d_E * error"),
        ("half_squared_error", "what comes back is forgotten", "d_E * error", "error"),
        ("mean_squared_error", "sum for mean", " / error.shape[-1]", ""),
        ("mean_squared_error", "mean over the examples, too", "error.shape[-1]", "error.size"),
        ("mean_squared_error", "the 2 is forgotten", "2 / ", "1 / "),
        ("binary_cross_entropy", "1 - y is missing", "(1 - t) / (1 - y)", "(1 - t)"),
        ("binary_cross_entropy", "sign", "t / y)", "-t / y)"),
        ("binary_cross_entropy", "not divided by y", "t / y)", "t)"),
        ("categorical_cross_entropy", "sign", "-t / y", "t / y"),
        ("categorical_cross_entropy", "not divided by y", "-t / y", "-t"),
        ("sigmoid_binary_cross_entropy", "the sigmoid's derivative twice", "(y - t) * d_E",
         "(y - t) * y * (1 - y) * d_E"),
        ("sigmoid_binary_cross_entropy", "sign", "(y - t)", "(t - y)"),
        ("sigmoid_binary_cross_entropy", "the logit for the output", "(y - t)", "(z - t)"),
        ("softmax_cross_entropy", "the logits for the outputs", "(ops.softmax(z) * t", "(z * t"),
        ("softmax_cross_entropy", "sign", "=True) - t)", "=True) + t)"),
        ("softmax_cross_entropy_of_classes", "the target is not taken off",
         "jax.nn.one_hot(t, z.shape[-1], dtype=z.dtype)", "0"),
        ("softmax_cross_entropy_of_classes", "off by one class", "one_hot(t,", "one_hot(t - 1,"),
        ("linear_delta_rule", "sign", "t - y", "y - t"),
        ("linear_delta_rule", "mean for sum", "(x.T @ (t - y))", "(x.T @ (t - y)) / len(t)"),
        ("linear_delta_rule", "epsilon twice", "epsilon *", "epsilon**2 *"),
        ("sigmoid_delta_rule", "1 - y is missing", "y * (1 - y) *", "y *"),
        ("sigmoid_delta_rule", "no derivative at all", "y * (1 - y) *", ""),
        ("sigmoid_delta_rule", "the derivative at z, not at y", "y * (1 - y)",
         "(x @ w) * (1 - x @ w)"),
        ("dense", "the kernel is not transposed", "d_z @ w.T",
         "(d_z @ w if len(w) == len(w.T) else d_z @ w.T)"),
        ("dense", "mean over the batch", "x.T @ d_z", "x.T @ d_z / len(x)"),
        ("dense", "bias summed over the wrong axis", "d_z.sum(0)",
         "(d_z.sum(1) if len(d_z) == len(d_z.T) else d_z.sum(0))"),
        ("dense", "bias averaged", "d_z.sum(0)", "d_z.mean(0)"),
        ("layer_recursion", "1 - y is missing", "y_j * (1 - y_j)", "y_j"),
        ("layer_recursion", "the derivative of the layer below", "y_j * (1 - y_j)",
         "y_j * (1 - y_j.mean())"),
        ("layer_recursion", "dE/dy_j for dE/dz_j", "d_z_j @ w.T", "d_y_j @ w.T"),
        ("layer_recursion", "y_j for y_i", "y_i[:, :, None]",
         "jnp.zeros_like(y_i)[:, :, None] + y_j.mean(1)[:, None, None]"),
        ("batch_update", "mean for sum", "sum(0)", "mean(0)"),
        ("batch_update", "sign", "-epsilon", "epsilon"),
        ("batch_update", "one example for all", "gradients.sum(0)", "gradients[0]"),
        ("flatten", "columns first", "d_y.reshape(x.shape)", "d_y.reshape(x.shape, order='F')"),
        ("conv", "the kernel is not flipped", "d_taps.reshape(*d_z.shape[:3], *w.shape[:3])",
         "d_taps.reshape(*d_z.shape[:3], *w.shape[:3])[:, :, :, ::-1, ::-1]"),
        ("conv", "kernel gradient: stride forgotten", "patches(_pad(x, margins, 0.0), windows)",
         "patches(_pad(x, margins, 0.0), windows._replace(strides=(1, 1)))"
         "[:, :d_z.shape[1], :d_z.shape[2]]"),
        ("conv", "kernel gradient: stride off by one", "patches(_pad(x, margins, 0.0), windows)",
         "patches(_pad(x, margins, 0.0), windows._replace("
         "strides=tuple(max(s - 1, 1) for s in strides)))[:, :d_z.shape[1], :d_z.shape[2]]"),
        ("conv", "input gradient: stride forgotten",
         "fold(d_taps.reshape(*d_z.shape[:3], *w.shape[:3]), windows)",
         "fold(jnp.zeros((len(x), *windows._replace(strides=(1, 1)).output, *w.shape[:3]), x.dtype)"
         ".at[:, :d_z.shape[1], :d_z.shape[2]].set(d_taps.reshape(*d_z.shape[:3], *w.shape[:3])), "
         "windows._replace(strides=(1, 1)))"),
        ("conv", "kernel gradient a pixel off", "patches(_pad(x, margins, 0.0),",
         "patches(jnp.roll(_pad(x, margins, 0.0), 1, 1),"),
        ("conv", "input gradient a pixel off", "_crop(d_x, margins)",
         "_crop(jnp.roll(d_x, 1, 2), margins)"),
        ("conv", "height and width of the kernel exchanged", "(taps.T @ rows).reshape(w.shape)",
         "(taps.T @ rows).reshape(w.shape).swapaxes(0, 1).reshape(w.shape)"),
        ("conv", "bias averaged over the image", "d_z.sum((0, 1, 2))", "d_z.mean((1, 2)).sum(0)"),
        ("conv", "bias of the first example", "d_z.sum((0, 1, 2))", "d_z[0].sum((0, 1))"),
        ("conv", "padding cropped from the wrong side", "_crop(d_x, margins)",
         "_crop(d_x, tuple((high, low) for low, high in margins))"),
        ("max_pool", "every value gets the gradient", "order == first", "order >= 0"),
        ("max_pool", "the smallest value", "taps == y[:, :, :, None, None]",
         "taps == taps.min((3, 4), keepdims=True)"),
        ("max_pool", "the mean's gradient",
         "jnp.where(order == first, d_y[:, :, :, None, None], 0)",
         "jnp.where(order >= 0, d_y[:, :, :, None, None] / order.size, 0)"),
        ("max_pool_of_ties", "ties given twice", "order == first", "largest"),
        ("max_pool_of_ties", "the last of ties", "order, order.size).min(", "order, -1).max("),
        ("max_pool_of_ties", "ties shared",
         "jnp.where(order == first, d_y[:, :, :, None, None], 0)",
         "largest * d_y[:, :, :, None, None] / largest.sum((3, 4), keepdims=True)"),
        ("avg_pool", "sum for mean", "d_y / np.prod(windows.size)", "d_y / 1"),
        ("avg_pool", "divided by one side", "np.prod(windows.size)", "windows.size[0]"),
        ("avg_pool", "a pixel off", "fold(jnp.broadcast_to(share, shape), windows)",
         "jnp.roll(fold(jnp.broadcast_to(share, shape), windows), 1, 1)"),
        ("conv_relu_max_pool", "every place gets the gradient", "is_place(place)",
         "(is_place(place) | True)"),
        ("conv_relu_max_pool", "the place next to the largest", "is_place(place)",
         "is_place(place)[::-1]"),
        ("conv_relu_max_pool", "ReLU forgotten in the bias", "jnp.where(place < 4, d_y, 0)", "d_y"),
        ("conv_relu_max_pool", "bias of all places", "jnp.where(place < 4, d_y, 0)",
         "jnp.where(place < 4, 4 * d_y, 0)"),
        ("conv_relu_max_pool", "the kernel flipped", "by_x(d_z, w, tiles)",
         "by_x(d_z, w[::-1, ::-1], tiles)"),
        ("conv_relu_max_pool", "the input a pixel off", "tiles).transpose(3, 1, 2, 0)",
         "tiles).transpose(3, 1, 2, 0)[:, ::-1]"),
        ("dropout", "the mask is not rescaled", "mask * d_y", "(mask > 0) * d_y"),
        ("dropout", "rescaled, not masked", "jnp.where(mask > 0, mask * d_y, 0)",
         "mask.max() * d_y"),
        ("dropout", "masked and rescaled twice", "mask * d_y", "mask**2 * d_y"),
        ("bag_of_words", "the first text alone", "add_to_words(d_y, ids,",
         "add_to_words(d_y[:1], ids[:1],"),
        ("bag_of_words", "a word off", "ids, len(w)", "ids + 1, len(w)"),
        ("bag_of_words", "mean over the texts", "add_to_words(d_y, ",
         "add_to_words(d_y / len(ids), "),
    )
)  # fmt: skip
