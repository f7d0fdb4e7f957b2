"""The frameworks that are installed, in their own processes, at a few steps of each network."""

import pytest

from dl_jax.bench.peers import catalog, check, ours, problem
from dl_jax.bench.peers.problem import WORKLOADS, make_problem
from dl_jax.bench.peers.protocol import Worker, worker_command

EXTRAS = [name for name in catalog.PEERS if catalog.entry(name).needs]
SIZES = {"mnist_cnn": 3 * 128, "fashion_mlp": 100, "imdb_bow": 512 + 40}


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("name", EXTRAS)
def test_an_installed_framework_computes_what_is_computed_here(tmp_path, name, workload):
    if reason := catalog.missing(name):
        pytest.skip(reason)
    if workload not in catalog.entry(name).workloads:
        pytest.skip(f"{name} has no {workload}")
    few = make_problem(workload, "synthetic", SIZES[workload])
    problem.save(few, tmp_path)
    environment = catalog.entry(name).environment
    with Worker(worker_command(name, workload), environment) as worker:
        prepared = worker.ask("prepare", within=500, folder=str(tmp_path), turn_seconds=0.01)
        found = worker.ask("check", within=300, steps=few.num_steps, reference="")
        assert worker.ask("turn", within=60)["seconds"] > 0
    peer = ours.load(few, catalog.OURS)
    references = {"": lambda: peer.choices[0].build(True), **peer.references}
    trainer = references[prepared["reference"]]()
    before = trainer.loss()
    trainer.run(few.num_steps)
    assert check.difference({"before": before, "after": trainer.loss()}, found, "cpu") is None
