"""Renders templates with Jinja2, in an environment like the one that transformers gives chat templates, and writes what comes
out beside them.

    python3 make_templates.py templates        (needs jinja2 3.1.6)

`templates/pieces.txt` holds short templates, one a line; `templates/chats/*.jinja` whole chat templates in the manner of
published families. Writes `templates/pieces.json`, `templates/chats.json` and `templates/strftime.json`.
"""

import datetime
import json
import os
import pathlib
import sys

os.environ["TZ"] = "UTC"

from jinja2 import nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2024, 2, 29, 12, 30, 45, tzinfo=datetime.timezone.utc)


class Generation(Extension):
    """What the model said: rendered as it stands."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("said"), [], [], body).set_lineno(line)

    def said(self, caller):
        return caller()


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise TemplateError(message)


environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = NOW.strftime


def render(source, context):
    try:
        return {"text": environment.from_string(source).render(**context)}
    except RecursionError:
        raise
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:200]}


PIECES_CONTEXT = {
    "text": " <a> ",
    "words": "Ask the blue kettle, ask it twice",
    "long": "one two three four five six seven eight nine ten eleven twelve",
    "lines": "first\nsecond\n\n  third\r\nfourth",
    "accents": "Élan vital – naïve 🙂 ß",
    "quotes": "it's \"so\" \\ \t",
    "empty": "",
    "number": 7,
    "negative": -3,
    "ratio": 2.5,
    "yes": True,
    "no": False,
    "nothing": None,
    "list": [3, 1, 2],
    "names": ["beta", "Alpha", "gamma", "alpha"],
    "nested": [1, [2, "x"], {"k": None}],
    "map": {"b": 1, "a": "é", "items_": [True, 2.0, None]},
    "people": [
        {"name": "Ann", "age": 31, "tags": ["x", "y"], "home": {"city": "Oslo"}},
        {"name": "bob", "age": 25, "tags": [], "home": {"city": "Rome"}},
        {"name": "Cy", "age": 31, "tags": ["y"]},
    ],
    "tree": [{"n": 1, "c": [{"n": 2, "c": []}, {"n": 3, "c": [{"n": 4, "c": []}]}]}, {"n": 5, "c": []}],
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Bye"},
    ],
    "tools": None,
    "bos_token": "<s>",
    "eos_token": "</s>",
    "add_generation_prompt": True,
}

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a place.",
            "parameters": {
                "type": "object",
                "properties": {
                    "place": {"type": "string", "description": "A town, such as Köln"},
                    "unit": {"type": "string", "enum": ["c", "f"], "description": "The unit"},
                    "days": {"type": "array", "items": {"type": "integer"}},
                },
                "required": ["place"],
            },
            "return": {"type": "number"},
        },
    },
    {
        "type": "function",
        "function": {
            "name": "now",
            "description": "The time.",
            "parameters": {"type": "object", "properties": {}},
        },
    },
]

CHATS = {
    "one question": {"messages": [{"role": "user", "content": "What is <b>2 + 2</b>?"}]},
    "system and turns": {
        "messages": [
            {"role": "system", "content": "  You are kind.\n"},
            {"role": "user", "content": "Hello é 🙂"},
            {"role": "assistant", "content": "<think>\nA greeting.\n</think>\n\nHi there! "},
            {"role": "user", "content": " Tell me\nmore. "},
        ]
    },
    "finished": {
        "messages": [{"role": "user", "content": "Go"}, {"role": "assistant", "content": "Gone."}],
        "add_generation_prompt": False,
    },
    "tools": {
        "messages": [
            {"role": "system", "content": "Use tools."},
            {"role": "user", "content": "Weather in Köln?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {
                        "id": "call00001",
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": {"place": "Köln", "days": [1, 2]}},
                    }
                ],
            },
            {"role": "tool", "name": "get_weather", "tool_call_id": "call00001", "content": '{"t": 21.5}'},
        ],
        "tools": TOOLS,
    },
    "two users": {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]},
}

DATES = [0, -1, 951782400, 1709209845, 1735689599, 1735689600, 1230768000, 1104537600, 1199145600, 1262304000, 1609459200,
         1640995199, 4102444799, -86400 * 366 * 60, -30000000000, 253402300799, 1456790399, 1072915200, 1325376000]
LETTERS = "aAbBcCdDeFgGhHIjmMnprRsStTuUVwWxXyYzZ%fPkl"
FORMATS = ["%" + letter for letter in LETTERS]
FORMATS += ["%" + flag + letter for letter in "dmHIMSjeklyCUWVguwYGsaAbBhpPcDFTrRxX" for flag in
            ["-", "_", "0", "^", "#", "10", "-10", "_10", "010", "^10", "#12", "3", "_0", "-_", "E", "O", "^#"]]
FORMATS += ["%e|%-d|%I:%M %p|%j|%F %T|%z", "%d %B %Y", "%d %b %Y", "%A, %-d %B %Y", "100%", "%%d", "%Q", "%-Q", "%5Q", "é%dé",
            "%é", "%", "%-", "%10", "a%nb%tc", "%Ey-%Om-%Od", "%+", "%!", "%v", "%L", "%N", "% d", "%i", "%J", "%K", "%q"]


def main(folder):
    pieces = []
    for line in (folder / "pieces.txt").read_text().splitlines():
        if line and not line.startswith("##"):
            source = line.replace("⏎", "\n")
            pieces.append({"template": source, **render(source, PIECES_CONTEXT)})
    chats = []
    for path in sorted((folder / "chats").glob("*.jinja")):
        for name, chat in CHATS.items():
            context = {"bos_token": "<s>", "eos_token": "</s>", "tools": None, "documents": None,
                       "add_generation_prompt": True, **chat}
            chats.append({"template": path.name, "chat": name, **render(path.read_text(), context)})
    dates = []
    for seconds in DATES:
        moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
        dates.append([seconds, [moment.strftime(format) for format in FORMATS]])
    write(folder / "pieces.json", {"context": PIECES_CONTEXT, "now": int(NOW.timestamp()), "cases": pieces})
    write(folder / "chats.json", {"now": int(NOW.timestamp()), "chats": CHATS, "cases": chats})
    write(folder / "strftime.json", {"formats": FORMATS, "dates": dates})
    for name, cases in [("pieces", pieces), ("chats", chats)]:
        failed = [case for case in cases if "error" in case]
        print(f"{name}: {len(cases)} cases, {len(failed)} of them errors")
        if "--errors" in sys.argv:
            for case in failed:
                print("  ", case["template"], case.get("chat", ""), case["error"])


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=0) + "\n")


main(pathlib.Path(sys.argv[1]))
