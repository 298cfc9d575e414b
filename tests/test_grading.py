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


@posix
def test_odd_names_links_and_encodings(tmp_path, capsys, monkeypatch):
    """None of them stops the rest; a link is not followed, since it may lead to somebody else's solution."""
    odd = tmp_path / "class" / "line\nbreak"
    write(odd, right=RIGHT)
    latin = STUB.encode("ascii", "replace").replace(b"\n", b"\r\n")
    (odd / "again.py").write_bytes(b"# -*- coding: latin-1 -*-\r\n" + latin + b"# \xe9")
    os.symlink(odd / "right.py", odd / "04c_link.py")
    os.symlink(odd, odd / "loop")
    if sys.platform.startswith("linux"):
        os.mkdir(os.fsencode(tmp_path / "class") + b"/no\xff")
    graded, grade = {}, grading.grade
    monkeypatch.setattr(grading, "grade", lambda *arguments, **options: graded.update(grade(*arguments, **options)) or graded)
    assert main(["grade", str(tmp_path / "class")]) == (1 if sys.platform.startswith("linux") else 0)
    table = capsys.readouterr().out
    assert "\nline?break      1/1  +\n" in table and ("\nno?" in table or not sys.platform.startswith("linux"))
    outcomes = {"": graded["line\nbreak"]}
    assert [(outcome.task.path.name, outcome.status) for outcome in outcomes[""]] == [
        ("again.py", "not yet"), ("right.py", "passed")]
    assert "4d  not yet  again.py\n4d  passed   right.py\n" in grading.of_one(outcomes[""])
    (found,) = grading.as_dict(outcomes, 0)["students"]
    assert (found["passed"], found["tasks"], len(found["outcomes"])) == (1, 1, 2)


def test_folders_that_are_not_graded_are_said(tmp_path, capsys):
    write(tmp_path / "class", mine=STUB)
    write(tmp_path / "class" / "anna", tanh=RIGHT)
    assert main(["grade", str(tmp_path / "class")]) == 1
    said = capsys.readouterr()
    assert "0 passed, 1 not yet" in said.out and "in 1 of its folders are left out" in said.err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the time limit ends what runs")
def test_an_interruption_ends_what_runs(tmp_path):
    """Else this test takes ten minutes."""
    folder = write(tmp_path / "mine", endless='"""Exercise 4c: sigmoid.\n"""\nimport time\nwhile True: time.sleep(1)\n', stub=STUB)

    def interrupt(done, of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grading.grade(folder, seconds=600, progress=interrupt)
    assert not left_running()


@posix
def test_a_room_is_removed_however_deep_it_is(tmp_path):
    room, here = tmp_path / "room", os.getcwd()
    os.mkdir(room)
    os.chdir(room)
    for _ in range(1100):             # too deep for shutil.rmtree
        os.mkdir("a")
        os.chdir("a")
    os.chdir(here)
    os.symlink(tmp_path, room / "link")
    write(room / "closed", x="")
    os.chmod(room / "closed", 0)
    grading.remove(room)
    assert not room.exists() and tmp_path.exists()


def test_what_the_code_writes_into_the_pipe_of_the_verdict_is_no_verdict(tmp_path):
    """Brackets that are too deep for a parser, and then the right verdict."""
    top = "import os\nfor k in range(3, 64):\n    try: os.write(k, b'[' * 3000)\n    except OSError: pass"
    assert grading.grade(write(tmp_path / "a", b=with_top("4d", top)))[""][0].status == "passed"


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
                          env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, capture_output=True, text=True)
    assert "1 failed, 1 deselected" in done.stdout and "not yet: Exercise 4c" in done.stdout, done.stdout
