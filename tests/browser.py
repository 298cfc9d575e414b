"""A page in a real browser: headless Chromium, where there is one: what it says, what it loads, and what a script finds."""

import html
import json
import re
import shutil
import subprocess

PROGRAM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
WITHOUT = "there is no Chromium here (chromium or google-chrome): pages are not looked at in a browser"


def visit(path, folder, script="return null", size=(1280, 900)):
    """Open a copy of a page that has one script more, and run this after loading. {"result", "console", "loaded", "scrolls"}.

    console: the lines that the page wrote there, errors among them; loaded: addresses that it asked for; scrolls: by how many
    pixels the page is wider than its window.
    """
    report = ("addEventListener('load', () => { const result = (() => {" + script + "})(); "
              "const page = document.documentElement, out = document.createElement('pre'); out.id = 'report'; "
              "out.textContent = JSON.stringify({result, "
              "loaded: performance.getEntriesByType('resource').map(e => e.name).filter(name => !name.startsWith('data:')), "
              "width: innerWidth, scrolls: page.scrollWidth - innerWidth}); document.body.replaceChildren(out); });")
    copy = folder / "visited.html"
    text = path.read_text(encoding="utf-8")
    assert text.count("</body>") == 1
    copy.write_text(text.replace("</body>", f"<script>{report}</script></body>"), encoding="utf-8")
    done = subprocess.run([PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
                           "--v=0", f"--user-data-dir={folder / 'profile'}", f"--window-size={size[0]},{size[1]}",
                           "--virtual-time-budget=2000", "--dump-dom", copy.as_uri()],
                          capture_output=True, text=True, encoding="utf-8", timeout=120)
    found = json.loads(html.unescape(re.search(r'<pre id="report">(.*?)</pre>', done.stdout, re.S)[1]))
    return found | {"console": [line for line in done.stderr.splitlines() if "CONSOLE" in line]}


def from_outside(text):
    """Addresses in the source of a page that a browser would fetch: none is wanted but data, and places in the page itself."""
    code_free = re.sub(r"<pre.*?</pre>|<p>.*?</p>|<li>.*?</li>", "", text, flags=re.S)
    fetched = re.findall(r"""(?:src|srcset|data|poster)=["']([^"']*)|url\(([^)]*)\)|(@import[^;]*)|<link[^>]*href="([^"]*)""",
                         code_free)
    return [address for found in fetched for address in found if address and not address.startswith(("data:image/", "#"))]
