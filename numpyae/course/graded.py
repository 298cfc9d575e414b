"""Exercises as tests: `python -m pytest -p numpyae.course.graded FOLDER`, one test for each task; `-k 4b` takes one.

A pytest plugin. Each task is graded as `python -m numpyae grade` does it, in a process of its own; its test fails with
the sentence.
"""

import pytest

from numpyae.course import grading


class TaskFile(pytest.File):
    """A file that is a task."""

    def collect(self):
        yield TaskTest.from_parent(self, name=grading.recognise(self.path).name)


class TaskTest(pytest.Item):
    """The test of a task."""

    def runtest(self):
        outcome = grading.grade_task(grading.recognise(self.path))
        if outcome.status != "passed":
            pytest.fail(f"{outcome.status}: {outcome.sentence}", pytrace=False)

    def reportinfo(self):
        return self.path, None, f"exercise {self.name}"


def pytest_collect_file(file_path, parent):
    """Collect the files that `exercise` or `bughunt` has written."""
    if file_path.suffix == ".py" and grading.recognise(file_path) is not None:
        return TaskFile.from_parent(parent, path=file_path)
