"""Files made to hurt a reader of YAML are refused: no crash, and hardly any memory."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEGABYTES = 50

READER = r"""
import json, re, resource, sys, time
from pathlib import Path
import pydantic, yaml
from mlsd_framework.diagnostics.errors import MlsdError
from mlsd_framework.spec.document import read_document
def peak():
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
idle, began, codes = peak(), time.perf_counter(), []
try:
    read_document(Path(sys.argv[1]))
except MlsdError as fault:
    codes = [one.code for one in fault.diagnostics]
print(json.dumps({"codes": codes, "grown": peak() - idle, "seconds": time.perf_counter() - began}))
"""


def laughs() -> str:
    """Return aliases of aliases, a billion values in all."""
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(lines)


def merges() -> str:
    """Return merge keys of merge keys."""
    lines = ["m0: &m0 {a: 1}"]
    lines += [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}]}}" for n in range(1, 30)]
    return "\n".join(lines)


HOSTILE: dict[str, tuple[Callable[[], str | bytes], str]] = {
    "open brackets": (lambda: "[" * 200_000, "E1003"),
    "open braces": (lambda: "{a: " * 100_000, "E1003"),
    "block sequences": (lambda: "- " * 100_000, "E1003"),
    "billion laughs": (laughs, "E1004"),
    "merge bomb": (merges, "E1007"),
    "quoted merge key": (lambda: 'a: &a {x: 1}\nb: {"<<": *a}\n', ""),
    "long scalar": (lambda: "system: " + "a" * 999_000, "E1001"),
    "too large": (lambda: "system: " + "a" * 1_000_001, "E1001"),
    "many keys": (lambda: "".join(f"k{n}: 1\n" for n in range(100_000)), "E1004"),
    "many short keys": (lambda: "".join(f"{n:x}: \n" for n in range(60_000)), "E1004"),
    "one key 80,000 times": (lambda: "a: 1\n" * 80_000, "E1004"),
    "many anchors": (lambda: "a:\n" + "".join(f"- &a{n} 1\n- *a{n}\n" for n in range(1000)), "E1005"),
    "deep alias": (lambda: "a: &a " + "[" * 30 + "]" * 30 + "\nb: " + "[" * 30 + "*a" + "]" * 30, "E1003"),
    "alias of itself": (lambda: "a: &a [*a]", "E1005"),
    "alias as a key of itself": (lambda: "? &a [*a]\n: 1", "E1005"),
    "python object": (lambda: "a: !!python/object/apply:os.system ['id']", "E1008"),
    "python name": (lambda: "a: !!python/name:os.system", "E1008"),
    "local tag": (lambda: "a: !include /etc/passwd", "E1008"),
    "tag directive": (lambda: "%TAG ! tag:example.org,2000:\n---\na: !b c", "E1008"),
    "several documents": (lambda: "a: 1\n---\nb: 2\n", "E1006"),
    "NUL": (lambda: b"a: \x00", "E1002"),
    "surrogate": (lambda: b"a: \xed\xa0\x80", "E1002"),
    "UTF-16": (lambda: "a: 1".encode("utf-16"), "E1002"),
    "UTF-32": (lambda: "a: 1".encode("utf-32"), "E1002"),
    "Latin-1": (lambda: b"a: caf\xe9", "E1002"),
    "byte order mark": (lambda: b"\xef\xbb\xbfa: 1", ""),
    "escape sequence": (lambda: b"a: \x1b[31m", "E1002"),
    "duplicate keys": (lambda: "a: 1\na: 2\n", "E1011"),
    "keys that read alike": (lambda: "a: 1\n'a': 2\n", "E1011"),
    "huge number": (lambda: "a: " + "9" * 100_000, "E1001"),
    "huge exponent": (lambda: "a: 1e999999999", ""),
    "no end": (lambda: 'a: "' + "x" * 900_000, "E1002"),
    "comments alone": (lambda: "#\n" * 400_000, "E1009"),
    "indentation": (lambda: "".join(" " * n + f"k{n}:\n" for n in range(900)), "E1003"),
    "empty": (lambda: "", "E1009"),
}


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_little_memory(name: str, tmp_path: Path) -> None:
    """The reader answers with the code, or reads a harmless file, and grows by less than 50 MB."""
    make, code = HOSTILE[name]
    content = make()
    path = tmp_path / "hostile.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = subprocess.run(
        [sys.executable, "-c", READER, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(f"{name}: {found['seconds'] * 1000:.0f} ms, {found['grown']:.0f} MB")
    assert found["codes"] == ([code] if code else [])
    assert found["grown"] < MEGABYTES
