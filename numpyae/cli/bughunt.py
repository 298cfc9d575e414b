"""A program with one wrong line: find it.

Write a small network as one file that needs numpy alone, with one wrong line in it. Find it and repair it; then
`grade` tells. Without options: how many hunts there are of each level. The same level and seed are always the same
hunt, and consecutive seeds are different ones. Three hints, from general to precise, one at a time.

  python -m numpyae bughunt --level 1 --seed 7
  python -m numpyae bughunt --level 1 --seed 7 --hint 1
  python -m numpyae grade bughunt_1_7.py

The levels: 1 loud, 2 scale and bias, 3 forgotten or in the wrong place, 4 shared paths and state, 5 no gradient
check sees it.
"""

from numpyae.lab.settings import at_least


OPTIONS = {
    "--level": dict(type=at_least(1), metavar="1..5", help="how well it hides"),
    "--seed": dict(type=at_least(0), help="which of them"),
    "--to": dict(metavar="FOLDER", help="where the file goes (here); an existing file is never overwritten"),
    "--hint": dict(type=at_least(1), metavar="K", help="print hint K of this hunt, and write nothing")}


def run(arguments):
    """Write a hunt, or print one of its hints; without options, the help and how many hunts there are."""
    from numpyae.course import hunts

    level, seed, hint = arguments.level, arguments.seed, arguments.hint
    if level is seed is arguments.to is hint is None:
        arguments.print_help()
        print("\nlevel  hunts")
        for level, number in hunts.count().items():
            print(f"{level:5} {number:6}   {hunts.LEVELS[level]}")
    elif level is None or seed is None:
        raise ValueError("--level and --seed are needed, as in: python -m numpyae bughunt --level 1 --seed 7")
    elif hint is None:
        path = hunts.write(level, seed, "." if arguments.to is None else arguments.to)
        print(f"wrote {path}: one line is wrong. When it is repaired: python -m numpyae grade {path}")
    else:
        found = hunts.hints(level, seed)
        if hint > len(found):
            raise ValueError(f"there are {len(found)} hints, and {hint} is none of them")
        print(found[hint - 1])
