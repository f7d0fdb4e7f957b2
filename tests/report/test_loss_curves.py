"""Two loss curves that should be one, and what is said of them."""

import numpy as np
import pytest

from dl_jax import report

STEPS = np.arange(1.0, 4)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ([2.0, 1.0, 0.5], "They do not differ."),
        ([2.0, 1.1, 0.5], "They differ by 1.0e-01 at most."),
        ([2.0, 1.0, np.nan], "They do not stay finite."),
    ],
)
def test_the_caption_says_how_far_they_are_apart(second, said, tmp_path):
    losses = {"one": np.array([2.0, 1.0, 0.5]), "other": np.array(second)}
    picture = report.plot_loss_curves(STEPS, losses, tmp_path / "p.png", title="A network")
    assert picture.caption.endswith(said)
    assert picture.path.exists()


def test_curves_of_other_lengths_are_refused(tmp_path):
    losses = {"one": np.ones(3), "other": np.ones(2)}
    with pytest.raises(ValueError, match=r"losses: expected two of shape \(3,\), got"):
        report.plot_loss_curves(STEPS, losses, tmp_path / "p.png", title="A network")
