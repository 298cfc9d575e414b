"""The report of a gradient check: a sentence, all findings, the table, and doubts about the point of the check."""

import json

import numpy as np

from numpyae.gradcheck.sentences import ended
from numpyae.gradcheck.verdicts import DISAGREE, VERDICTS

DISAGREES, CANNOT_TELL = VERDICTS[1], VERDICTS[2]
NOTHING = 1e-9                        # of the largest gradient
ENOUGH = 0.9                          # the share of an array's elements that must be judged
MANNERS = ("in place", "updates")     # causes that say nothing about the numbers
VERSION = 1                           # of the report as JSON: a key may come without a new number, none goes


class Report:
    """The outcome of a check.

    `ok`; `verdict`, about the numbers; `manners`, the findings about a backward that changes what is not its own;
    `rows`, one dict for each array (array, term, shape, elements, checked, disagree, cannot_tell,
    kinks, index, yours, numerical, error, verdict); `findings`, one dict for each thing that is wrong (place, layer,
    array, cause, sentence, factor), several of one array being explanations that fit equally; `warnings` about the
    point of evaluation; `taylor`, the numbers of the Taylor test.
    """

    def __init__(self, name, rows, findings=(), warnings=(), taylor=None):
        self.name, self.rows, self.findings = name, rows, list(findings)
        self.warnings, self.taylor = list(warnings), taylor

    @property
    def verdict(self):
        """"disagree" when an element does or another finding is about numbers, "cannot tell" of an array, else "agree".
        """
        wrong = self.findings != self.manners or any(row["verdict"] == DISAGREES for row in self.rows)
        return DISAGREES if wrong else CANNOT_TELL if self.unclear() else VERDICTS[0]

    @property
    def manners(self):
        """The findings that are about manners, not numbers: an array is changed in place that others may still need."""
        return [found for found in self.findings if found["cause"] in MANNERS]

    def unclear(self):
        """Return the rows of which less than ENOUGH of the elements could be judged.

        Elements that are 0 to rounding beside the largest gradient are not missed: such are those of a bias before a
        normalisation.
        """
        largest = max((np.max(np.abs(row["values"]["yours"]), initial=0) for row in self.rows), default=0)

        def missed(values):
            size = np.maximum(np.abs(values["yours"]), values["error"])
            return np.count_nonzero((values["verdict"] == VERDICTS.index(CANNOT_TELL)) & ~(size <= NOTHING * largest))

        return [row for row in self.rows if not row["checked"] and row["verdict"] == CANNOT_TELL
                or missed(row["values"]) > (1 - ENOUGH) * len(row["values"]["verdict"])]

    @property
    def ok(self):
        """True when no element disagrees, every array could be judged or is 0 to rounding, and there is no finding."""
        return self.verdict == VERDICTS[0] and not self.findings

    @property
    def median_error(self):
        """The median of |yours - numerical| / max(|yours|, |numerical|) over the elements that agree, or disagree."""
        values = [row["values"] for row in self.rows if row["term"] is None]
        yours, numerical, verdict = (np.concatenate([np.zeros(0), *(one[key] for one in values)])
                                     for key in ("yours", "numerical", "verdict"))
        size, judged = np.maximum(np.abs(yours), np.abs(numerical)), verdict <= DISAGREE
        errors = np.divide(np.abs(yours - numerical), size, out=np.zeros(len(size)),
                           where=judged & (size > 0) & np.isfinite(size))[judged]
        return float(np.median(errors)) if errors.size else 0.0

    def as_dict(self):
        """Return the report for JSON; None stands for a number that is NaN or infinite, which JSON does not know."""
        return json.loads(json.dumps({
            "version": VERSION, "name": self.name, "ok": self.ok, "verdict": self.verdict,
            "manners_hold": not self.manners, "sentence": self.sentence(), "median_error": self.median_error,
            "findings": [{**found, "about": "manners" if found in self.manners else "numbers"}
                         for found in self.findings],
            "warnings": self.warnings, "taylor": self.taylor,
            "rows": [{key: value for key, value in row.items() if key != "values"} for row in self.rows]}),
            parse_constant=lambda not_finite: None)

    def sentence(self):
        """Return the sentence that a reader needs first."""
        return self.sentences()[0]

    def sentences(self):
        """Return a sentence about each thing that is wrong; where nothing is, the verdict."""
        if self.findings:
            agree = ["all numbers agree, this is about manners"] * (self.verdict == VERDICTS[0])
            return [located(self.name, found) for found in self.findings] + agree
        unclear = [label(row) for row in self.unclear()]
        if unclear:
            return [f"{self.name}: nothing can be said about the gradient of {', '.join(unclear)}: the noise of finite "
                    f"differences is too large in more than {1 - ENOUGH:.0%} of it. Another scale, float64 or a "
                    "smoother point would help."]
        counts = [f"{total} {one if total == 1 else many}" for key, one, many in
                  (("cannot_tell", "element cannot be told", "elements cannot be told"),
                   ("kinks", "element is on a kink", "elements are on a kink"))
                  if (total := sum(row[key] for row in self.rows if row["term"] is None))]
        return [f"{self.name}: all gradients agree, median relative error {self.median_error:.1e}"
                + "; " * bool(counts) + ", ".join(counts) + "."]

    def __str__(self):
        first, *others = self.sentences()
        lines = [first, *(f"  also: {sentence}" for sentence in others)]
        if self.rows:
            lines += ["", f"{'array':24} {'shape':>12} {'worst at':>12} {'yours':>15} {'numerical':>15} "
                      f"{'± error':>9}  verdict"]
            lines += [line(row) for row in self.rows if row["term"] is None or row["verdict"] == DISAGREES]
            terms = list(dict.fromkeys(row["term"] for row in self.rows if row["term"] is not None))
            lines += [f"each term of it was checked alone too: {', '.join(terms)}"] if terms else []
        lines += [""] * bool(self.warnings) + [f"warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)

    __repr__ = __str__


def located(name, found):
    """Return a finding as a sentence, with its place in front: `Dense 2 of the encoder: db is ...`."""
    *rest, last = found["place"].split(".")
    kind = found["layer"].split("(")[0] if rest else found["layer"]
    place = f"{kind} {last} of the {' '.join(rest)}" if rest else f"{kind}, the {last}" if last else kind or name
    return f"{place}: {ended(found['sentence'])}"


def label(row):
    """Return the name of the array, and of the term where the row is about one."""
    return row["array"] if row["term"] is None else f"{row['array']} [{row['term']}]"


def line(row):
    """Return a row of the table."""
    shape, index = str(tuple(row["shape"])), str(tuple(row["index"]))
    counts = [f"{row[key]} {word}" for key, word in (
        ("disagree", f"of {row['checked']}"), ("cannot_tell", "cannot tell"), ("kinks", "on a kink")) if row[key]]
    if row["checked"] < row["elements"]:
        along = row.get("directions", ())
        counts.append(f"{row['checked']} of {row['elements']} elements sampled, and {len(along)} directions, of which "
                      f"{sum(found[3] == 1 for found in along)} disagree")
    return (f"{label(row):24} {shape:>12} {index:>12} {row['yours']:15.8g} {row['numerical']:15.8g} "
            f"{row['error']:9.1e}  {row['verdict']}" + f" ({', '.join(counts)})" * bool(counts))
