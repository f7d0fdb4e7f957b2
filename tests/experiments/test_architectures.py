"""The table of the classic networks: its rows, and which of the others is compared."""

import time

import pytest

from experiments import architectures
from experiments.architectures import YEARS, Config, run
from experiments.options import changed
from experiments.torchvision_peers import NAMES

SETTINGS = {"names": ("lenet5",), "rounds": 3, "batch_size": 2}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_network_is_a_row_with_its_times(monkeypatch):
    monkeypatch.setattr(architectures, "torch_calls", lambda *_: {})
    record = run(Config(**SETTINGS))
    (table,) = list(record.result.get("tables", ()))
    (row,) = table["rows"]
    # 416,520 products of two operations each, and the means of its pooling.
    assert row[:4] == ("lenet5", "1998", 61_706, pytest.approx(0.00084, rel=0.01))
    assert all(float(row[i] or 0) > 0 for i in (4, 6))
    assert row[5] is row[7] is None
    assert not record.result["figures"]
    assert (record.result["times"]["evaluation"] or 0) > 0


def test_the_fastest_of_the_others_is_compared(monkeypatch):
    waits = {
        "slow": lambda number: time.sleep(0.5 * number),
        "fast": lambda number: time.sleep(0.05 * number),
    }
    monkeypatch.setattr(architectures, "torch_calls", lambda *_: {"forward": waits})
    monkeypatch.setitem(NAMES, "lenet5", "two pauses")
    record = run(Config(**SETTINGS))
    (figure,) = record.result["figures"]
    (table,) = list(record.result.get("tables", ()))
    forward = float(table["rows"][0][4] or 0)
    assert figure["name"] == "lenet5, forward, of PyTorch's time"
    assert figure["source"] == "two pauses"
    # Its own time over 50 ms and what a pause takes longer; over 500 ms it would be a tenth.
    assert 0.5 * forward / 50 < figure["value"] < 1.5 * forward / 50


@pytest.mark.parametrize(
    ("config", "expected"),
    [(Config(names=("vgg16",), rounds=9), []), (Config(batch_size=2), ["batch_size 2"])],
)
def test_bounds_hold_for_any_networks_and_rounds_but_not_for_another_batch(config, expected):
    assert changed(config) == expected


def test_every_network_with_a_peer_has_a_year():
    assert NAMES.keys() <= YEARS.keys()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ("resnet17",)}, "names: expected some of lenet5, .*, got resnet17"),
        ({"names": ()}, "names: expected some of lenet5, .*, got none"),
        ({"rounds": 0}, "rounds: expected at least 1, got 0"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
    ],
)
def test_what_cannot_be_timed(changes, message):
    with pytest.raises(ValueError, match=message):
        run(Config(**SETTINGS | changes))
