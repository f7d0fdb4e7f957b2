"""The proof of every hand derivation, and of the networks made of them: `dl-jax gradcheck`."""

from dl_jax.gradcheck.check import Checked, Injected, Outcome, gradcheck
from dl_jax.gradcheck.networks import NETWORKS, check_network

__all__ = ["NETWORKS", "Checked", "Injected", "Outcome", "check_network", "gradcheck"]
