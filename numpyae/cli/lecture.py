"""List the lectures, or run some.

Without a number: list the lectures. With one: run it; its figures go to lectures/figures/.
"""

import os

FULL = dict(action="store_true", help="real data and longer training; each lecture says how long it takes")
OPTIONS = {"number": dict(nargs="?", help="of the lecture, or: all"), "--full": FULL}


def run(arguments):
    """List the lectures, or run one, or all until one fails."""
    from numpyae import course

    lectures = course.find()
    if arguments.number is None:
        if arguments.full:
            raise ValueError("--full needs the number of a lecture, or: all")
        for lecture in lectures.values():
            time = "" if lecture.seconds is None else f", about {lecture.seconds} s"
            print(f"{lecture.title}\n    {os.path.relpath(lecture.path)}{time}")
        return 0
    return course.run(course.chosen(arguments.number, lectures), arguments.full)
