"""Every bug hunt, once: `python -m tests.benchmarks.hunts [--seeds 1] [--wrong]`.

For each bug: is it caught, by the gradient check at levels 1 to 4, by another test alone at level 5, and does the diagnosis name
a cause that is right for its kind? Is every right program, in the sizes of this seed, found right, and is the third hint the first
that says a place? Exit status 1 when not.
"""

import argparse
import linecache
import re
import sys
import types
import warnings
from typing import NamedTuple

import numpy as np

from numpyae.course import examination, hunts
from numpyae.course.bugs import BUGS, KINDS


class Outcome(NamedTuple):
    """`caught`: by what should see it; `named`: the cause is right; `sentence`: what a student is told."""

    caught: bool
    named: bool
    sentence: str


def in_memory(text, name="student"):
    """The text as a module, its lines known to tracebacks."""
    module, file = types.ModuleType(name), f"<{name} {hash(text)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    exec(compile(text, file, "exec"), vars(module))
    return module


def caught(bug, rng, text=None):
    """The Outcome of a bug that nobody has repaired."""
    text = text or (hunts.FOLDER / f"{bug.program}.py").read_text(encoding="utf-8")
    right, wrong = in_memory(text, "right"), in_memory(hunts.planted(bug, text))
    exam = examination.EXAMS[bug.program]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        verdict = examination.gradient(exam, right, wrong, rng)
        if bug.level < 5:
            named = not verdict.ok and verdict.findings[0]["cause"].replace(" ", "_") in KINDS[bug.kind].causes.split()
            return Outcome(not verdict.ok, named, verdict.sentence() or "")
        sentence = examination.functions(exam, right, wrong, rng)
        return Outcome(verdict.ok and bool(sentence), False, verdict.sentence() or sentence or "")


def hints_are_steps(level, seed):
    """Is the third hint a place, and not yet in the first?"""
    first, _, third = hunts.hints(level, seed)
    function = re.match(r"It is (?:in (\S+?)[,.]|above)", third)
    return bool(function) and (function[1] is None or f"`{function[1]}`" not in first)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1, help="rounds through all bugs, each with other sizes and data (1)")
    parser.add_argument("--wrong", action="store_true", help="print what a student is told of every bug")
    arguments = parser.parse_args()
    failed = 0
    print("level  hunts  distinct files  caught  cause named  right programs found right")
    for level, number in hunts.count().items():
        outcomes, right, files = [], 0, set()
        for seed in range(arguments.seeds * number):
            bug, text = hunts.find(level, seed), hunts.right_source(level, seed)
            files.add(hunts.source(level, seed).split('"""', 2)[2])
            outcome = caught(bug, np.random.default_rng([level, seed]), text)
            outcomes.append(outcome)
            program = in_memory(text)
            sentence = hunts.examined(bug.program, program, program, np.random.default_rng([level, seed]))
            right += sentence is None
            if not hints_are_steps(level, seed):
                failed += 1
                print(f"    level {level}, seed {seed}: {hunts.hints(level, seed)}")
            if not outcome.caught or sentence:
                print(f"    level {level}, seed {seed}, {bug.program}, {bug.wrong}:", sentence or outcome.sentence or "not caught")
            elif arguments.wrong:
                print(f"    {bug.program}, {bug.kind}: {bug.wrong}\n        {outcome.sentence}"
                      + ("" if outcome.named or level == 5 else "  [cause not named]"))
        found, named = sum(outcome.caught for outcome in outcomes), sum(outcome.named for outcome in outcomes)
        failed += 2 * len(outcomes) - found - right
        print(f"{level:5} {number:6} {len(files):15} {found:7} {named if level < 5 else '-':>12} {right:27}", flush=True)
    print(f"{len(BUGS)} bugs in {len(examination.EXAMS)} programs")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
