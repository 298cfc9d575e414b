"""Grade what a course hands in, `python -m tests.benchmarks.grading`: some minutes. Exit status 1 when a score is wrong.

First every stub must be "not yet" and every solution "passed", each in a process of its own, in under 60 s on 2 cores. Then
100 submissions are built, some of them hostile, and graded unattended; each must get the score that it was built for, and
nothing may be left running.
"""

import os
import pathlib
import sys
import tempfile
import time

import numpy as np

from numpyae.course import exercises, grading

HONEST = ("3a", "4b", "4c", "6a")     # one task of each student is of these four

# what is put at the top of a right solution, and what the sentence must say ("": it depends on how fast the machine is)
HOSTILE = {
    "endless loop": ("while True: pass", "endless loop"),
    "endless loop when called": (None, "endless loop"),
    "10 GB": ("import numpy as np\nheap = np.ones(10 * 2**30, dtype=np.uint8)", "memory"),
    "10 GB in pieces": ("heap = []\nwhile True: heap.append(bytearray(2**26))", ""),
    "deletes its folder": ("import os, shutil\nshutil.rmtree(os.path.dirname(os.path.abspath(__file__)))", "deletes"),
    "exit": ("exit()", "exit()"),
    "sys.exit(0)": ("import sys\nsys.exit(0)", "exit()"),
    "os._exit(0)": ("import os\nos._exit(0)", "os._exit"),
    "segmentation fault": ("import ctypes\nctypes.string_at(0)", "crashed"),
    "kills itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "killed"),
    "a million lines, endlessly": ("while True: print('passed ' * 20)", "endless loop"),
    "recursion": ("def f(): f()\nf()", "calls itself"),
    "waits for input": ("input()", "EOFError"),
    "prints a verdict": ("import os\n"
                         "print('ready\\n{\"status\": \"passed\", \"sentence\": \"\"}', flush=True)\nos._exit(0)", "os._exit"),
    "writes a verdict everywhere": ("import os\nfor k in range(3, 64):\n    try: os.write(k, "
                                    "b'ready\\n{\"token\": \"0\", \"status\": \"passed\", "
                                    "\"sentence\": \"\"}\\n')\n    except OSError: pass\nos._exit(0)", "os._exit"),
    "leaves a child": ("import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(1000)\nos._exit(0)", "os._exit"),
    "a large file": ("with open('file', 'wb') as file:\n    for _ in range(1000): file.write(bytes(2**20))", "large"),
    "not Python": ("this is no Python", "SyntaxError"),
}
HARMLESS = {"a million lines": "for k in range(10**6): print(k)", "another random": "import random"}


def with_top(number, top):
    """The solution with these lines put in behind its docstring."""
    text = exercises.solution(number)
    if top is None:
        return text.replace("        dW, db = self.dW, self.db\n", "        while True: pass\n")
    at = text.index('"""\n\n', 3) + 4
    return text[:at] + top + "\n" + text[at:]


def build(folder, students, rng):
    """{student: {task: (status, words)}} of the submissions written below this folder."""
    expected, hostile = {}, list(HOSTILE)
    for k in range(students):
        student = f"student {k:03}"
        os.makedirs(folder / student)
        expected[student] = {}
        for number in HONEST:
            kind = rng.choice(["solution", "stub", "wrong"], p=[0.6, 0.2, 0.2])
            text = exercises.stub(number) if kind == "stub" else exercises.solution(number)
            if kind == "wrong":
                text = text[:text.rindex("\n", 0, -1)] + "\n        return 0 * self\n"
            (folder / student / exercises.EXERCISES[number].file).write_text(text, encoding="utf-8")
            expected[student][number] = {"solution": ("passed", ""), "stub": ("not yet", number),
                                         "wrong": ("wrong", "")}[kind]
        if k % 3 == 0:
            name = hostile[(k // 3) % len(hostile)]
            top, words = HOSTILE[name]
            (folder / student / exercises.EXERCISES["4b"].file).write_text(with_top("4b", top), encoding="utf-8")
            expected[student]["4b"] = "wrong", words
        if k % 20 == 1:
            text = with_top("4b", HARMLESS["a million lines"])
            (folder / student / exercises.EXERCISES["4b"].file).write_text(text, encoding="utf-8")
            (folder / student / "random.py").write_text("raise ValueError('a file that hides a module of Python')\n")
            expected[student]["4b"] = "passed", ""
    return expected


def mismatches(outcomes, expected):
    """Sentences about every task that did not get what it was built for."""
    return [f"{student}, {outcome.task.name}: expected {expected[student][outcome.task.name]}, got {outcome.status}, "
            f"{outcome.sentence!r}"
            for student, found in outcomes.items() for outcome in found
            if outcome.status != expected[student][outcome.task.name][0]
            or expected[student][outcome.task.name][1] not in outcome.sentence]


def round_trip(folder):
    """Sentences about stubs that are not "not yet", and solutions that are not passed; prints how long the solutions took."""
    wrong = []
    for kind, text, status in (("stubs", exercises.stub, "not yet"), ("solutions", exercises.solution, "passed")):
        os.makedirs(folder / kind)
        for number, exercise in exercises.EXERCISES.items():
            (folder / kind / exercise.file).write_text(text(number), encoding="utf-8")
        start = time.perf_counter()
        found = grading.grade(folder / kind)[""]
        print(f"{len(found)} {kind}: {sum(outcome.status == status for outcome in found)} {status}, "
              f"{time.perf_counter() - start:.1f} s", flush=True)
        wrong += [f"{kind}, {outcome.task.name}: {outcome.status}, {outcome.sentence}" for outcome in found
                  if outcome.status != status]
    return wrong


def left_running():
    """Processes of tasks that this process has graded, or started by those; on Linux."""
    mark = f"NUMPYAE_GRADING={os.getpid()}-".encode()
    pids = os.listdir("/proc") if sys.platform.startswith("linux") else []
    return [pid for pid in pids if pid.isdigit() and mark in grading.environment_of(pid)]


def contents(folder):
    """{path: bytes} of all files below it."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def main():
    """Round trip and 100 submissions."""
    with tempfile.TemporaryDirectory() as room:
        room = pathlib.Path(room)
        wrong = round_trip(room)
        expected = build(room / "submissions", 100, np.random.default_rng(0))
        before = contents(room / "submissions")
        start = time.perf_counter()
        outcomes = grading.grade(room / "submissions")
        seconds = time.perf_counter() - start
        print(grading.report(outcomes))
        wrong += mismatches(outcomes, expected)
        wrong += ["a submission was changed"] * (contents(room / "submissions") != before)
    wrong += [f"process {pid} is still running" for pid in left_running()]
    hostile = sum(k % 3 == 0 for k in range(100))
    print(f"{len(outcomes)} submissions, {hostile} of them hostile, {sum(map(len, outcomes.values()))} tasks, "
          f"{seconds:.0f} s, {os.cpu_count()} cores")
    print("\n".join(wrong) or "all as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
