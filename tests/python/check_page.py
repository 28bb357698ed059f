"""check_page.py FILE.html [TEXT...]: a page is well-formed, needs nothing but itself, and can be read by everybody.

Parsed by Python's strict XML parser (an unclosed tag or a stray < or & is an error), then as HTML by html.parser,
which must see the same text. Every TEXT must be among the words of the page. Prints what is wrong; 1 if anything is.
"""
import base64
import html.parser
import re
import sys
import xml.etree.ElementTree as tree

ELEMENTS = set("""html head meta title style body main header footer section p h1 h2 h3 bdi wbr span div dl dt dd figure
figcaption details summary table caption thead tbody tr th td ul li img code svg desc path rect circle text""".split())
LIMIT = 5_000_000
bad = []


def complain(text):
    bad.append(text)


class Words(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.words, self.style = [], False

    def handle_starttag(self, tag, attrs):
        self.style = tag == "style"

    def handle_data(self, data):
        if not self.style:
            self.words.append(data)

    handle_endtag = lambda self, tag: setattr(self, "style", False)


def number(element, name):
    try:
        return float(element.get(name))
    except (TypeError, ValueError):
        complain(f"<{element.tag}> has {name}={element.get(name)!r}")
        return 0


def check_svg(svg):
    if svg.get("aria-hidden") == "true":
        return
    ids = {e.get("id") for e in svg if e.tag in ("title", "desc") and (e.text or "").strip()}
    if svg.get("role") != "img" or not ids or ids != set(svg.get("aria-labelledby", "").split()):
        complain("a picture without a title and a description")
    x0, y0, w, h = map(float, svg.get("viewBox").split())
    boxes = []
    for e in svg.iter():
        if e.tag == "text":
            x, y, size = number(e, "x"), number(e, "y"), 6.2 * len(e.text or "")
            x -= {"middle": size / 2, "end": size}.get(e.get("text-anchor"), 0)
            if x < x0 - 8 or x + size > x0 + w + 8 or y < y0 or y > y0 + h:
                complain(f"the text {e.text!r} lies outside of the picture")
            boxes.append((x, y - 9, x + size, y, e.text))
        if e.tag == "path" and re.search(r"nan|inf", e.get("d")):
            complain("a path with a point that is no number")
        if e.tag == "circle" and not (x0 <= number(e, "cx") <= x0 + w and y0 <= number(e, "cy") <= y0 + h):
            complain("a point outside of the picture")
    for i, a in enumerate(boxes):
        for b in boxes[i + 1:]:
            if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]:
                complain(f"{a[4]!r} and {b[4]!r} overlap")


def check(path, wanted):
    data = open(path, "rb").read()
    text = data.decode("utf-8")
    if len(data) >= LIMIT:
        complain(f"{len(data)} bytes")
    if not text.startswith("<!DOCTYPE html>\n"):
        complain("no doctype")
    root = tree.fromstring(text)
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    if len(ids) != len(set(ids)):
        complain("an id stands twice")
    levels = []
    for e in root.iter():
        if e.tag not in ELEMENTS:
            complain(f"an element <{e.tag}>")
        for name, value in e.attrib.items():
            if name.startswith("on") or name in ("href", "action", "srcset"):
                complain(f"<{e.tag} {name}>")
            if name == "src" and not value.startswith("data:image/"):
                complain(f"a picture from {value[:40]!r}")
        if e.tag == "img":
            kind, payload = e.get("src").split(",", 1)
            raw = base64.b64decode(payload, validate=True)
            if not raw.startswith(b"\xff\xd8" if "jpeg" in kind else b"\x89PNG"):
                complain("a picture that is not what it says")
            if not e.get("alt") or number(e, "width") < 1 or number(e, "height") < 1:
                complain("a picture without alt text or size")
        if e.tag in ("h1", "h2", "h3"):
            levels.append(int(e.tag[1]))
        if e.tag == "svg":
            check_svg(e)
        if e.tag == "tr" and not len(e):
            complain("an empty row")
    if levels[:1] != [1] or levels.count(1) != 1 or any(b > a + 1 for a, b in zip(levels, levels[1:])):
        complain(f"headings in the order {levels}")
    style = root.find("head/style").text
    if re.search(r"url\(|@import", style) or "prefers-color-scheme:dark" not in style:
        complain("the style sheet")
    words = Words()
    words.feed(text)
    strict = "".join(t for e in [root] for t in e.itertext()).replace(style, "")
    if "".join("".join(words.words).split()) != "".join(strict.split()):
        complain("HTML and XML parsers read different texts")
    for word in wanted:
        if word not in strict and word not in " ".join(e.get("alt", "") for e in root.iter("img")):
            complain(f"{word!r} is not on the page")


check(sys.argv[1], sys.argv[2:])
for line in bad[:20]:
    print(f"{sys.argv[1]}: {line}")
sys.exit(bool(bad))
