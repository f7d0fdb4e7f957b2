"""What a worker chooses, and how long its turns are."""

from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from dl_jax.bench.peers import catalog, problem, worker
from dl_jax.bench.peers.peer import Choice, Peer, Trainer


class Recorded:
    """A framework in which a step takes as long as it is told, and that notes what it is asked."""

    def __init__(self, seconds_a_step: float, setting: str = ""):
        self.calls: list[tuple[bool, int]] = []
        self.losses = iter((2.0, 1.0))
        self.choice = Choice(setting, lambda checked: Trainer(self.run(checked), self.loss))
        self.seconds = seconds_a_step

    def run(self, checked: bool):
        def run(steps: int) -> float:
            self.calls.append((checked, steps))
            return steps * self.seconds

        return run

    def loss(self) -> float:
        return next(self.losses)


def broken(checked: bool) -> Trainer:
    raise RuntimeError("no compiler")


@pytest.fixture
def prepare(monkeypatch, tmp_path):
    """From a workload and choices to the session that has prepared, and its answer."""

    def prepare(workload, *choices, turn_seconds=0.7, batches=10, **fields):
        size = batches * problem.WORKLOADS[workload].batch_size
        problem.save(problem.make_problem(workload, "synthetic", size), tmp_path)
        peer = Peer("1.0", "cpu", choices, **fields)
        module = SimpleNamespace(load=lambda problem, name: peer)
        monkeypatch.setattr(worker, "import_module", lambda name: module)
        session = worker.Session("flax", workload)
        return session, session.prepare(str(tmp_path), turn_seconds)

    return prepare


def test_a_turn_of_steps_is_as_long_as_asked_and_gives_the_seconds_of_one(prepare):
    framework = Recorded(0.2)
    session, answer = prepare("mnist_cnn", framework.choice, turn_seconds=1.2)
    assert answer["steps"] == 6
    assert framework.calls[-1] == (False, 6)  # it is warm for turns of this length
    assert session.turn() == {"seconds": pytest.approx(0.2)}
    assert framework.calls[-1] == (False, 6)


@pytest.mark.parametrize(("seconds_a_step", "steps"), [(9.0, 4), (1e-6, 10)])
def test_a_turn_has_four_steps_at_least_and_no_short_batch(prepare, seconds_a_step, steps):
    assert prepare("mnist_cnn", Recorded(seconds_a_step).choice)[1]["steps"] == steps


def test_nothing_is_asked_for_beyond_the_data(prepare):
    framework = Recorded(0.01)
    session, answer = prepare("fashion_mlp", framework.choice, batches=2)
    session.turn()
    assert answer["steps"] == 2
    assert max(steps for _, steps in framework.calls) == 2


def test_a_turn_of_an_epoch_is_an_epoch(prepare):
    session, answer = prepare("fashion_mlp", Recorded(0.01).choice)
    assert answer["steps"] == 10
    assert session.turn() == {"seconds": pytest.approx(0.1)}


def test_the_fastest_setting_is_taken_and_the_others_are_told(prepare):
    slow, fast = Recorded(0.03, "slowly"), Recorded(0.01, "quickly")
    session, answer = prepare("mnist_cnn", slow.choice, fast.choice, note="as it comes")
    assert answer["note"] == "as it comes; quickly; of its settings slowly 3.00 times as long"
    before = len(slow.calls)
    session.turn()
    assert session.check(3, "") == {"before": 2.0, "after": 1.0}
    assert fast.calls[-1] == (True, 3)
    assert len(slow.calls) == before


def test_a_setting_that_fails_is_told_and_another_is_taken(prepare, capsys):
    choices = Choice("compiled", broken), Recorded(0.01, "eager").choice
    _, answer = prepare("mnist_cnn", *choices)
    assert answer["note"] == "eager; compiled failed: RuntimeError"
    assert "no compiler" in capsys.readouterr().err


def test_where_every_setting_fails_the_error_is_passed_on(prepare, capsys):
    with pytest.raises(RuntimeError, match="no compiler"):
        prepare("mnist_cnn", Choice("a", broken), Choice("b", broken))
    assert capsys.readouterr().err.count("no compiler") >= 2


def test_a_reference_is_checked_in_place_of_what_is_timed(prepare):
    timed, other = Recorded(0.01), Recorded(0.01)
    references = {"theirs": lambda: other.choice.build(True)}
    session, answer = prepare("fashion_mlp", timed.choice, references=references)
    assert answer["reference"] == ""
    assert session.check(3, "theirs") == {"before": 2.0, "after": 1.0}
    assert other.calls == [(True, 3)]


def test_every_peer_has_its_file():
    for name in (*catalog.PEERS, catalog.OURS):
        assert find_spec(f"dl_jax.bench.peers.{catalog.entry(name).module}")
