"""Seeds trained as one program of which some go wrong: which they are, and where in the first."""

from collections.abc import Callable, Sequence

from dl_jax.train import NonFiniteError


def cause(
    what: str, wrong: Sequence[int], seeds: Sequence[int], epoch: int, again: Callable[[], object]
) -> FloatingPointError:
    """Return the error that ends the program.

    Compiled steps of many seeds look at nothing but their losses; step and layer are found by
    training the first that went wrong again, alone.

    Args:
        what: is not finite.
        wrong: places of the seeds of which it is not.
        seeds: all of them.
        epoch: from 1, in which they went wrong.
        again: trains the first of them up to the end of that epoch, and raises where it goes wrong.
    """
    those = [seeds[i] for i in wrong]
    some = f"{', '.join(map(str, those[:5]))}{', ...' if len(those) > 5 else ''}"
    many = f"{len(those)} of {len(seeds)} seeds, {some}"
    print(f"Seed {those[0]} goes wrong; its epoch is made again to find where", flush=True)
    try:
        again()
    except NonFiniteError as error:
        place = f"{error.place}, with seed {those[0]}; by then the {what} of {many}"
        return NonFiniteError(error.step, error.epoch, place)
    return FloatingPointError(
        f"not finite in epoch {epoch}: the {what} of {many}; alone, seed {those[0]} stays finite: "
        "the device does not compute the same in both"
    )
