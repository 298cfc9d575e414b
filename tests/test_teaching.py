"""lectures/TEACHING.md is true: the check says what it quotes, what it names is there, and its minutes add up."""

import re

import pytest

from numpyae.course.lectures import FOLDER, find
from numpyae.gradcheck.catalogue import BUGS
from tests.test_catalogue import report_of

TEXT = (FOLDER / "TEACHING.md").read_text(encoding="utf-8")
PARTS = {int(number): text for number, text in re.findall(r"^## Lecture (\d+): (.*?)(?=^## |\Z)", TEXT, re.M | re.S)}
PLANS = re.findall(r"^### (.+?): (\d+) minutes\n(.*?)(?=^##|\Z)", TEXT, re.M | re.S)             # [(name, minutes, table)]
LECTURES = {number: path.read_text(encoding="utf-8") for number, (path, _) in find().items()}
# Whose programs a class knows after this lecture
PROGRAMS = {4: "regression binary classifier online layers activations", 5: "numerical", 6: "training", 7: "tied shared",
            8: "denoising sparse ksparse contractive", 9: "dropout", 13: "vae gaussian_vae", 14: "iwae full_vae"}


def one_line(text):
    """With single spaces."""
    return " ".join(text.split())


def mistakes():
    """[(number of the bug, its name, the first `code` behind it, the lecture)]."""
    return [(int(bug), name, one_line(double or single), lecture) for lecture, part in PARTS.items() for bug, name, double, single in
            re.findall(r"^- (\d+), (.+?):[^`]*(?:``(.+?)``|`([^`]+)`)", part, re.M | re.S)]


def sections_named(text):
    """What stands in italics."""
    return [one_line(name) for name in re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text)]


def sections(number):
    return re.findall(r"^# ## (.+)$", LECTURES[number], re.M)


def exercises(part):
    """{number: minutes} of the exercises of a lecture's part."""
    return {number: int(minutes) for number, minutes in re.findall(r"\b(\d+[a-z])\s\((\d+)\smin\)", part)}


MINUTES = {number: minutes for part in PARTS.values() for number, minutes in exercises(part).items()}


def times(part):
    """(minutes of teaching, of exercises, seconds that the lecture runs)."""
    found = re.search(r"^\*\*Time\.\*\* (\d+) min of teaching(?:, (\d+) of exercises)?; runs in (\d+) s\.", part, re.M)
    return tuple(int(number or 0) for number in found.groups())


def rows(table):
    """[(at, minutes, what)] of a plan, in minutes."""
    return [(60 * int(hours) + int(at), int(minutes), what) for hours, at, minutes, what in
            re.findall(r"^\| (\d+):(\d\d) \| (\d+) \| (.+?) \|", table, re.M)]


def test_every_lecture_has_its_part():
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    titles = {int(number): title for number, title in re.findall(r"^\| (\d\d) \| (.+?) \|", readme, re.M)}
    assert {number: part.partition("\n")[0] for number, part in PARTS.items()} == titles
    for number, part in PARTS.items():
        labels = re.findall(r"^\*\*(.+?)\.\*\*", part, re.M)
        assert labels == ["Goal", "Time", "Board", "Ask", "Exercises", "Mistakes, and what the check says"], number
        assert "\n3. " in part, f"lecture {number}: three things to draw, at least"


def test_every_mistake_of_the_catalogue_is_there_once():
    assert sorted(bug for bug, *_ in mistakes()) == [bug.number for bug in BUGS]
    assert all(name == BUGS[bug - 1].name for bug, name, *_ in mistakes())


@pytest.mark.parametrize("bug, quote", [(bug, quote) for bug, _, quote, _ in mistakes()])
def test_the_check_says_what_is_quoted(bug, quote):
    """Word for word; only where backward raises, the words of NumPy's own exception are left out."""
    report, written = report_of(bug), BUGS[bug - 1]
    if written.invisible:
        assert report.ok and quote == written.invisible
    elif written.cause == "raises":
        assert one_line(report.sentence()).startswith(quote.removesuffix(" …")) and len(quote) > 80
    else:
        assert one_line(report.sentence()) == quote


@pytest.mark.parametrize("number", PARTS)
def test_a_part_names_its_lecture_rightly(number):
    part = PARTS[number]
    assert not [name for name in sections_named(part) if name not in sections(number)]
    teaching, exercising, seconds = times(part)
    assert sum(exercises(part).values()) == exercising
    assert find()[number].seconds == seconds


@pytest.mark.parametrize("name, minutes, table", PLANS, ids=[name for name, *_ in PLANS])
def test_the_minutes_of_a_plan_add_up(name, minutes, table):
    clock = 0
    for at, length, what in rows(table):
        assert at == clock, what
        clock += length
        if what.startswith("Exercises"):
            assert length == sum(MINUTES[number] for number in re.findall(r"\d+[a-z]\b", what)), what
    assert clock == int(minutes) and len(rows(table)) == table.count("\n| ") - 1         # one is the heading


def test_the_plans_name_sections_that_are_there():
    lines = [line for *_, table in PLANS for line in table.splitlines()]
    assert sum(bool(sections_named(line)) for line in lines) > 10
    for line in lines:
        for number in map(int, re.findall(r"[Ll]ecture (\d+)", line)[:1]):
            assert not [name for name in sections_named(line) if name not in sections(number)], line


@pytest.mark.parametrize("plan, all_of_them", [("Week", True), ("Day", False)])
def test_a_plan_teaches_every_lecture_in_its_time(plan, all_of_them):
    taught = {}
    for name, _, table in PLANS:
        for _, minutes, what in rows(table) if name.startswith(plan) else []:
            if found := re.match(r"Lecture (\d+)", what):
                taught[int(found[1])] = taught.get(int(found[1]), 0) + minutes
    assert list(taught) == sorted(taught) and set(taught) == (set(PARTS) if all_of_them else set(PARTS) - {2, 9, 10, 14})
    assert all(minutes <= times(PARTS[number])[0] for number, minutes in taught.items())


def test_the_exercises_are_those_of_the_table():
    from numpyae.course.exercises import EXERCISES

    assert {number: exercise.lecture for number, exercise in EXERCISES.items()} == {
        number: lecture for lecture, part in PARTS.items() for number in exercises(part)}
    assert set(re.findall(r"(?<![\d.])\d{1,2}[a-k]\b(?!-\d)", TEXT)) <= set(EXERCISES)              # 1e-4 is none


def test_the_seeds_are_those_of_hunts_a_class_knows():
    from numpyae.course import hunts

    lines = ["| after lecture | level 1 | level 2 | level 3 | level 4 | level 5 |", "|---|---|---|---|---|---|"]
    for lecture, programs in PROGRAMS.items():
        seeds = [[seed for seed in range(hunts.count()[level]) if hunts.find(level, seed).program in programs.split()][:5]
                 for level in range(1, 6)]
        lines.append(" | ".join([f"| {lecture}", *(", ".join(map(str, found)) or "none" for found in seeds)]) + " |")
    table = "\n".join(lines)
    assert table in TEXT, f"the bugs of the hunts have changed; the table is now\n\n{table}"
