"""Records: all that is known of a data set, said once. Loading, downloads, commands and error messages read them.

A data set is a function that returns its arrays, and a record above it. All of ours are in `sets.py`. One of your own
may stand in any file; from the moment that file is imported it loads by its name:

    from numpyae.datasets import data_set, load

    @data_set("circle", "300 + 100 points on a circle", convention="plane coordinates, radius 1")
    def circle(rng, dtype):
        a = rng.uniform(0, 2 * np.pi, 400)
        x = np.column_stack([np.cos(a), np.sin(a)]).astype(dtype)
        return x[:300], None, x[300:], None              # x, y, x_test, y_test; None for what there is not

    load("circle").x_test

A set with `files` is read from them: its function takes the folder that has them instead of `rng`. Each file comes
with its size and its SHA-256, and is checked before it is read. If there are `mirrors`, missing files are downloaded.
"""

from typing import Callable, NamedTuple

RECORDS = {}                                             # name: Record, in the order in which the sets are listed
EXAMPLES = {"summary": "300 + 100 points on a circle", "convention": "plane coordinates, radius 1",
            "source": "UCI machine learning repository, Horse Colic", "licence": "CC BY 4.0"}


class Record(NamedTuple):
    """A data set: its name, the function that reads it, and what has to be known about it."""

    name: str
    summary: str                          # samples to learn from + held out, and what one is
    read: Callable                        # (rng or folder, dtype) -> x, y, x_test, y_test
    convention: str = ""                  # what the numbers in x mean
    labels: str = ""                      # what y is, where there is a y
    image_shape: tuple | None = None      # (rows, columns) of a sample that is a picture
    source: str = ""                      # who has made it, and where it is
    licence: str = ""
    files: dict = {}                      # {file: (bytes, SHA-256)}; a set without files is generated
    mirrors: tuple = ()                   # addresses that become those of the files when their names are added

    @property
    def origin(self):
        """The origin of its numbers, in words."""
        if not self.files:
            return "generated"
        megabytes = sum(size for size, _ in self.files.values()) / 1e6
        return f"{megabytes:.0f} MB to download" if self.mirrors else "your own copy"


def data_set(name, summary, **about):
    """Return a decorator for the function that reads a data set: it adds the Record. `about` are the other fields.

    ValueError for a name that is taken, or a record that says too little.
    """
    def register(read):
        record = Record(name, summary, read, **about)
        if name in RECORDS:
            raise ValueError(f"data set {name!r}: there is one of that name already: {RECORDS[name].summary}")
        for field in ["summary", "convention"] + ["source", "licence"] * bool(record.files):
            if not getattr(record, field):
                raise ValueError(f'data set {name!r}: its record must say the {field}, such as '
                                 f'{field}="{EXAMPLES[field]}"')
        RECORDS[name] = record
        return read
    return register


def listing():
    """Return all data sets as text, one a line."""
    width = max(map(len, RECORDS))
    return "\n".join(f"{record.name:{width}}  {record.summary}; {record.origin}" for record in RECORDS.values())
