"""Types that are decoded for the first time by several threads at once, in a process of its own: it would be a crash of the process."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(file for folder in ("perf", "dashboard") for file in (ROOT / folder).rglob("*.py"))
TWO_THREADS = """
from __future__ import annotations
import os, sys, threading
import msgspec
from perf.decoding import converted, from_json, from_msgpack

begun, second = threading.Event(), threading.Event()

def slow():
    '''The type of a field, while it is looked at: the other thread comes meanwhile, if it is let.'''
    begun.set()
    second.wait(0.5)
    return int

class Inner(msgspec.Struct):
    number: slow()

class Outer(msgspec.Struct):
    inner: Inner
    numbers: list[int] = []

plain = {"inner": {"number": 1}, "numbers": [2]}
decode = {
    "from_json": lambda: from_json(msgspec.json.encode(plain), Outer),
    "from_msgpack": lambda: from_msgpack(msgspec.msgpack.encode(plain), Outer),
    "converted": lambda: converted(plain, Outer),
}
found = []
thread = threading.Thread(target=lambda: found.append(decode[sys.argv[1]]()))
thread.start()
assert begun.wait(30)
if sys.argv[3] == "fork" and os.fork():
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    thread.join()
    sys.exit()
found.append(decode[sys.argv[2]]())
second.set()
if sys.argv[3] == "thread":
    thread.join()
    assert len(found) == 2, found
assert all(one == Outer(Inner(1), [2]) for one in found), found
"""


@pytest.mark.parametrize("how", ["thread", "fork"])
@pytest.mark.parametrize("second", ["from_json", "from_msgpack", "converted"])
@pytest.mark.parametrize("first", ["from_json", "from_msgpack", "converted"])
def test_two_threads_decode_a_type_for_the_first_time(first: str, second: str, how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", TWO_THREADS, first, second, how],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_whoever_decodes_a_type_does_it_there() -> None:
    wrong = []
    for file in SOURCES:
        if file.name == "decoding.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            typed = any(word.arg == "type" for word in node.keywords) or len(node.args) > 1
            if called == "msgspec.convert" or (typed and called in ("msgspec.json.decode", "msgspec.msgpack.decode")):
                wrong.append(f"{file.relative_to(ROOT)}:{node.lineno}: {called}")
    assert wrong == []
