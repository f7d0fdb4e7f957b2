"""The proof of the hand derivations, and the mistakes that it must catch."""

from dl_jax.backprop.proof.case import Case
from dl_jax.backprop.proof.mistakes import MISTAKES, Mistake, is_caught, make_mistake
from dl_jax.backprop.proof.prove import AUTODIFF_BOUND, DIFFERENCES_BOUND, Leaf, Precision, prove
from dl_jax.backprop.proof.rules import RULES, Rule

__all__ = [
    "AUTODIFF_BOUND",
    "DIFFERENCES_BOUND",
    "MISTAKES",
    "RULES",
    "Case",
    "Leaf",
    "Mistake",
    "Precision",
    "Rule",
    "is_caught",
    "make_mistake",
    "prove",
]
