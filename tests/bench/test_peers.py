"""The comparison with other frameworks: fair turns, checked losses, and a row for whoever fails."""

import json
import os
import sys
from pathlib import Path

import pytest

from dl_jax.bench.peers import busy, catalog, run, run_peers
from dl_jax.bench.peers.run import Row

FAKE = """
import json, os, sys
settings = json.loads(sys.argv[1])
turns = iter(settings["turns"])
for line in sys.stdin:
    question = json.loads(line)
    with open(settings["log"], "a") as log:
        print(json.dumps([settings["name"], question, os.environ.get("BACKEND")]), file=log)
    if question["do"] == settings["dies"]:
        sys.exit("out of luck")
    if question["do"] == "prepare":
        answer = {key: settings[key] for key in ("version", "platform", "note", "reference")}
    elif question["do"] == "check":
        answer = settings["losses"][question["reference"]]
        answer = dict(zip(("before", "after"), answer))
    else:
        answer = {"seconds": next(turns)}
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def fakes(monkeypatch, tmp_path):
    """Two peers and this project, as processes that answer what the test says."""
    settings = {
        name: {
            "name": name,
            "log": str(tmp_path / "log"),
            "dies": "",
            "version": "1.0",
            "platform": "cpu",
            "note": "as it comes",
            "reference": "",
            "losses": {"": [2.3, 1.5]},
            "turns": [1.0] * 20,
        }
        for name in (catalog.OURS, "first", "second")
    }
    monkeypatch.setattr(catalog, "PEERS", {"first": catalog.Entry(""), "second": catalog.Entry("")})
    monkeypatch.setattr(run, "pause", lambda seconds: 0.0)

    def command(peer, workload):
        return [sys.executable, "-c", FAKE, json.dumps(settings[peer])]

    monkeypatch.setattr(run, "worker_command", command)
    return settings


def compare(rounds=2, show=lambda text: None, **more):
    return run_peers(["fashion_mlp"], rounds=rounds, data="synthetic", show=show, **more)


def questions(fakes) -> list[tuple[str, str]]:
    lines = Path(fakes["first"]["log"]).read_text().splitlines()
    return [(name, question["do"]) for name, question, _ in map(json.loads, lines)]


def test_a_row_of_a_peer(fakes):
    fakes[catalog.OURS]["turns"] = [1.0, 2.0, 4.0, *[1.0] * 3]
    fakes["first"]["turns"] = [3.0, 2.0, 2.0]
    shown: list[str] = []
    first, second = compare(rounds=3, show=shown.append)
    assert set(first) == set(Row.__annotations__)
    assert (first["workload"], first["peer"]) == ("fashion_mlp", "first")
    assert (first["baseline"], first["unit"], first["version"]) == ("dl_jax", "epoch", "1.0")
    assert (first["note"], first["missing"]) == ("as it comes", None)
    assert (first["loss_ours"], first["loss_peer"]) == (1.5, 1.5)
    assert first["ours_seconds"] == {"n": 3, "median": 2.0, "q1": 1.5, "q3": 3.0}
    assert first["seconds"] == {"n": 3, "median": 2.0, "q1": 2.0, "q3": 2.5}
    assert first["ratio"] == {"n": 3, "median": 1.0, "q1": 0.75, "q3": 2.0}  # of 3, 1 and 1/2
    assert second["ratio"]["median"] == 1.0
    assert "fashion_mlp: first, pair 3 of 3" in shown
    json.dumps([first, second])


def test_the_turns_alternate_and_each_is_checked_before(fakes):
    compare(rounds=2)
    ours, pair = catalog.OURS, lambda peer: [(catalog.OURS, "turn"), (peer, "turn")] * 2
    assert questions(fakes) == [
        (ours, "prepare"),
        ("first", "prepare"), (ours, "check"), ("first", "check"), *pair("first"),
        ("second", "prepare"), ("second", "check"), *pair("second"),  # ours is checked once
    ]  # fmt: skip


def test_pairs_end_when_they_took_long_but_not_before_there_are_five(fakes, monkeypatch):
    monkeypatch.setattr(run, "_MOST_SECONDS", 0.0)
    assert [row["ratio"]["n"] for row in compare(rounds=8)] == [5, 5]
    assert [row["ratio"]["n"] for row in compare(rounds=2)] == [2, 2]


def test_a_peer_that_is_not_installed_is_left_out_and_nothing_is_started_for_it(fakes, monkeypatch):
    monkeypatch.setitem(catalog.PEERS, "first", catalog.Entry("", ("no_torch",)))
    first, second = compare()
    assert first["missing"] == "no_torch is not installed: pip install dl-jax[peers]"
    assert first["ratio"] is first["seconds"] is first["version"] is first["loss_ours"] is None
    assert second["missing"] is None
    assert "first" not in dict(questions(fakes))
    monkeypatch.setitem(catalog.PEERS, "first", catalog.Entry("", ("json", "no_a", "no_b")))
    assert catalog.missing("first") == "no_a and no_b are not installed: pip install dl-jax[peers]"


def test_a_peer_that_cannot_train_this_is_no_row(fakes, monkeypatch):
    monkeypatch.setitem(catalog.PEERS, "first", catalog.Entry("", (), ("imdb_bow",)))
    assert [row["peer"] for row in compare()] == ["second"]


@pytest.mark.parametrize("when", ["prepare", "check", "turn"])
def test_a_peer_that_dies_leaves_the_others_alone(fakes, when):
    fakes["first"]["dies"] = when
    first, second = compare()
    assert first["missing"] == "its process ended with exit code 1: out of luck"
    assert first["ratio"] is first["seconds"] is first["loss_peer"] is None
    assert (second["missing"], second["ratio"]["n"]) == (None, 2)


@pytest.mark.parametrize("when", ["prepare", "check", "turn"])
def test_where_this_project_dies_it_is_said_that_it_was_not_the_peer(fakes, when):
    fakes[catalog.OURS]["dies"] = when
    for row in compare():
        assert row["missing"].startswith("dl_jax itself failed: its process")
        assert row["ratio"] is None


def test_a_peer_that_computes_something_else_gets_no_ratio(fakes):
    fakes["first"]["losses"] = {"": [2.3, 1.5003]}
    fakes["second"]["losses"] = {"": [2.3, 1.50014]}
    first, second = compare()
    assert first["note"] == "computes something else: loss 1.5003 instead of 1.5 after 20 steps"
    assert (first["loss_ours"], first["loss_peer"], first["missing"]) == (1.5, 1.5003, None)
    assert first["ratio"] is first["seconds"] is first["ours_seconds"] is None
    assert ("first", "turn") not in questions(fakes)
    assert second["ratio"] is not None


@pytest.mark.parametrize("loss", [2.4, float("nan")])
def test_a_peer_that_starts_from_something_else_gets_no_ratio(fakes, loss):
    fakes["first"]["losses"] = {"": [loss, 1.5]}
    first, _ = compare()
    assert first["note"] == f"starts from something else: loss {loss:.6g} instead of 2.3"
    assert first["ratio"] is None


def test_a_peer_is_checked_against_the_reference_that_it_names(fakes):
    fakes[catalog.OURS]["losses"]["theirs"] = [2.3, 1.6]
    fakes["first"] |= {"reference": "theirs", "losses": {"": [2.3, 1.6]}}
    first, second = compare()
    assert (first["loss_ours"], second["loss_ours"]) == (1.6, 1.5)
    assert first["ratio"] is not None
    assert second["ratio"] is not None


@pytest.mark.parametrize(("cores", "told"), [(1.5, True), (0.1, False), (None, False)])
def test_where_something_else_runs_it_is_told(fakes, monkeypatch, cores, told):
    monkeypatch.setattr(run, "pause", lambda seconds: cores)
    note = "other work kept 1.5 cores busy meanwhile: repeat this; as it comes"
    assert {row["note"] for row in compare()} == {note if told else "as it comes"}


def test_a_pause_knows_whether_the_cores_are_busy(monkeypatch, tmp_path):
    def stat(idle, others):
        return f"cpu  {others} 0 0 {idle} 7 0 0 0 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"

    path = tmp_path / "stat"
    monkeypatch.setattr(busy, "_STAT", path)
    path.write_text(stat(0, 100))
    ticks = os.sysconf("SC_CLK_TCK")

    def sleep(seconds):
        now[0] += seconds
        path.write_text(stat(round(1000 * now[0]), round(100 + 1.5 * ticks * now[0])))

    now = [0.0]
    monkeypatch.setattr(busy.time, "sleep", sleep)
    monkeypatch.setattr(busy.time, "monotonic", lambda: now[0])
    assert busy.pause(2.0) == pytest.approx(1.5)
    path.unlink()
    monkeypatch.setattr(busy.time, "sleep", lambda seconds: None)
    assert busy.pause(2.0) is None


def test_a_peers_variables_are_set_in_its_process_alone(fakes, monkeypatch):
    for name in ("first", "second"):
        entry = catalog.Entry("", environment={"BACKEND": f"{name}'s"})
        monkeypatch.setitem(catalog.PEERS, name, entry)
    compare()
    lines = map(json.loads, Path(fakes["first"]["log"]).read_text().splitlines())
    assert {(name, backend) for name, _, backend in lines} == {
        (catalog.OURS, None), ("first", "first's"), ("second", "second's")
    }  # fmt: skip


def test_different_devices_are_not_compared(fakes):
    fakes["first"]["platform"] = "gpu"
    first, second = compare()
    assert first["missing"].startswith("computes on the gpu here and dl_jax on the cpu")
    assert second["missing"] is None


def test_an_interrupted_run_has_given_the_rows_that_it_had(fakes):
    rows: list[dict] = []

    def interrupt(text):
        if "second, pair" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(show=interrupt, keep=rows.append)
    assert [row["peer"] for row in rows] == ["first"]


def test_bad_input_is_refused_before_anything_is_started(fakes):
    with pytest.raises(ValueError, match="'resnet'; peers have mnist_cnn, fashion_mlp, imdb_bow"):
        run_peers(["fashion_mlp", "resnet"], rounds=1, data="synthetic", show=print)
    with pytest.raises(ValueError, match="expected real or synthetic, got 'embedded'"):
        run_peers(["fashion_mlp"], rounds=1, data="embedded", show=print)
    with pytest.raises(ValueError, match="at least 1 round, got 0"):
        compare(rounds=0)
    assert not Path(fakes["first"]["log"]).exists()


def test_unknown_peers_are_refused_by_name():
    with pytest.raises(ValueError, match="unknown peer 'caffe'; the peers are torch, "):
        catalog.entry("caffe")
