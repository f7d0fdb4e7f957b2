"""Values that are computed once, whatever they are used for.

XLA's compiler for a CPU merges what is cheap into each of its uses, and computes it again there; an
`optimization_barrier` it removes. A call that is not to be inlined it leaves alone, even of a
function that returns its argument. `docs/performance.md` has what this is worth.
"""

import jax
from jax.experimental.xla_metadata import set_xla_metadata
from jax.extend import core
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Num


def once(x: Num[Array, "..."], *, back: bool = True) -> Num[Array, "..."]:
    """Return x, on a CPU computed once; and so is its gradient, unless `back` is False."""
    return _once.bind(x, back=back)


@jax.jit
def _unchanged(x: jax.Array) -> jax.Array:
    return x


def _on_cpu(x: jax.Array, *, back: bool) -> jax.Array:
    with set_xla_metadata(inlineable="false"):
        return _unchanged(x)


_once = core.Primitive("once")
_once.def_impl(lambda x, back: x)
_once.def_abstract_eval(lambda x, back: x)
ad.deflinear2(_once, lambda d, _, back: [once(d) if back else d])
batching.defvectorized(_once)
mlir.register_lowering(_once, mlir.lower_fun(lambda x, back: x, multiple_results=False))
mlir.register_lowering(_once, mlir.lower_fun(_on_cpu, multiple_results=False), "cpu")
