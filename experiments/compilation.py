"""Compiled programs are kept on disk, so that an experiment starts sooner the second time."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import jax
from jax import monitoring

from dl_jax.data.cache import cache_dir


@contextmanager
def kept_programs() -> Iterator[Counter[str]]:
    """Keep the programs that are compiled in the block, in `programs` of the user's cache folder.

    JAX's own settings have precedence: `JAX_COMPILATION_CACHE_DIR` names another folder, and
    `JAX_ENABLE_COMPILATION_CACHE=false` keeps nothing.

    Yields:
        How many programs were `"found"` there and how many were `"compiled"`, counted as they are.
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
    # Small programs too: together they take as long as the large ones.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    monitoring.register_event_listener(count)
    try:
        yield counts
    finally:
        monitoring.unregister_event_listener(count)
