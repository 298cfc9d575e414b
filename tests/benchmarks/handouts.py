"""All hand-outs, made and looked at in a browser: `python -m tests.benchmarks.handouts [--pages FOLDER]`.

Makes them in a temporary folder (minutes), or takes those of a folder, and the two pages of the stepper. For each the size,
whether it is wider than the window of a phone (390 pixels) or of a desk, what it loads, and what stands on the console. Exit
status 1 when a page has 3 MB or more, asks for anything, says anything on the console, or is too wide.
"""

import argparse
import pathlib
import sys
import tempfile
import time

from numpyae import trace
from numpyae.course import examples, handout
from tests import browser

MOST = 3_000_000
SCRIPT = """for (let k = 0; k < 100; k++) document.querySelector(".stepper .next")?.click();
const missing = [...document.images].filter(image => !image.naturalWidth).length;
return [document.querySelector(".stepper .count")?.textContent ?? "", missing];"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", metavar="FOLDER", help="take the pages in it, make none")
    given = parser.parse_args().pages
    if browser.PROGRAM is None:
        sys.exit(browser.WITHOUT)
    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        folder = pathlib.Path(given or temporary / "pages")
        if given is None:
            start = time.perf_counter()
            handout.write("all", folder, False)
            print(f"handout all: {time.perf_counter() - start:.0f} s")
        for name, example in (("stepper_2-2-2", examples.two_two_two), ("stepper_vae", examples.tiny_vae)):
            model, *batch = example()
            (temporary / f"{name}.html").write_text(trace(model, *batch, rng=0).to_html(), encoding="utf-8")
        bad = 0
        print(f"{'page':36} {'MB':>5}  {'too wide by':>11}  loaded  console  pictures missing  stepper")
        for page in [*sorted(folder.glob("*.html")), *sorted(temporary.glob("stepper*.html"))]:
            size, outside = page.stat().st_size, browser.from_outside(page.read_text(encoding="utf-8"))
            phone, desk = (browser.visit(page, temporary, SCRIPT, window) for window in ((390, 844), (1280, 900)))
            wide, loaded = max(phone["scrolls"], desk["scrolls"]), outside + phone["loaded"] + desk["loaded"]
            said, (count, missing) = phone["console"] + desk["console"], desk["result"]
            wrong = size >= MOST or wide > 0 or loaded or said or missing
            bad += bool(wrong)
            print(f"{page.name:36} {size / 1e6:5.2f}  {wide:11}  {len(loaded):6}  {len(said):7}  {missing:16}  {count}"
                  + "   WRONG" * bool(wrong))
            for line in loaded + said:
                print(f"    {line}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
