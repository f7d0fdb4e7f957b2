"""From a function to a program: tracing, lowering and compiling, each timed, each from cold."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
from jax import core
from jax.experimental.compilation_cache import compilation_cache

from dl_jax.bench.variants import Program


class Built(NamedTuple):
    """A program ready to run, and the seconds that it took to make.

    Attributes:
        compiled: takes the carry and the fixed arguments.
        fixed: those arguments.
        trace: from Python to JAX's own language.
        lower: from there to XLA's.
        compile: from there to the device's.
    """

    compiled: jax.stages.Compiled
    fixed: tuple[Any, ...]
    trace: float
    lower: float
    compile: float


def build(program: Program, show: Callable[[str], None] = lambda text: None) -> Built:
    """Trace, lower and compile, once each: a second time is not what a user waits for.

    JAX's caches are emptied first; the persistent one must be off (`no_persistent_cache`). What
    XLA itself remembers, as which kernel of a GPU was fastest, stays.

    Args:
        program: what to compile.
        show: told what is being done.
    """
    jax.clear_caches()
    show("tracing")
    started = time.perf_counter()
    function, fixed = program.function, program.fixed
    if program.closed:
        function, fixed = _data_as_argument(function, program.carry)
    donated = (0,) if program.donated else ()
    traced = jax.jit(function, donate_argnums=donated).trace(program.carry, *fixed)
    was_traced = time.perf_counter()
    show("lowering")
    lowered = traced.lower()
    was_lowered = time.perf_counter()
    show("compiling")
    compiled = lowered.compile()
    was_compiled = time.perf_counter()
    return Built(
        compiled,
        fixed,
        was_traced - started,
        was_lowered - was_traced,
        was_compiled - was_lowered,
    )


def _data_as_argument(function: Callable[[Any], Any], carry: Any) -> tuple[Callable[..., Any], Any]:
    """The function with what it has within as an argument: or else that is compiled, for seconds.

    `make_train` returns a function that is compiled with its data as an argument, but only where
    it is called; within another program the data would be constants.
    """
    jaxpr = jax.make_jaxpr(function)(carry)

    def with_data(carry: jax.Array, constants: list[Any]) -> tuple[jax.Array, list[jax.Array]]:
        carry, *results = core.eval_jaxpr(jaxpr.jaxpr, constants, carry)
        return carry, results

    return with_data, (jaxpr.consts,)


@contextmanager
def no_persistent_cache() -> Iterator[None]:
    """Let every program be compiled anew, whatever a compilation cache on disk has of it."""
    before = jax.config.jax_enable_compilation_cache  # pyright: ignore[reportAttributeAccessIssue]
    _set_cache(False)
    try:
        yield
    finally:
        _set_cache(before)


def _set_cache(on: bool) -> None:
    jax.config.update("jax_enable_compilation_cache", on)
    compilation_cache.reset_cache()  # JAX asks for the setting only once
