"""Ownership: a layer belongs to the last model built from it, and every use of an earlier model is an error."""

import functools


class Taken:
    """A container that has lost a part to another: every read, assignment or call raises a ValueError that says so."""

    def __getattribute__(self, name):
        state = object.__getattribute__(self, "__dict__")
        if not name.startswith("__") and callable(getattr(state["was"], name, None)):
            return functools.partial(refuse, state["why"])
        return refuse(state["why"])

    def __setattr__(self, name, value):
        refuse(object.__getattribute__(self, "__dict__")["why"])

    def __repr__(self):
        return f"Taken({object.__getattribute__(self, '__dict__')['why']})"


def refuse(why, *values, **named):
    """Raise a ValueError that says which container has taken the part."""
    raise ValueError(why)


def give_up(container, part, taker):
    """Turn a container, and every container around it, into Taken: its `part` now belongs to `taker`."""
    if container._container is not None:
        give_up(container._container, part, taker)
    why = (f"{type(container).__name__}: its part {part!r} now belongs to another {type(taker).__name__}; "
           "to use both, build that one from copy.deepcopy of the part")
    for other in container._parts.values():
        other._container = None
    container.__dict__ = {"why": why, "was": type(container)}
    container.__class__ = Taken
