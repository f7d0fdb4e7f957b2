"""How far rounding can take the results of a function: Wilkinson's running error analysis."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

MOVES = {
    "abs", "broadcast_in_dim", "clamp", "concatenate", "convert_element_type", "copy",
    "dynamic_slice", "dynamic_update_slice", "gather", "max", "min", "neg", "once", "pad",
    "patches", "reduce_max", "reduce_min", "reduce_window_max", "reshape", "rev", "scatter",
    "select_n", "slice", "sort", "squeeze", "transpose",
}  # fmt: skip
"""Operations that do not round: they move values, choose among them, or change a sign."""
SUMS = {
    "add_any", "bag_of_words", "bag_of_words_by_x", "conv_general_dilated", "conv_tiles",
    "conv_tiles_by_w", "conv_tiles_by_x", "convolution", "cumsum", "dot_general", "fold",
    "reduce_sum", "reduce_window_sum", "scatter-add",
}  # fmt: skip
"""Sums of their operands or of products of them, in whatever order."""
ARITHMETIC = {"add", "sub", "mul", "div", "square", "sqrt"}
"""Operations whose result is rounded correctly."""
ELEMENTARY = {
    "cbrt", "cos", "cosh", "erf", "exp", "exp2", "expm1", "integer_pow", "log", "log1p", "logistic",
    "pow", "rsqrt", "sin", "sinh", "tan", "tanh",
}  # fmt: skip
"""Functions that compilers compute to a few units of the last place; 8 are allowed."""

Bounded = tuple[jax.Array, jax.Array | None]
"""A value in float64 and the bound of its error, in units of rounding; None for what is exact."""


def rounding_errors(function: Callable[..., Any], *inputs: Any) -> Any:
    """Return how far rounding can take each number that a function returns, in units u.

    To first order in u = 2^-24, the largest relative error of one rounding to float32. Each value
    carries a bound of its error, beginning with `u |x|` for an input or a constant, unless float32
    holds it exactly. An operation `y = f(x)` hands on `|df/dx|` times the bounds of its operands
    and adds the error that it makes: `u |y|` in arithmetic, 8 times that in exp and its like, and
    for a sum of L terms, in any order, `L u` times the sum of their absolute values. So a sum that
    cancels has a bound that says so, wherever in the function it is. (Higham, Accuracy and
    Stability of Numerical Algorithms, section 3.3; Wilkinson's.)

    Args:
        function: of arrays, to a tree of arrays; its operations are looked at one by one.
        *inputs: where; floating ones in float64, in which the bounds are computed.

    Returns:
        The bounds, a tree like the function's result; zeros for integers.

    Raises:
        NotImplementedError: for an operation that is not listed here; names it.
    """
    program, shapes = jax.make_jaxpr(function, return_shape=True)(*inputs)
    flat = [_rounded(x) for x in jax.tree.leaves(inputs)]
    found = _run(program, flat)
    errors = [jnp.zeros(jnp.shape(x)) if error is None else error for x, error in found]
    return jax.tree.unflatten(jax.tree.structure(shapes), errors)


def _rounded(x: Any) -> Bounded:
    """A value that float32 is to hold: exact where it can."""
    if not _is_float(x):
        return x, None
    return x, jnp.where(x.astype(jnp.float32).astype(x.dtype) == x, 0, jnp.abs(x))


def _is_float(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)


def _run(program: Any, inputs: Sequence[Bounded]) -> list[Bounded]:
    """Evaluate a jaxpr, closed or open, on values with bounds."""
    jaxpr = getattr(program, "jaxpr", program)
    known = dict(zip(jaxpr.constvars, map(_rounded, getattr(program, "consts", ())), strict=True))
    known |= zip(jaxpr.invars, inputs, strict=True)

    def read(atom: Any) -> Bounded:
        if hasattr(atom, "val"):  # a literal
            return _rounded(jnp.asarray(atom.val, atom.aval.dtype))
        return known[atom]

    for step in jaxpr.eqns:
        operands = [read(atom) for atom in step.invars]
        known |= zip(step.outvars, _step(step, operands), strict=True)
    return [read(atom) for atom in jaxpr.outvars]


def _step(step: Any, operands: list[Bounded]) -> list[Bounded]:
    name, params = step.primitive.name, step.params
    if name == "stop_gradient":  # what rounding did to it does not stop here
        return operands
    if name == "cond":
        branches = [lambda o, branch=b: _run(branch, o) for b in params["branches"]]
        return list(lax.switch(operands[0][0], branches, operands[1:]))
    inner = params.get("jaxpr", params.get("call_jaxpr"))
    if inner is not None:  # jit, checkpoint, custom_jvp
        return _run(inner, operands)

    def apply(values: Sequence[jax.Array]) -> Any:
        return step.primitive.bind(*values, **params)

    values = [value for value, _ in operands]
    result = apply(values)
    if step.primitive.multiple_results or not _is_float(result):
        if any(_is_float(y) for y in jax.tree.leaves(result)):
            raise NotImplementedError(f"the rounding of the operation {name} is not known")
        return [(y, None) for y in jax.tree.leaves(result)]
    return [(result, _error(name, apply, values, [error for _, error in operands], result))]


def _error(
    name: str,
    apply: Callable[[Sequence[jax.Array]], jax.Array],
    values: list[jax.Array],
    errors: list[jax.Array | None],
    result: jax.Array,
) -> jax.Array:
    """The bound of a result: what the operands' bounds come to, and the operation's own."""
    if name in MOVES:
        own = jnp.zeros_like(result)
    elif name in SUMS:
        # The same operation on absolute values: of the terms, of the errors, and of ones, to count.
        values = [jnp.abs(x) if _is_float(x) else x for x in values]
        ones = [jnp.ones_like(x) if _is_float(x) else x for x in values]
        own = apply(ones) * apply(values)
    elif name in ARITHMETIC | ELEMENTARY:
        own = (8 if name in ELEMENTARY else 1) * jnp.abs(result)
    else:
        raise NotImplementedError(f"the rounding of the operation {name} is not known")
    for i, error in enumerate(errors):
        if error is not None:
            by_one = lambda x, i=i: apply([*values[:i], x, *values[i + 1 :]])  # noqa: E731
            own = own + jnp.abs(jax.jvp(by_one, (values[i],), (error,))[1])
    return own
