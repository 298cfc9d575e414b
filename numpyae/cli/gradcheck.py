"""Check every gradient of the library.

Compare every hand-written gradient of every layer, loss and model with finite differences.
Exit status 1 when one disagrees.

With --mutants the check itself is checked: some 1800 mistakes are put into the right backward code of every class,
one at a time, and the table shows which were found, and whether the cause was named. Exit status 1 when one was
not found. It takes a quarter of an hour.
"""

import numpy as np

from numpyae.cli import count_aloud
from numpyae.lab.settings import at_least


OPTIONS = {
    "--seed": dict(type=at_least(0), default=0, help="of the random points (0)"),
    "--mutants": dict(action="store_true", help="put mistakes into right code; are they found, and named?")}


def run(arguments):
    """Print a table of everything checked; 1 when anything disagrees. With --mutants, the score of the check."""
    from numpyae import gradcheck

    if arguments.mutants:
        from numpyae.gradcheck import score

        text, status = score.of_all(count_aloud("mutants"))
        print(text)
        return status
    from numpyae.gradcheck.cases import cases

    reports = []
    print(f"{'checked':52} {'arrays':>6} {'elements':>8} {'median relative error':>22}  verdict")
    for name, target, batch in cases(np.random.default_rng(arguments.seed)):
        report = gradcheck.check(target, *batch)
        reports.append(report)
        whole = [row for row in report.rows if row["term"] is None]
        print(f"{name if len(name) <= 52 else name[:49] + '...':52} {len(whole):6} "
              f"{sum(row['elements'] for row in whole):8} {report.median_error:22.1e}  "
              f"{report.verdict if report.ok else report.verdict.upper()}")
    wrong = [report for report in reports if not report.ok]
    for report in wrong:
        print(f"\n{report}")
    print(f"{len(reports) - len(wrong)} of {len(reports)} agree")
    return 1 if wrong else 0
