"""Grading: each task of each submission in a process of its own, with limits, and a table of what came out.

A task is a file that `exercise` or `bughunt` has written; the first line of its docstring says which. Its folder is
copied, a fresh Python reads the copy, and `judges` or `hunts` say "passed", "not yet" or "wrong", with a sentence.
Whatever the student's code does there, the rest goes on: an endless loop ends at the time limit, with all processes
that it started; memory, processor time and the size of files are limited; of what it prints only the first lines are
kept. A verdict counts only with a token that the code is not told, so that nothing printed can be taken for one.

This bounds mistakes and simple mischief. It is no sandbox: the code runs with the rights of whoever grades, can read
what they can read, delete what they can delete and use the network, and who wants to deceive the judge can. For
strangers' code take a container or another user. Not covered: many files that fill a disk; a child that leaves its
process group, on Linux only with another environment; root, whom Linux does not limit the number of processes. Windows
knows no limits of memory and processor time: there only the time is limited.
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import types
import zlib
from typing import NamedTuple

import numpy as np

from numpyae.checks import must
from numpyae.course import hunts, judges
from numpyae.course.judges.record import EXERCISES

try:
    import resource
except ImportError:                   # Windows
    resource = None

SECONDS = 10                          # for a task, after Python and NumPy have been loaded
MEMORY = 5 * 2**29                    # bytes of address space: 2 GB, and what a Python with NumPy has
FILE = 2**20                          # bytes: larger files are not copied
COPIED = 100                          # files that are copied with a task
DEEP = 10                             # folders in folders that are looked into
WRITTEN = 50 * 2**20                  # bytes that a file may have
PROCESSES = 256                       # more than there are already
KEPT = 4000                           # characters of what is printed
START = 60                            # seconds for loading Python and NumPy
STATUSES = ("passed", "not yet", "wrong")

EXERCISE = re.compile(r'(?:\s|#.*\n)*[rR]?"""Exercise (\d+[a-z]):')
NAME = re.compile(r"0?(\d+[a-z])_.*\.py$")
HUNT = re.compile(r'(?:\s|#.*\n)*[rR]?"""Bug hunt, level (\d+), seed (\d+):')


class Task(NamedTuple):
    """A file with its task: the name is "4b", or "level 2, seed 7" of a bug hunt, whose `hunt` is (2, 7)."""

    path: pathlib.Path
    name: str
    hunt: tuple = ()


class Outcome(NamedTuple):
    """The outcome of a task."""

    task: Task
    status: str
    sentence: str
    output: str
    seconds: float


def recognise(path):
    """Return the Task of a file, or None: by the first line of its docstring, or by the name that `exercise` gave."""
    try:
        if not path.is_file() or path.stat().st_size > FILE:             # a pipe would never end
            return None
        with open(path, encoding="utf-8", errors="replace") as file:
            head = file.read(1000).removeprefix("\ufeff")
    except OSError:
        return None
    if found := HUNT.match(head):
        return Task(path, f"level {int(found[1])}, seed {int(found[2])}", (int(found[1]), int(found[2])))
    found = EXERCISE.match(head) or NAME.match(path.name)
    return Task(path, found[1]) if found and found[1] in EXERCISES else None


def tasks_in(folder, deep=False):
    """Return the tasks among the .py files of a folder in order, no links; deep=True: also of the folders below it."""
    found = []
    for here, folders, files in os.walk(folder):
        below = deep and len(pathlib.Path(here).relative_to(folder).parts) < DEEP
        folders[:] = sorted(name for name in folders if below and name[0] not in "._")
        paths = [pathlib.Path(here, name) for name in sorted(files) if name.endswith(".py") and name[0] != "."]
        found += [task for path in paths if not path.is_symlink() and (task := recognise(path)) is not None]
    return found


def submissions(path):
    """Return {student: tasks} of a file or folder of tasks ("" is the student), or a folder with one for each student.

    Raise FileNotFoundError if there is nothing, ValueError if there is no task.
    """
    path = pathlib.Path(path)
    must(path.exists(), f"{path}: there is no such file or folder", FileNotFoundError)
    here = [task for task in [recognise(path)] if task] if path.is_file() else tasks_in(path)
    found = {"": here} if here or path.is_file() else {
        folder.name: tasks_in(folder, deep=True) for folder in folders_in(path)}
    must(any(found.values()),
         f"{path}: nothing to grade is here: expected files that begin with \"\"\"Exercise 4b: ... or "
         "\"\"\"Bug hunt, level ..., as `exercise` and `bughunt` write them")
    return found


def folders_in(path):
    """Return the folders in this one, but for hidden ones, in order."""
    return sorted(child for child in path.iterdir() if child.is_dir() and child.name[0] not in "._")


def overlooked(path):
    """Return the names of folders with tasks that are not graded because the folder around them has tasks itself."""
    path = pathlib.Path(path)
    alone = path.is_dir() and tasks_in(path)
    return [folder.name for folder in folders_in(path) if tasks_in(folder)] if alone else []


def grade(path, seed=0, seconds=SECONDS, progress=None):
    """Return {student: [Outcome, ...]} of all tasks below a path. progress(done, of) is called after each."""
    found = submissions(path)
    with concurrent.futures.ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        running = {student: [pool.submit(grade_task, task, seed, seconds) for task in tasks]
                   for student, tasks in found.items()}
        futures = [future for several in running.values() for future in several]
        try:
            for done, future in enumerate(concurrent.futures.as_completed(futures), 1):
                future.result()
                if progress is not None:
                    progress(done, len(futures))
        except BaseException:         # Ctrl-C: what has not begun does not begin, what runs ends
            pool.shutdown(wait=False, cancel_futures=True)
            end_marked(f"{os.getpid()}-")
            raise
    return {student: [future.result() for future in several] for student, several in running.items()}


def grade_task(task, seed=0, seconds=SECONDS):
    """Return the Outcome of one task, from a fresh process on a copy of its folder."""
    start = time.perf_counter()
    room = tempfile.mkdtemp(prefix="numpyae-grading-")
    try:
        copy = os.path.join(room, "copy")
        copy_folder(task.path, copy)
        status, sentence, output = judged_apart(task, os.path.join(copy, task.path.name), room, seed, seconds)
    except OSError as error:          # it cannot be read any more, or no process can be started: the rest goes on
        status, sentence, output = "wrong", plain(f"it could not be run: {error}"), ""
    finally:
        with contextlib.suppress(OSError):
            remove(room)
    return Outcome(task, status, sentence, output, time.perf_counter() - start)


def copy_folder(path, copy):
    """Copy a file and up to COPIED of those beside it, no larger than FILE, no links and no folders."""
    os.mkdir(copy)
    shutil.copyfile(path, os.path.join(copy, path.name))
    beside = [entry for entry in os.scandir(path.parent) if entry.name != path.name
              and entry.is_file(follow_symlinks=False) and entry.stat().st_size <= FILE]
    for entry in sorted(beside, key=lambda entry: (not entry.name.endswith(".py"), entry.name))[:COPIED]:
        with contextlib.suppress(OSError):               # a file that may not be read
            shutil.copyfile(entry.path, os.path.join(copy, entry.name))


def remove(room):
    """Remove a folder and all below it, however deep; shutil.rmtree is recursive.

    What is in a folder is moved up, next to it, until no folder has anything in it.
    """
    while entries := list(os.scandir(room)):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            os.chmod(entry.path, 0o700)
            for inner in list(os.scandir(entry.path)):
                if inner.is_dir(follow_symlinks=False):
                    os.chmod(inner.path, 0o700)
                os.rename(inner.path, os.path.join(room, secrets.token_hex(16)))
            os.rmdir(entry.path)
    os.rmdir(room)


def judged_apart(task, path, room, seed, seconds):
    """Return (status, sentence, what was printed) of a worker process; at the time limit all that it started ends."""
    token, mark = secrets.token_hex(16), f"{os.getpid()}-{secrets.token_hex(8)}"
    job = {"path": path, "name": task.name, "hunt": task.hunt, "seed": seed, "seconds": seconds, "token": token,
           "home": None if task.hunt else EXERCISES[task.name].home}
    process = subprocess.Popen([sys.executable, "-P", "-X", "utf8", "-c",
                                "from numpyae.course.grading import work; work()"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=os.path.dirname(path),
                               env=environment(room, mark), start_new_session=True)
    verdict, printed = Reader(process.stdout), Reader(process.stderr)
    late = None
    try:
        with contextlib.suppress(OSError):               # it has ended already
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.close()
        if not verdict.first.wait(START):
            late = f"Python and NumPy were not loaded within {START} s"
        else:
            process.wait(seconds)
    except subprocess.TimeoutExpired:
        late = f"it was not done after {seconds:g} s, and was stopped: is there an endless loop?"
    finally:
        end(process, mark)
    said, output = verdict.text(), printed.text()
    for line in said.split("\n"):
        if line.startswith(token):    # else the student's code has written it
            with contextlib.suppress(ValueError):
                found = json.loads(line.removeprefix(token))
                return found["status"], plain(found["sentence"]), output
    return "wrong", late or died(process.returncode, output), output


def plain(line):
    """Return the line without what could steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in line)


def died(code, output):
    """Return a sentence about a process that has ended without a verdict."""
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        why = {"SIGXCPU": "it has used up its processor time: is there an endless loop?",
               "SIGKILL": "it was killed: too much memory or processor time?"}
        return why.get(name, f"it has crashed ({name})")
    if "MemoryError" in output:
        return "it has asked for more memory than a task may have"
    return f"its process has ended before it was judged, with status {code}: does the code call os._exit or the like?"


def environment(room, mark):
    """Return the worker's environment: enough for Python, one thread, a home, and a mark to find its children by."""
    here = str(pathlib.Path(__file__).resolve().parents[2])
    kept = {name: value for name, value in os.environ.items()
            if name in ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "VIRTUAL_ENV")}
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM")}
    return {**kept, **threads, "PYTHONPATH": here, "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "Agg", "HOME": room,
            "TMPDIR": room, "TEMP": room, "TMP": room, "NUMPYAE_GRADING": mark}


def end(process, mark):
    """Kill the worker and its process group, and on Linux all processes with the mark: they may have left the group."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    end_marked(mark)


def end_marked(mark):
    """Kill the processes with this mark, or one that begins with it, in their environment; on Linux only."""
    if not sys.platform.startswith("linux"):
        return
    wanted = f"NUMPYAE_GRADING={mark}".encode()
    for _ in range(100):              # a child may have had a child meanwhile
        found = [int(name) for name in os.listdir("/proc") if name.isdigit() and wanted in environment_of(name)]
        if not found:
            break
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def environment_of(pid):
    """Return the environment that a process was started with, on Linux; b"" if it is gone, dead, or somebody else's."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read(100000)
    except OSError:
        return b""


class Reader:
    """A reader of a pipe to its end, in a thread; it keeps the beginning. `first` is set with a line, or the end."""

    def __init__(self, pipe):
        self.pipe, self.kept, self.first = pipe, b"", threading.Event()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while piece := os.read(self.pipe.fileno(), 65536):
            if len(self.kept) < 4 * KEPT:
                self.kept += piece
            if b"\n" in piece:
                self.first.set()
        self.first.set()

    def text(self):
        """Return what was read, cut to KEPT. Waits a second for the end of the pipe, which somebody may hold open."""
        self.thread.join(1)
        if not self.thread.is_alive():
            self.pipe.close()
        return self.kept.decode("utf-8", "replace")[:KEPT]


# the worker process


def work():
    """Do the worker's part: read the job, load all that is needed, say so, judge, say the verdict."""
    verdict = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    os.dup2(2, 1)                     # what is printed goes the way of errors, which nobody takes for a verdict
    job = json.loads(sys.stdin.readline())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    judges.load_record(job["home"])
    limit(job["seconds"])
    print("ready", file=verdict, flush=True)
    status, sentence = attempt(job["path"], job["name"], job["hunt"], job["seed"])
    if not os.path.exists(job["path"]):
        status, sentence = "wrong", "the code deletes its own file (of a copy: the submission is as it was)"
    found = json.dumps({"status": status, "sentence": sentence[:1000]}, ensure_ascii=False)
    verdict.write(f"\n{job['token']}{found}\n")
    verdict.flush()
    with contextlib.suppress(Exception):                 # the code may have put something else there
        sys.stdout.flush()
    os._exit(0)                       # no waiting for threads, and no more code of the student's


def limit(seconds):
    """Limit memory, processor time, size of files and number of processes, as far as the system knows such limits."""
    if resource is None:
        return
    limits = {"RLIMIT_AS": MEMORY, "RLIMIT_CPU": int(seconds) + 2, "RLIMIT_FSIZE": WRITTEN, "RLIMIT_CORE": 0}
    if sys.platform.startswith("linux"):                 # it counts all that the user has: threads of a desktop, say
        limits["RLIMIT_NPROC"] = sum(map(own_threads, os.listdir("/proc"))) + PROCESSES
    for name, value in limits.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):       # macOS takes no RLIMIT_AS
            resource.setrlimit(getattr(resource, name), (value, value))


def own_threads(pid):
    """Return how many threads this entry of /proc has, 0 if it is no process of this user, or gone."""
    try:
        own = pid.isdigit() and os.stat(f"/proc/{pid}").st_uid == os.getuid()
        return len(os.listdir(f"/proc/{pid}/task")) if own else 0
    except OSError:
        return 0


def attempt(path, name, hunt, seed):
    """Return (status, sentence) of the file at this path, judged at points that this seed draws."""
    module = types.ModuleType("submission", None)
    module.__file__ = path
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    try:
        with open(path, "rb") as file:                   # bytes: Python knows about encodings
            code = compile(file.read(), path, "exec")
        sys.modules["submission"] = module
        sys.path.append(os.path.dirname(path))           # at the end: a student's random.py hides nothing
        with contextlib.nullcontext() if hunt else judges.blocked(name):
            exec(code, vars(module))
        return hunts.judge(*hunt, module, rng) if hunt else judges.judge(name, module, rng)
    except BaseException as error:    # SystemExit and KeyboardInterrupt too: whatever a student's code raises
        return "wrong", judges.said(error, path)


# what is said


def as_dict(outcomes, seed):
    """Return students, their scores as in the table, and all their files, for JSON."""
    return {"seed": seed, "students": [
        {"student": student, "passed": list(best_of(found).values()).count("passed"), "tasks": len(best_of(found)),
         "outcomes": [{"task": outcome.task.name, "file": str(outcome.task.path), "status": outcome.status,
                       "sentence": outcome.sentence, "output": outcome.output, "seconds": round(outcome.seconds, 2)}
                      for outcome in found]} for student, found in outcomes.items()]}


def report(outcomes):
    """Return the table, as text: of one student with a sentence for each task, of many with a sign for each."""
    return of_one(outcomes[""]) if list(outcomes) == [""] else of_many(outcomes)


def of_one(found):
    """Return a line for each task, and below it what there is to be said."""
    names = [outcome.task.name for outcome in found]
    lines, width = [], max(map(len, names))
    for outcome in found:
        known = outcome.task.name in EXERCISES and names.count(outcome.task.name) == 1
        title = EXERCISES[outcome.task.name].title if known else plain(outcome.task.path.name)
        lines.append(f"{outcome.task.name:{width}}  {outcome.status:8} {title}")
        if outcome.status == "wrong" or outcome.task.name not in EXERCISES and outcome.sentence:
            lines.append(f"{'':{width}}  {outcome.sentence}")
        printed = outcome.output.strip().splitlines() if outcome.status == "wrong" else []
        lines += [f"{'':{width}}  | {plain(line[:110])}" for line in printed[:3]]
        lines += [f"{'':{width}}  | ..."] * (len(printed) > 3)
    statuses = [outcome.status for outcome in found]
    return "\n".join([*lines, ", ".join(f"{statuses.count(status)} {status}" for status in STATUSES)])


def of_many(outcomes):
    """Return a line for each student: the score, a sign for each exercise, how many bug hunts are solved."""
    signs = {"passed": "+", "not yet": ".", "wrong": "-"}
    best = {student: best_of(found) for student, found in outcomes.items()}
    columns = [name for name in EXERCISES if any(name in found for found in best.values())]
    hunted = any(name not in EXERCISES for found in best.values() for name in found)
    groups = {str(lecture): [name for name in columns if EXERCISES[name].lecture == lecture]
              for lecture in dict.fromkeys(EXERCISES[name].lecture for name in columns)}
    width = max(len(student) for student in [*outcomes, "student"])

    def aligned(sign):                                   # sign(name) of all exercises, the lectures apart
        return " ".join("".join(map(sign, names)).ljust(len(lecture)) for lecture, names in groups.items())

    lines = [f"{'':{width}}  {'':7}  " + " ".join(lecture.ljust(len(names)) for lecture, names in groups.items()),
             f"{'student':{width}}  {'passed':>7}  " + aligned(lambda name: name[-1]) + "  bug hunts" * hunted]
    for student, found in best.items():
        passed = sum(status == "passed" for status in found.values())
        solved = [status == "passed" for name, status in found.items() if name not in EXERCISES]
        lines.append(f"{plain(student):{width}}  {f'{passed}/{len(found)}':>7}  "
                     + aligned(lambda name: signs.get(found.get(name), " "))
                     + f"  {sum(solved)}/{len(solved)}" * bool(solved))
    lines.append("+ passed   . not yet   - wrong   (the sentences: --json, or grade one of the folders)")
    return "\n".join(line.rstrip() for line in lines)


def best_of(found):
    """Return {task: status}; of several files for one task the best counts."""
    worst_first = sorted(found, key=lambda outcome: -STATUSES.index(outcome.status))
    return {outcome.task.name: outcome.status for outcome in worst_first}


def all_passed(outcomes):
    """Return whether every submission has tasks, and all have passed; of several files for one task the best counts."""
    return all(found and set(best_of(found).values()) == {"passed"} for found in outcomes.values())


def unlimited():
    """Return a sentence about what this system does not limit; "" on Linux."""
    if resource is None:
        return "this system knows no limit of memory and processor time: only the time is limited"
    return "this system does not limit memory: time and files are limited" if sys.platform == "darwin" else ""
