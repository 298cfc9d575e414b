"""The course: the lectures below `lectures/`, and what they are given with.

A lecture is a plain script in cells (`# %%`). It runs from top to bottom with `python lectures/01_polynomials.py`, and
opens cell by cell in an editor. It begins with two lines,

    from numpyae import course
    FULL = course.full()                              # was it called with --full: real data, longer training?

and gives each of its figures away with `course.show(figure, "01_orders")`.
"""

from numpyae.course.lectures import chosen, find, full, run, show

__all__ = ["chosen", "find", "full", "run", "show"]
