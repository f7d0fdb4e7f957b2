"""Compiled programs are kept on disk, so that an experiment starts sooner the second time."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import jax
from jax import monitoring

from dl_jax.data.cache import cache_dir


@contextmanager
def kept_programs() -> Iterator[Counter[str]]:
    """Keep the programs that are compiled from here on in `programs` of the user's cache folder.

    JAX's own settings have precedence: `JAX_COMPILATION_CACHE_DIR` names another folder,
    `JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS` says what is worth keeping, and
    `JAX_ENABLE_COMPILATION_CACHE=false` keeps, and counts, nothing. JAX never deletes from it,
    unless `JAX_COMPILATION_CACHE_MAX_SIZE` says so.

    Yields:
        How many programs were `"found"` there and how many were `"compiled"` and kept, counted as
        they are, in this block.
    """
    counts = Counter(found=0, compiled=0)
    names = {
        "/jax/compilation_cache/cache_hits": "found",
        "/jax/compilation_cache/cache_misses": "compiled",
    }

    def count(event: str, **_: object) -> None:
        if event in names:
            counts[names[event]] += 1

    if jax.config.jax_compilation_cache_dir is None:  # pyright: ignore[reportAttributeAccessIssue]
        jax.config.update("jax_compilation_cache_dir", str(cache_dir() / "programs"))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        # Small programs too: together they take as long as the large ones.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    monitoring.register_event_listener(count)
    try:
        yield counts
    finally:
        monitoring.unregister_event_listener(count)
