"""Values that are computed once, whatever they are used for.

XLA's compiler for a CPU merges what is cheap into each of its uses, and computes it again there; an
`optimization_barrier` it removes. It does not do so across a condition whose two sides compute
something, although they come to the same. `docs/performance.md` has what this is worth.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Num


def once(x: Num[Array, "..."], *, back: bool = True) -> Num[Array, "..."]:
    """Return x, on a CPU computed once; and so is its gradient, unless `back` is False."""
    return _once.bind(x, back=back)


def _on_cpu(x: jax.Array, *, back: bool) -> jax.Array:
    if x.size == 0:
        return x
    first = x[(0,) * x.ndim]
    is_float = jnp.issubdtype(x.dtype, jnp.inexact)
    unlikely = jnp.isnan(first) if is_float else first == jnp.iinfo(x.dtype).max
    one = unlikely.astype(x.dtype)  # where the product is taken
    return lax.cond(unlikely, lambda x: one * x, lambda x: x, x)


_once = core.Primitive("once")
_once.def_impl(lambda x, back: x)
_once.def_abstract_eval(lambda x, back: x)
ad.deflinear2(_once, lambda d, _, back: [once(d) if back else d])
batching.defvectorized(_once)
mlir.register_lowering(_once, mlir.lower_fun(lambda x, back: x, multiple_results=False))
mlir.register_lowering(_once, mlir.lower_fun(_on_cpu, multiple_results=False), "cpu")
