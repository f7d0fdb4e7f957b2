"""Whether a peer computes what this project computes."""

from collections.abc import Mapping

STEPS = 20
TOLERANCE, ACCELERATOR_TOLERANCE = 1e-4, 1e-2
"""How far two losses may be apart, relative to ours, before the check's steps and after them.

In float32, a relative change of 2^-24 of every parameter moves the loss after 20 steps by up to
4e-7 of it on the synthetic data and 1e-5 on the real ones, of which MNIST is the worst; by as much
float32 differs from float64. The bound is ten times that. Mistakes move the loss by more: dropout
by 0.01 and more, a learning rate that is 1 % off by 9e-4, a bias that is not trained by 1.5e-4,
Keras' place of epsilon in Adam by 6e-4, PyTorch's in RMSprop by 0.09. On an accelerator, matrix
products are in TF32 or coarser, which is 8,000 times the rounding; there the bound sees large
mistakes alone.
"""


def difference(ours: Mapping[str, float], theirs: Mapping[str, float], platform: str) -> str | None:
    """Return what is different, for people; None if the losses agree.

    Args:
        ours: the loss `before` and `after` the steps.
        theirs: the same of the peer.
        platform: where both compute: `"cpu"`, or else an accelerator.
    """
    tolerance = TOLERANCE if platform == "cpu" else ACCELERATOR_TOLERANCE
    for when, what in (("before", "starts from"), ("after", "computes")):
        expected, got = ours[when], theirs[when]
        if not abs(got - expected) <= tolerance * abs(expected):  # nor if it is NaN
            steps = f" after {STEPS} steps" if when == "after" else ""
            return f"{what} something else: loss {got:.6g} instead of {expected:.6g}{steps}"
    return None
