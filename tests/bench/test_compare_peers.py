"""Peers of several benchmarks: ratios side by side, of those that did the same work."""

import json

import pytest

from dl_jax.bench.compare import compare_columns
from dl_jax.bench.compare_peers import compare_peers
from dl_jax.bench.same_work import Column
from dl_jax.cli import main
from tests.bench.conftest import ABSENT, OTHER, PEER

KERAS = {**PEER, "peer": "keras_jax", "ratio": {"n": 5, "median": 4.0, "q1": 3.99, "q3": 4.01}}


@pytest.fixture
def compared(make_record, make_row):
    """From the peers of each benchmark to what `compare_peers` makes of them."""

    def compared(*peers_of, data=()):
        columns = [
            Column(name, make_record(make_row(data=kind), peers=list(peers)), "cpu:0")
            for name, peers, kind in zip(
                "abc", peers_of, data or ["synthetic"] * len(peers_of), strict=False
            )
        ]
        return compare_peers(compare_columns(columns), "abc"[: len(columns)])

    return compared


def test_ratios_stand_side_by_side_with_their_spread(compared):
    faster = {**PEER, "ratio": {"n": 5, "median": 3.0, "q1": 2.9, "q3": 3.1}}
    epoch = {**PEER, "workload": "fashion_mlp", "unit": "epoch"}
    found = compared([PEER, OTHER, ABSENT], [epoch, KERAS, faster])
    assert found.header == ("", "a", "b")
    assert found.tables == {
        "mnist_cnn, a step": [
            ["torch", "2.50 [2.20, 2.60] ?", "3.00 [2.90, 3.10]  "],
            ["keras_jax", "-  ", "4.00 [3.99, 4.01]  "],
        ],
        "fashion_mlp, an epoch": [["torch", "-  ", "2.50 [2.20, 2.60] ?"]],
    }
    assert found.remarks == []


def test_other_versions_of_a_peer_are_said(compared):
    found = compared([PEER, KERAS], [{**PEER, "version": "2.14"}, KERAS])
    assert found.remarks == ["torch: 2.13 in a, 2.14 in b"]


def test_a_benchmark_without_peers_is_said(compared):
    found = compared([PEER], [])
    assert (found.tables, found.remarks) == ({}, ["Only a has peers."])
    assert compared([], []).remarks == []


def test_peers_of_other_work_are_left_out(compared):
    found = compared([PEER], [PEER], [KERAS], data=("real", "real", "synthetic"))
    assert found.header == ("", "a", "b")
    assert [[row[0] for row in rows] for rows in found.tables.values()] == [["torch"]]
    assert found.remarks == ["The peers of c are left out, for its rows did other work."]


def test_devices_of_one_benchmark_have_its_peers_once(make_record, make_row):
    record = make_record(make_row(), make_row(device="gpu:0"), peers=[PEER])
    columns = [Column(name, record, name) for name in ("cpu:0", "gpu:0")]
    found = compare_peers(compare_columns(columns), ["A", "B"])
    assert (found.tables, found.remarks) == ({}, ["Only A has peers."])


def test_the_command_and_the_page_have_them(make_record, tmp_path, capsys):
    wide = {**PEER, "peer": "torch_embedding_bag"}
    paths = []
    for name, peers in (("a", [PEER, wide]), ("b", [PEER]), ("c", [{**PEER, "version": "2.14"}])):
        paths.append(str(tmp_path / f"{name}.json"))
        (tmp_path / f"{name}.json").write_text(json.dumps(make_record(peers=peers)))
    folder = tmp_path / "page"
    assert main(["compare", *paths, "--page", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    (row,) = [line for line in lines if line.startswith("  torch ")]
    assert row.split("  ")[-3:] == ["2.50 [2.20, 2.60] ?"] * 3
    assert "torch: 2.13 in A, 2.13 in B, 2.14 in C" in lines
    assert max(map(len, lines)) <= 100
    html = (folder / "index.html").read_text()
    assert html.count("2.50 [2.20, 2.60] ?") == 4
    assert "torch: 2.13 in a, 2.13 in b, 2.14 in c" in html
