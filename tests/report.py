#!/usr/bin/env python3
"""Opens a report in headless Chromium and says what is wrong with it.

The browser is spoken to through a pipe, so nothing but Python and Chromium is needed. Nothing may be asked of the network,
nothing may be logged; on no width may the page be wider than the screen; text must stand out from the paper, by day, by
night and on paper; the totals must be those that `paynorm verify --json` reads from the data files. `--self-test` breaks
the page in each of these ways and fails unless that is found.
"""

import argparse
import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SECTIONS = ["control", "changes", "runs", "months", "amounts", "words", "fees", "quarantine", "drift", "duplicates", "dumps"]
WIDTHS = [320, 390, 768, 1280]

# Colours as numbers, and how much lighter one is than the other.
CONTRAST = """(() => {
  const shine = text => {
    const parts = text.match(/[\\d.]+/g).slice(0, 3).map(n => n / 255);
    const [r, g, b] = parts.map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = shine(getComputedStyle(document.body).backgroundColor);
  const of = (element, what) => {
    const [low, high] = [paper, shine(getComputedStyle(element)[what])].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const all = (query, what, least) => [...document.querySelectorAll(query)].map(e => [query, of(e, what), least]);
  return [...all('body, h2, .faint, .good, .bad, thead th, a, summary, .name', 'color', 4.5),
          ...all('svg text', 'fill', 4.5), ...all('svg rect', 'fill', 3)].filter(([, ratio, least]) => !(ratio >= least));
})()"""

TOTALS = """[...document.querySelectorAll('#control table')]
  .find(table => table.caption.textContent.startsWith('Amounts')).tBodies[0].rows"""

# A page without tables or totals must not pass, so what is looked for must be there.
FACTS = f"""({{
  sections: [...document.querySelectorAll('main > section')].map(section => section.id),
  ids: [...document.querySelectorAll('[id]')].map(element => element.id),
  links: [...document.querySelectorAll('nav a')].map(a => a.getAttribute('href')),
  foreign: [...document.querySelectorAll('script,img,iframe,object,link,form,input,foreignObject,b')].map(e => e.outerHTML),
  title: document.title,
  pictures: [...document.querySelectorAll('svg')].map(svg => [svg.getAttribute('role'), svg.querySelectorAll('rect').length]),
  unchecked: [...document.querySelectorAll('.bad')].map(e => e.textContent),
  checked: document.querySelectorAll('.good').length,
  totals: [...{TOTALS}].map(row => [...row.cells].map(cell => cell.textContent)),
}})"""

# A phone would show a page that is too wide smaller, so it is the width that it was given that counts.
WIDE = "document.documentElement.scrollWidth"

HIDDEN = """[...document.querySelectorAll('details td')].filter(cell => cell.textContent && !cell.checkVisibility(
  {contentVisibilityAuto: true})).length"""


class Browser:
    """Chromium with a pipe to each side."""

    def __init__(self, profile):
        to_read, to_write = os.pipe(), os.pipe()

        def descriptors():
            # It reads from 3 and writes to 4; neither end may be closed before both are in place.
            ours = [os.dup(to_read[0]), os.dup(to_write[1])]
            ours = [fd if fd > 4 else os.dup(os.dup(fd)) for fd in ours]
            os.dup2(ours[0], 3)
            os.dup2(ours[1], 4)

        command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   "--hide-scrollbars", f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]
        self.process = subprocess.Popen(command, close_fds=False, preexec_fn=descriptors, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read[0])
        os.close(to_write[1])
        self.out, self.input = to_read[1], os.fdopen(to_write[0], "rb")
        self.number, self.rest, self.events, self.session = 0, b"", [], None

    def message(self):
        while b"\0" not in self.rest:
            more = os.read(self.input.fileno(), 1 << 16)
            if not more:
                sys.exit("the browser has gone")
            self.rest += more
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **parameters):
        self.number += 1
        call = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            call["sessionId"] = self.session
        os.write(self.out, json.dumps(call).encode() + b"\0")
        while True:
            answer = self.message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method):
        while all(event.get("method") != method for event in self.events):
            self.events.append(self.message())

    def open_tab(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def show(self, url, width, scheme, media=""):
        height = 844 if width < 768 else 900
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 768)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)
        self.events = []
        self.call("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired")

    def ask(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            sys.exit(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def heard(self, url):
        """What was logged, and what was asked for beside the page."""
        for event in self.events:
            parameters = event.get("params", {})
            match event.get("method"):
                case "Log.entryAdded":
                    yield f"logged: {parameters['entry']['text']}"
                case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                    yield f"a script ran: {json.dumps(parameters)[:200]}"
                case "Network.requestWillBeSent" if parameters["request"]["url"] != url:
                    yield f"asked for {parameters['request']['url'][:100]}"


def facts(found, verified):
    """What is wrong with the content of the page."""
    if found["sections"] != SECTIONS:
        yield f"sections {found['sections']}"
    if len(set(found["ids"])) != len(found["ids"]):
        yield "an id occurs twice"
    if {link[1:] for link in found["links"]} != set(SECTIONS):
        yield f"links to {found['links']}"
    for element in found["foreign"]:
        yield f"an element that must not be there: {element[:100]}"
    if not found["title"].startswith("paynorm report, run "):
        yield f"titled {found['title']}"
    if len(found["pictures"]) < 3 or any(role != "img" or rects < 1 for role, rects in found["pictures"]):
        yield f"charts: {found['pictures']}"
    if found["unchecked"] or found["checked"] < 5:
        yield f"{found['checked']} sums add up, and others do not: {found['unchecked']}"
    number = lambda text: text.replace(",", "")
    shown = {(row[0], row[1]): tuple(map(number, row[2:6])) for row in found["totals"]}
    read = {(line["source"], line["currency"] or "?"): (str(line["rows"]), line["gross"], line["fee"], line["net"])
            for line in verified["totals"]}
    if not read or shown != read:
        yield f"totals {shown}\nand in the data files {read}"


def look(browser, url, verified, pictures=None):
    """All that is wrong with a page."""
    wrong = []
    for scheme in ("light", "dark"):
        for width in WIDTHS:
            browser.show(url, width, scheme)
            at = f"at {width} pixels, {scheme}"
            wide = browser.ask(WIDE)
            wrong += [f"{at}: {what}" for what in browser.heard(url)]
            wrong += [f"{at}: {wide} pixels wide"] if wide > width else []
            wrong += [f"{at}: {query} has a contrast of {ratio}" for query, ratio, _ in browser.ask(CONTRAST)]
            if pictures and width in (390, 1280):
                picture = browser.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")["data"]
                (pictures / f"{width}-{scheme}.png").write_bytes(base64.b64decode(picture))
    browser.show(url, 1280, "light")
    wrong += facts(browser.ask(FACTS), verified)
    browser.show(url, 1000, "dark", "print")
    hidden = browser.ask(HIDDEN)
    wrong += [f"on paper {hidden} cells are hidden"] if hidden else []
    wrong += [f"on paper: {query} has a contrast of {ratio}" for query, ratio, _ in browser.ask(CONTRAST)]
    paper = browser.ask("getComputedStyle(document.body).backgroundColor")
    wrong += [] if paper == "rgb(255, 255, 255)" else [f"on paper the page is {paper}"]
    printed = base64.b64decode(browser.call("Page.printToPDF", preferCSSPageSize=True)["data"])
    wrong += [] if printed.startswith(b"%PDF") else ["it can't be printed"]
    if pictures:
        (pictures / "printed.pdf").write_bytes(printed)
    return wrong


# How a page is broken, and what must be said of it.
BREAKS = [
    ("<h1>", "<script>document.title = 1</script><h1>", "an element that must not be there: <script>"),
    ("<h1>", '<img src="https://example.org/x.png"><h1>', "logged: "),
    ("<h1>", '<h1 style="color: red">', "logged: "),
    ("overflow-x: auto", "width: 500px", "pixels wide"),
    ("--ink: #e6e9ec", "--ink: #333", "contrast"),
    ("<section id=\"fees\">", "<section id=\"fee\">", "sections"),
    ("</td>", "1</td>", "and in the data files"),
    ("details::details-content", "details::none", "on paper"),
    ("✓ yes</span>", "✗ no</span>", "add up"),
]


def style_digest(page):
    style = page.split("<style>")[1].split("</style>")[0]
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def self_test(browser, page, verified, work):
    text = page.read_text()
    for old, new, expected in BREAKS:
        if old not in text:
            sys.exit(f"self-test: {old} is not in the page")
        broken = text.replace(old, new) if expected != "add up" else text.replace("class=\"good\"", "class=\"bad\"")
        # What is changed in the style needs its digest anew.
        path = pathlib.Path(work) / "broken.html"
        path.write_text(broken.replace(style_digest(text), style_digest(broken)))
        found = look(browser, path.as_uri(), verified)
        if not any(expected in what for what in found):
            sys.exit(f"self-test: {new} was not found; only {found[:3]}")
    print(f"self-test: all of {len(BREAKS)} faults were found")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("verified", type=pathlib.Path, help="what `paynorm verify --json` says")
    parser.add_argument("--pictures", type=pathlib.Path, help="a directory for pictures and the printed page")
    parser.add_argument("--self-test", action="store_true", help="look at broken pages, which must be found wrong")
    options = parser.parse_args()
    if not shutil.which("chromium"):
        sys.exit("chromium is needed: apt-get install chromium")
    verified = json.loads(options.verified.read_text())
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
        browser = Browser(f"{work}/profile")
        try:
            browser.open_tab()
            if options.self_test:
                return self_test(browser, options.page.resolve(), verified, work)
            wrong = look(browser, options.page.resolve().as_uri(), verified, options.pictures)
        finally:
            browser.process.kill()
            browser.process.wait()
    print("\n".join(wrong) or "the report is well on every screen and on paper")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
