"""Grading, as students and teachers meet it: processes, limits, tables. A whole course: `python -m tests.benchmarks.grading`."""

import json
import os
import subprocess
import sys
import time

import pytest

from numpyae.cli import main
from numpyae.course import exercises, grading
from tests.benchmarks.grading import HOSTILE, left_running, with_top

STUB, RIGHT = exercises.stub("4d"), exercises.solution("4d")
WRONG = RIGHT.replace("return delta - delta * h * h", "return delta")
posix = pytest.mark.skipif(grading.resource is None, reason="this system has no limits of memory")


def write(folder, **files):
    """These files, in a new folder."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


@posix
def test_submissions_of_a_class_with_hostile_ones_among_them(tmp_path, capsys):
    """Each gets its score, whatever another does; the submissions stay as they are, and no process is left."""
    hostile = ["10 GB", "deletes its folder", "prints a verdict", *["leaves a child"] * sys.platform.startswith("linux")]
    expected = {}
    for name in hostile:
        write(tmp_path / "class" / name, dense=with_top("4b", HOSTILE[name][0]))
        expected[name] = ("wrong", HOSTILE[name][1])
    sleep = "import time\nprint('\\x1b[2Jgood night', flush=True)\ntime.sleep(100)"
    write(tmp_path / "class" / "sleeper", tanh=with_top("4d", sleep))
    write(tmp_path / "class" / "anna", tanh=with_top("4d", "for k in range(10**5): print(k)"),
          random="raise ValueError('hides a module')", notes="x = 1")
    write(tmp_path / "class" / "empty")
    expected |= {"sleeper": ("wrong", "an endless loop"), "anna": ("passed", "")}
    start = time.monotonic()
    outcomes = grading.grade(tmp_path / "class", seconds=3)
    assert time.monotonic() - start < 90
    assert list(outcomes) == sorted([*expected, "empty"]) and outcomes["empty"] == []
    for name, (status, words) in expected.items():
        assert outcomes[name][0].status == status and words in outcomes[name][0].sentence, outcomes[name]
    assert outcomes["sleeper"][0].output == "\x1b[2Jgood night\n"
    assert "| ?[2Jgood night" in grading.of_one(outcomes["sleeper"])
    assert len(outcomes["anna"][0].output) == grading.KEPT
    assert all((tmp_path / "class" / name / "dense.py").exists() for name in hostile) and not left_running()
    assert not grading.all_passed(outcomes)
    table = grading.of_many(outcomes).splitlines()
    assert [line.split() for line in table[:2]] == [["4"], ["student", "passed", "bd"]]
    assert [line for line in table if line.startswith("anna")][0].split() == ["anna", "1/1", "+"]
    assert [line for line in table if line.startswith("prints")][0].split() == ["prints", "a", "verdict", "0/1", "-"]
    assert [line for line in table if line.startswith("empty")][0].split() == ["empty", "0/0"]


def test_a_student_writes_exercises_out_works_and_grades(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["exercise", "4d"]) == 0
    path = tmp_path / "exercises" / "04d_tanh_backward.py"
    assert capsys.readouterr().out == f"wrote {os.path.relpath(path)}\n" and path.read_text(encoding="utf-8") == STUB
    path.write_text(WRONG, encoding="utf-8")
    assert main(["exercise", "4d"]) == 1
    assert "is there already, and stays as it is" in capsys.readouterr().out and path.read_text(encoding="utf-8") == WRONG
    assert main(["exercise", "4", "--to", "exercises"]) == 0
    assert path.read_text(encoding="utf-8") == WRONG and len(list(path.parent.iterdir())) == 11
    capsys.readouterr()
    assert main(["grade", str(path), "--seed", "3"]) == 1
    said = capsys.readouterr().out
    assert "4d  wrong    tanh, backward\n" in said and "φ'(a)" in said and said.endswith("0 passed, 0 not yet, 1 wrong\n")
    path.write_text(RIGHT, encoding="utf-8")
    assert main(["grade", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["seed"] == 0 and found["students"][0]["passed"] == found["students"][0]["tasks"] == 1
    assert found["students"][0]["outcomes"][0]["task"] == "4d" and found["students"][0]["outcomes"][0]["status"] == "passed"


def test_exercises_are_listed_and_solutions_printed(capsys):
    assert main(["exercise"]) == 0
    listed = capsys.readouterr().out
    assert "lecture 4\n" in listed and "  4b   dense layer, backward" in listed and listed.count("\n") > 20
    assert main(["exercise", "04d", "--solution"]) == 0
    assert capsys.readouterr().out == RIGHT


@pytest.mark.parametrize("words", [["exercise", "99"], ["grade", "nowhere"], ["grade", "."]])
def test_errors_are_one_line(words, tmp_path, monkeypatch, capsys):
    write(tmp_path / "folder", notes="x = 1")
    monkeypatch.chdir(tmp_path / "folder")
    assert main(words) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Traceback" not in error
    assert words[1] != "." or "nothing to grade" in error


def test_bug_hunts_are_graded_by_the_module_that_makes_them(tmp_path, monkeypatch):
    """With a stand-in for it."""
    judge = ("def judge(level, seed, module, rng):\n"
             "    return ('passed' if module.answer == level + seed else 'wrong'), f'{level} {seed}'\n")
    hunt = '"""Bug hunt, level 2, seed 40: a small network.\n"""\nanswer = 42\n'
    (tmp_path / "sitecustomize.py").write_text("import sys, types\nfound = types.ModuleType('numpyae.course.hunts')\n"
                                               f"exec({judge!r}, vars(found))\nsys.modules['numpyae.course.hunts'] = "
                                               f"found\n"
                                               "import numpyae.course\nnumpyae.course.hunts = found\n")
    folder = write(tmp_path / "hunts", one=hunt, two="# mine\n" + hunt.replace("42", "41"))
    environment = grading.environment
    monkeypatch.setattr(grading, "environment", lambda room, mark: environment(room, mark) | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), environment(room, mark)["PYTHONPATH"]])})
    outcomes = grading.grade(folder)[""]
    assert [(outcome.task.name, outcome.status, outcome.sentence) for outcome in outcomes] == [
        ("level 2, seed 40", "passed", "2 40"), ("level 2, seed 40", "wrong", "2 40")]
    assert grading.best_of(outcomes) == {"level 2, seed 40": "passed"}
    assert grading.of_one(outcomes).count("  2 40\n") == 2          # what the bug was is said when it is found, too


def test_files_are_recognised_by_the_first_line_of_their_docstring_or_by_their_name(tmp_path):
    folder = write(tmp_path / "a", stub=STUB, byte_order_mark="\ufeff" + STUB,
                   comment="#!/usr/bin/env python\n# me\n\n" + STUB,
                   other='"""Exercises: 4b."""', unknown='"""Exercise 99z: no.\n"""', inside='x = """Exercise 4b: no."""')
    write(folder / "old", stub=STUB)
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "04c_pipe.py")                # to read it would never end
    (folder / "04b_mine.py").write_text("x = 1")
    (folder / "binary.py").write_bytes(bytes(range(256)))
    assert [(task.path.name, task.name) for task in grading.submissions(folder)[""]] == [
        ("04b_mine.py", "4b"), ("byte_order_mark.py", "4d"), ("comment.py", "4d"), ("stub.py", "4d")]
    write(tmp_path / "class" / "student" / "exercises", stub=STUB)
    assert list(grading.submissions(tmp_path / "class")) == ["student"]


def test_one_test_for_each_task_with_pytest(tmp_path):
    write(tmp_path / "mine", right=RIGHT, other=exercises.stub("4c"))
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "numpyae.course.graded", "-p", "no:cacheprovider",
                           "-k", "4c", "mine"], cwd=tmp_path,
                          capture_output=True, text=True)
    assert "1 failed, 1 deselected" in done.stdout and "not yet: Exercise 4c" in done.stdout, done.stdout
