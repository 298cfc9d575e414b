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


def add_options(parser):
    parser.add_argument("--level", type=at_least(1), metavar="1..5", help="how well it hides")
    parser.add_argument("--seed", type=at_least(0), help="which of them")
    parser.add_argument("--to", metavar="FOLDER",
                        help="where the file goes (here); an existing file is never overwritten")
    parser.add_argument("--hint", type=at_least(1), metavar="K", help="print hint K of this hunt, and write nothing")
    parser.set_defaults(help_of=parser)


def run(arguments):
    """Write a hunt, or print one of its hints; without options, the help and how many hunts there are."""
    from numpyae.course import hunts

    level, seed, to, hint = arguments.level, arguments.seed, arguments.to, arguments.hint
    if level is seed is to is hint is None:
        arguments.help_of.print_help()
        print("\nlevel  hunts")
        for level, number in hunts.count().items():
            print(f"{level:5} {number:6}   {hunts.LEVELS[level]}")
        return 0
    if level is None or seed is None:
        raise ValueError("--level and --seed are needed, as in: python -m numpyae bughunt --level 1 --seed 7")
    if hint is None:
        path = hunts.write(level, seed, "." if to is None else to)
        print(f"wrote {path}: one line is wrong. When it is repaired: python -m numpyae grade {path}")
        return 0
    found = hunts.hints(level, seed)
    if hint > len(found):
        raise ValueError(f"there are {len(found)} hints, and {hint} is none of them")
    print(found[hint - 1])
    return 0
