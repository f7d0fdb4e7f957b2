"""What `--sweep` takes, and what it says of what it does not."""

import pytest

from experiments import classic_cnns, fashion_mnist_mlp, mnist_cnn
from experiments.grid import grid_of, label

MLP, CNN = fashion_mnist_mlp.Config(), mnist_cnn.Config()


def test_a_grid_is_every_combination():
    assert grid_of(["learning_rate=1e-3,0.01", "dropout-rate=0,0.5"], CNN) == [
        {"learning_rate": 0.001, "dropout_rate": 0.0},
        {"learning_rate": 0.001, "dropout_rate": 0.5},
        {"learning_rate": 0.01, "dropout_rate": 0.0},
        {"learning_rate": 0.01, "dropout_rate": 0.5},
    ]
    assert grid_of([], CNN) == [{}]
    assert label({"learning_rate": 0.001, "dropout_rate": 0.5}) == (
        "learning rate 0.001, dropout rate 0.5"
    )
    assert grid_of(["learning_rate=0.1"], classic_cnns.Config())


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        (["learning_rate"], "expected NAME=VALUE,VALUE,..., got 'learning_rate'"),
        (["learning_rate="], "expected NAME=VALUE,VALUE"),
        (["learning_rate=fast,slow"], "expected numbers with commas, got 'fast,slow'"),
        (["learning_rate=0.1,,0.2"], "expected numbers with commas"),
        (["learning_rate=nan"], "at least 0 and finite, got nan"),
        (["learning_rate=inf"], "at least 0 and finite, got inf"),
        (["learning_rate=-1"], "at least 0 and finite, got -1"),
        (["learning_rate=0.1,1e-1"], "a value is there twice"),
        (["learning_rate=1", "learning_rate=2"], "learning_rate is there twice"),
        (
            ["momentum=0.9"],
            "there is no setting 'momentum'; expected learning_rate or dropout_rate",
        ),
        (["batch_size=32,64"], "batch_size cannot be swept.*--batch-size VALUE, or sweep learning"),
        (["features=8,16"], "features cannot be swept"),
        (["validation_split=0.1,0.2"], "validation_split cannot be swept"),
        (["dropout_rate=0,1"], "at least 0 and below 1, got 1"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_with_a_reason(sweep, message):
    with pytest.raises(ValueError, match=message):
        grid_of(sweep, CNN)


def test_a_derivation_by_hand_has_its_dropout_rate_within_it():
    config = mnist_cnn.Config(gradients="hand")
    assert grid_of(["learning_rate=0.1"], config)
    with pytest.raises(ValueError, match="use --gradients autodiff"):
        grid_of(["dropout_rate=0.1"], config)
    with pytest.raises(ValueError, match=r"no setting 'dropout_rate'; expected learning_rate$"):
        grid_of(["dropout_rate=0.1"], MLP)
