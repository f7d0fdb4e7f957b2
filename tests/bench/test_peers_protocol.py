"""A worker and its parent: questions, answers, and the ways in which a process fails."""

import json
import os
import subprocess
import sys
import time

import pytest

from dl_jax.bench.peers.protocol import Worker, WorkerFailed

ECHO = """
import json, sys
for line in sys.stdin:
    print(json.dumps({"heard": json.loads(line)}), flush=True)
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def is_there(pid: int) -> bool:
    """Whether it runs, or has ended and nobody has asked how."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def is_over(pid: int) -> bool:
    """Whether it has ended, also where its new parent never asks how."""
    status = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return not status.stdout.strip() or status.stdout.strip().startswith("Z")


def test_a_question_and_its_answer():
    with Worker(python(ECHO)) as worker:
        assert worker.ask("check", within=20, steps=3) == {"heard": {"do": "check", "steps": 3}}
        assert worker.ask("turn", within=20) == {"heard": {"do": "turn"}}


def test_an_answer_may_be_long_and_come_in_pieces():
    code = "import sys, time; sys.stdin.readline(); w = sys.stdout.write\n"
    code += "w('{\"a\": \"'); sys.stdout.flush(); time.sleep(0.1); w('x' * 200000 + '\"}\\n')"
    with Worker(python(code)) as worker:
        assert len(worker.ask("turn", within=20)["a"]) == 200_000


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit('no such library')", r"ended with exit code 1: no such library"),
        ("import os; os.kill(os.getpid(), 9)", "ended by SIGKILL, as where there is not enough"),
        ("import os; os.kill(os.getpid(), 11)", "ended by SIGSEGV"),
        ('input(); print(\'{"error": "ValueError: odd"}\')', "turn: ValueError: odd"),
        ("input(); print('hello')", "turn: expected an answer in JSON, got b'hello'"),
        ("input(); print('3')", "turn: expected an answer in JSON, got b'3'"),
    ],
)
def test_what_is_said_of_a_process_that_fails(code, said):
    with Worker(python(code)) as worker, pytest.raises(WorkerFailed, match=said):
        worker.ask("turn", within=20)


def test_a_process_that_hangs_is_not_waited_for_and_not_left_behind():
    with Worker(python("import time; time.sleep(600)")) as worker:
        started = time.monotonic()
        with pytest.raises(WorkerFailed, match="turn: no answer within 0 s"):
            worker.ask("turn", within=0.2)
        assert time.monotonic() - started < 10
    assert not is_there(worker.pid)


def test_what_a_worker_started_ends_with_it():
    code = "import subprocess, sys, time\n"
    code += "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    code += "input(); print('{\"child\": %d}' % child.pid, flush=True); time.sleep(600)"
    with Worker(python(code)) as worker:
        child = worker.ask("turn", within=20)["child"]
        assert not is_over(child)
    deadline = time.monotonic() + 10
    while not is_over(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_interruption_leaves_no_process_behind():
    def interrupted():
        with Worker(python(ECHO)) as worker:
            started.append(worker.pid)
            worker.ask("turn", within=20)
            raise KeyboardInterrupt

    started: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (pid,) = started
    assert not is_there(pid)


def test_a_worker_is_out_of_the_keyboards_reach():
    with Worker(python(ECHO)) as worker:
        assert os.getsid(worker.pid) == worker.pid != os.getsid(0)


NOISY = """
import os, subprocess, sys
from dl_jax.bench.peers import worker
class Noisy:
    def __init__(self, name, workload):
        print("importing", name)
    def turn(self):
        print("epoch 1/1")
        os.write(1, b"from C\\n")
        subprocess.run([sys.executable, "-c", "print('from a child')"])
        return {"seconds": 1.5}
    def check(self, steps, reference):
        raise ValueError(f"not {steps}")
worker.Session = Noisy
worker.main("torch", "mnist_cnn")
"""


def test_what_frameworks_print_does_not_come_between_the_answers():
    questions = [{"do": "turn"}, {"do": "check", "steps": 3, "reference": ""}, {"do": "turn"}]
    done = subprocess.run(
        python(NOISY),
        input="".join(json.dumps(question) + "\n" for question in questions),
        capture_output=True,
        text=True,
        check=True,
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"seconds": 1.5},
        {"error": "ValueError: not 3"},
        {"seconds": 1.5},
    ]
    for noise in ("importing torch", "epoch 1/1", "from C", "from a child", "Traceback"):
        assert noise in done.stderr
