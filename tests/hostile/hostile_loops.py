"""Loops in three languages: every field with values that nobody foresaw, and files that are hard to read at all."""

import json
import re
from collections.abc import Iterator

from bad_loops import PYTHON, QUERY, SPELLINGS, TYPESCRIPT, YAML
from hostile import Hostile, named

FIELDS = {
    "name": '"win_back"',
    "type": '"retention"',
    "opinion": '"Bring people back."',
    "trigger": '"schedule"',
    "cron": '"0 9 * * *"',
    "timezone": '"Europe/Berlin"',
    "condition": '"query"',
    "query": f'"{QUERY}"',
    "timeout": '"10m"',
    "action": '"email"',
    "provider": '"resend"',
    "template": '"re_engagement"',
    "personalization": '"{{user.name}}"',
    "repeat": '"30d"',
    "holdout": '"10%"',
    "backoff": '"exponential"',
}
BY_LANGUAGE = ("name", "query", "personalization")
DIGITS = "9" * 5_000
VALUES = {
    "5,000 digits": DIGITS,
    "a number beyond all": "1e999",
    "5,000 letters": json.dumps("a" * 5_000),
    "100,000 letters": json.dumps("a " * 50_000),
    "NUL": json.dumps("a\0b"),
    "half a character": r'"\ud800"',
    "lines and marks": json.dumps("a\r\nb\u2028\u202e\u200bc"),
    "a list in a list, 500 deep": "[" * 500 + "]" * 500,
    "a list": "[[1, 2], [3]]",
    "a mapping": '{"a": {"b": 1}}',
}
NUMBERS = {
    "5,000 digits": DIGITS,
    "minus 5,000 digits": f"-{DIGITS}",
    "a number beyond all": "1e999",
    "a small number": "1e-999",
    "2**63": str(2**63),
    "hexadecimal": "0x" + "f" * 5_000,
    "a billion": "1000000000",
    "a text": '"many"',
}


def _fields() -> Iterator[tuple[str, Hostile]]:
    for file, text in SPELLINGS.items():
        for field, old in FIELDS.items():
            # What a value is read from differs by language, what becomes of it then does not.
            for value, new in VALUES.items() if file.endswith("yaml") or field in BY_LANGUAGE else ():
                # Of SQL, a fault's line is counted within its own text.
                yield f"{file}: {field} is {value}", _replaced(file, text, old, new, of_the_field=field != "query")
        for value, new in NUMBERS.items():
            yield f"{file}: retries are {value}", _numbered(file, text, "retries", new)
            yield f"{file}: set is {value}", _numbered(file, text, "flagged", new)
        yield f"{file}: a share beyond all", _replaced(file, text, '"10%"', '"1e308%"')
        yield f"{file}: a long name of a field", _replaced(file, text, "opinion", "o" * 5_000)
        yield f"{file}: a long name of a column", _replaced(file, text, "flagged", "f" * 5_000)
        yield f"{file}: a long time", _replaced(file, text, '"10m"', '"1000000000000y"')
        yield f"{file}: a long cron", _replaced(file, text, '"0 9 * * *"', '"' + "1," * 4_000 + '1 9 * * *"')
        yield f"{file}: a huge range in cron", _replaced(file, text, '"0 9 * * *"', '"0-99999999999 9 * * *"')
        yield f"{file}: a huge step in cron", _replaced(file, text, '"0 9 * * *"', '"*/99999999999999999999 9 * * *"')
        yield f"{file}: many fields in cron", _replaced(file, text, '"0 9 * * *"', '"' + "* " * 5_000 + '"')


def _replaced(file: str, text: str, old: str, new: str, *, of_the_field: bool = True) -> Hostile:
    assert text.count(old) == 1, (file, old)
    line = text[: text.index(old)].count("\n") + 1 if of_the_field else None
    return _file(f"bad.{file.partition('.')[2]}", text.replace(old, new), line)


def _numbered(file: str, text: str, field: str, new: str) -> Hostile:
    found = re.search(rf"{field}'?: ([12])", text)
    assert found is not None
    line = text[: found.start()].count("\n") + 1
    return _file(f"bad.{file.partition('.')[2]}", text[: found.start(1)] + new + text[found.end(1) :], line)


def _file(name: str, text: str | bytes, line: int | None = None, says: str = "") -> Hostile:
    return Hostile({f"loops/{name}": text}, f"loops/{name}" + (f":{line}" if line is not None else ""), says)


def _yaml() -> Iterator[tuple[str, Hostile]]:
    laughs = "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    texts: dict[str, tuple[str, int | None]] = {
        "a character beyond all": (YAML.replace('"Bring people back."', r'"\U00110000"'), 3),
        "a character far beyond all": (YAML.replace('"Bring people back."', r'"\UFFFFFFFF"'), 3),
        "half an escape": (YAML.replace('"Bring people back."', r'"\x9"'), 3),
        "a list of 200 kB": ("type: retention\nsteps:\n" + "- a\n" * 50_000, None),
        "a list of 1 MB": ("type: retention\nsteps:\n" + "- a\n" * 250_000, None),
        "a list in one line": ("type: [" + "a," * 100_000 + "a]\n", None),
        "10,000 deep in lists": ("type: " + "[" * 10_000 + "]" * 10_000, 1),
        "10,000 deep and open": ("type: " + "[" * 10_000, 1),
        "10,000 deep in mappings": ("type: " + "{a: " * 10_000 + "}" * 10_000, 1),
        "10,000 deep in dashes": ("type:\n  " + "- " * 10_000 + "a\n", 2),
        "10,000 deep by lines": ("\n".join(" " * n + "a:" for n in range(600)), None),
        "names in names": ("? " * 5_000 + "a\n", 1),
        "many billions of values": (laughs, None),
        "a chain of aliases": (
            "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3_000)),
            None,
        ),
        "merging of itself": ("a: &a {<<: *a}\n", 1),
        "a version of 5,000 digits": (f"%YAML {DIGITS}.1\n---\ntype: retention\n", None),
        "a tag of 50,000 letters": ("type: !" + "a" * 50_000 + " x\n", 1),
        "a tag that is half encoded": ("type: !a%f x\n", 1),
        "an alias of 50,000 letters": ("type: *" + "a" * 50_000 + "\n", 1),
        "a name of 50,000 letters": ("a" * 50_000 + ": x\n", None),
        "a quote without an end": ('type: "' + "a\\\n" * 40_000, 1),
        "backslashes": ('type: "' + "\\" * 41, 1),
        "a comment of 250 kB": ("# " + "a" * 250_000 + "\n" + YAML, None),
        "lines of nothing": ("\n" * 250_000 + YAML, None),
        "a text of 250 kB": ("opinion: " + "a " * 120_000 + "\n", None),
        "a quoted text of 250 kB": ("opinion: '" + "a '' " * 50_000 + "'\n", None),
        "a folded text of 250 kB": ("opinion: >\n" + "  a\n\n" * 50_000, None),
        "colons": (": " * 100_000, 1),
        "dashes": ("---\n" * 50_000, None),
        "braces": ("}" * 100_000, 1),
        "tabs": ("\t" * 100_000, 1),
        "a NUL": ("type: \0\n", 1),
        "only a mark": ("\ufeff", None),
        "two hundred thousand anchors": ("a: [" + "&a x, " * 40_000 + "]\n", 1),
    }
    for name, (text, line) in texts.items():
        yield f"loop.yaml: {name}", _file("bad.yaml", text, line)


def _typescript() -> Iterator[tuple[str, Hostile]]:
    def exported(text: str) -> str:
        return "export default defineLoop({\n" + text + "\n});\n"

    texts: dict[str, tuple[str, int | None]] = {
        "a quote without an end and 41 backslashes": (exported('  opinion: "' + "\\" * 41), None),
        "a quote inside quotes and 20,000 backslashes": (exported("  opinion: '\\\"" + '\\"' * 20_000 + "a' b"), None),
        "10,000 deep in lists": (exported("  steps: " + "[" * 10_000 + "]" * 10_000), None),
        "10,000 deep and a fault inside": (exported("  steps: " + "[" * 10_000 + "1 2" + "]" * 10_000), None),
        "10,000 deep in objects": (exported("  steps: " + "{a: " * 10_000 + "1" + "}" * 10_000), None),
        "10,000 deep in parentheses": (exported("  steps: " + "(" * 10_000 + "1" + ")" * 10_000), None),
        "100,000 deep and open": (exported("  steps: " + "[" * 100_000), None),
        "100,000 deep in braces": ("{" * 100_000, None),
        "100,000 signs": (exported("  priority: " + "-" * 100_000 + "1"), None),
        "a list of 100,000": (exported("  steps: [" + "1," * 100_000 + "]"), None),
        "lists of 5 MB": (exported("  steps: [" + "[1]," * 1_250_000 + "]"), None),
        "a text of 200 kB": (exported('  opinion: "' + "a" * 200_000 + '"'), None),
        "a template in a template": (exported("  opinion: " + "`${" * 5_000 + "`" * 5_000), None),
        "types in types": ("type A = " + "B<" * 5_000 + ">" * 5_000 + ";\n", None),
        "100,000 less-thans": (exported("  priority: a" + "<a" * 50_000), None),
        "arrows": (exported("  priority: " + "(a) => " * 20_000 + "1"), None),
        "calls": (exported("  priority: a" + "()" * 50_000), None),
        "casts": (exported("  priority: 1" + " as A" * 20_000), None),
        "a comment without an end": ("/*" * 50_000, None),
        "an escape without an end": (exported('  opinion: "' + "\\u{" * 20_000 + '"'), None),
        "an escape of 100,000 digits": (exported('  opinion: "\\u{' + "f" * 100_000 + '}"'), None),
        "an expression without an end": (exported("  opinion: /" + "(a+)+" * 5_000), None),
        "a number of 100,000 underscores": (exported("  priority: 1" + "_0" * 50_000), None),
        "a NUL": (exported("  opinion: \0"), None),
        "100,000 lines": ("\n" * 200_000, None),
        "a name of 50,000 letters": (exported("  " + "a" * 50_000 + ": 1"), None),
        "100,000 fields": (exported("".join(f"a{n}: 1, " for n in range(20_000))), None),
    }
    for name, (text, line) in texts.items():
        yield f"loop.ts: {name}", _file("bad.ts", text, line)


def _python() -> Iterator[tuple[str, Hostile]]:
    head = "from skene_dagster import define_loop\n"
    texts: dict[str, tuple[str, int | None]] = {
        "it is cancelled": ("import asyncio\nraise asyncio.CancelledError\n", 2),
        "it ends generators": ("raise GeneratorExit\n", 1),
        "it exits": ("import sys\nsys.exit(3)\n", 2),
        "it exits with a long text": ("import sys\nsys.exit('a' * 1000000)\n", 2),
        "it raises a base": ("raise BaseException('no')\n", 1),
        "it raises what cannot be said": (
            "class Bad(Exception):\n    def __str__(self):\n        raise ValueError\nraise Bad\n",
            4,
        ),
        "it raises what says nothing": ("class Bad(Exception):\n    __str__ = None\nraise Bad\n", 3),
        "it raises a long text": ("raise ValueError('a' * 10_000_000)\n", 1),
        "it raises under a long name": ("raise type('A' * 1_000_000, (Exception,), {})\n", 1),
        "it raises many lines": ("raise ValueError('a\\n' * 1000)\n", 1),
        "it raises a group": ("raise MemoryError\n", 1),
        "it calls itself": ("def f():\n    f()\nf()\n", 2),
        "its loop has no class": (
            head + "class Bad:\n    @property\n    def __class__(self):\n        raise ValueError\nloop = Bad()\n",
            None,
        ),
        "a value has no class": (
            head
            + "class Bad:\n    @property\n    def __class__(self):\n        raise ValueError\n"
            + "loop = define_loop(type=Bad())\n",
            None,
        ),
        "a value cannot be shown": (
            head
            + "class Bad:\n    def __repr__(self):\n        raise ValueError\n    def __eq__(self, other):\n"
            + "        raise ValueError\n    __hash__ = None\nloop = define_loop(type=Bad())\n",
            8,
        ),
        "a mapping that fails": (
            head
            + "from collections import UserDict\nclass Bad(UserDict):\n    def items(self):\n        raise KeyError\n"
            + "loop = define_loop(recovery=Bad(a=1))\n",
            5,
        ),
        "a value within itself": (head + "a = []\na.append(a)\nloop = define_loop(steps=a)\n", 4),
        "many billions of values": (
            head + "a = [1]\nfor _ in range(18):\n    a = [a] * 9\nloop = define_loop(steps=a)\n",
            5,
        ),
        "a mapping of itself": (head + "a = {}\na['a'] = a\nloop = define_loop(recovery=a)\n", 4),
        "a text that is no text": (head + "class T(str):\n    pass\nloop = define_loop(type=T('retention'))\n", 4),
        "a number that is true": (
            head + "loop = define_loop(name='bad', type='retention', steps=[], priority=True)\n",
            None,
        ),
        "no number": (head + "loop = define_loop(name='bad', type='retention', steps=[], holdout=float('nan'))\n", 2),
        "infinite": (head + "loop = define_loop(name='bad', type='retention', steps=[], holdout=float('inf'))\n", 2),
        "2 ** 100,000": (head + "loop = define_loop(name='bad', type='retention', steps=[], priority=2**100_000)\n", 2),
        "bytes": (head + "loop = define_loop(type=b'retention')\n", 2),
        "10,000 parentheses": ("x = " + "(" * 10_000 + ")" * 10_000 + "\n", None),
        "10,000 signs": ("x = " + "-" * 10_000 + "1\n", None),
        "100,000 signs": ("x = " + "~" * 100_000 + "1\n", None),
        "10,000 attributes": ("x = a" + ".b" * 10_000 + "\n", None),
        "100,000 sums": ("x = 1" + "+1" * 100_000 + "\n", None),
        "a call of 5,000 calls": (head + "loop = define_loop" + "()" * 5_000 + "\n", None),
        "a NUL": ("x = '\0'\n", None),
        "a quote without an end": ("x = '''" + "a\\\n" * 40_000, None),
        "a strange encoding": ("# -*- coding: no-such -*-\nx = 1\n", None),
        "100 blocks": ("".join(" " * n + "if 1:\n" for n in range(150)) + " " * 150 + "pass\n", None),
        "it hides its own name": (head + "__file__ = __name__ = loop = None\n", None),
        "it changes what it declared": (
            head + "loop = define_loop(type='a')\nobject.__setattr__(loop, 'fields', 7)\n",
            None,
        ),
    }
    for name, (text, line) in texts.items():
        yield f"loop.py: {name}", _file("bad.py", text, line)
    yield "loop.py: not UTF-8", _file("bad.py", PYTHON.encode().replace(b"back.", b"\xff\xfe"), 6)
    yield "loop.ts: not UTF-8", _file("bad.ts", TYPESCRIPT.encode().replace(b"back.", b"\xff\xfe"), 6)


LOOPS = named(_fields()) | named(_yaml()) | named(_typescript()) | named(_python())
