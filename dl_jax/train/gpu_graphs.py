"""CUDA graphs: how many kernels a GPU is given at once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_OPTION = "--xla_gpu_enable_command_buffer"
_CONVOLUTIONS_TOO = f"{_OPTION}=+CONVOLUTION"


@contextmanager
def convolutions_in_graphs() -> Iterator[None]:
    """Let XLA launch convolutions in the same CUDA graphs as all other kernels.

    Left to itself it ends a graph at each convolution and begins another, which makes a training
    step of ResNet-50 1.24 times as long (`docs/performance.md`). XLA reads `XLA_FLAGS` once, with
    its first device, which has to be used within; what they say of graphs already stays. They are
    as before at the end: other frameworks' XLA may not know the flag.
    """
    before = os.environ.get("XLA_FLAGS")
    flags = (before or "").split()
    if not any(flag.startswith(_OPTION) for flag in flags):
        flags.append(_CONVOLUTIONS_TOO)
    os.environ["XLA_FLAGS"] = " ".join(flags)
    try:
        yield
    finally:
        del os.environ["XLA_FLAGS"]
        if before is not None:
            os.environ["XLA_FLAGS"] = before
