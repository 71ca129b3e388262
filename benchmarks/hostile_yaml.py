"""Refusing hostile specs: time and peak memory.

    python benchmarks/hostile_yaml.py [--runs 5] [--quick]

Each file goes to two fresh processes: the reader alone, which is where a hostile file must be stopped (time and growth
beyond what was imported), and the whole of `mlsd validate` (time with imports, peak above an idle interpreter).
Times are the processor's, since a busy machine stretches the others. PyYAML's C loader stands beside it, with 10
seconds and 2 GiB at most. Linux only: it reads /proc.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measured.project import environment

BAR_MS, BAR_MB = 100, 50
PEAK = """
def peak():
    # The peak of this process alone: what rusage says was its parent's at the start.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
"""
READ = (
    PEAK
    + """
import json, pathlib, sys, time
from mlsd_framework.diagnostics.errors import MlsdError
from mlsd_framework.spec.document import read_document
before, start = peak(), time.process_time()
try:
    read_document(pathlib.Path(sys.argv[1]))
    said = "accepted"
except MlsdError as fault:
    said = fault.diagnostics[0].code
took = time.process_time() - start
print(json.dumps({"said": said, "ms": took * 1e3, "mb": (peak() - before) / 1e6}))
"""
)
VALIDATE = (
    PEAK
    + """
import contextlib, json, os, sys, time
start = time.process_time()
from mlsd_framework.cli.main import main
with open(os.devnull, "w") as null, contextlib.redirect_stderr(null), contextlib.redirect_stdout(null):
    status = main(["validate", sys.argv[1]])
print(json.dumps({"said": status, "ms": (time.process_time() - start) * 1e3, "mb": peak() / 1e6}))
"""
)
IDLE = PEAK + "import json; print(json.dumps({'said': 0, 'ms': 0, 'mb': peak() / 1e6}))"
PEER = (
    PEAK
    + """
import json, resource, sys, time, yaml
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
before, start = peak(), time.process_time()
try:
    with open(sys.argv[1], encoding="utf-8") as file:
        data = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    said = "loaded"
except Exception as fault:
    said = type(fault).__name__
took = time.process_time() - start
print(json.dumps({"said": said, "ms": took * 1e3, "mb": (peak() - before) / 1e6}))
"""
)


def hostile() -> Iterator[tuple[str, str]]:
    """Yield names and texts of specs that attack whoever reads them."""
    laughs = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10))
    yield "billion laughs", f"a0: &a0 [lol, lol]\n{laughs}\n"
    yield "deep nesting, 100,000 brackets", "[" * 100_000
    yield "deep nesting, 1,300 mappings", "".join(" " * i + "a:\n" for i in range(1_300))
    yield "100,000 nodes", "a: [" + "1," * 100_000 + "]"
    yield "60,000 keys", "".join(f"k{i}: 1\n" for i in range(60_000))
    yield "20 MB", "a: " + "x" * 20_000_000
    yield "5,000 merge keys", "base: &b {a: 1}\n" + "".join(f"m{i}: {{<<: *b}}\n" for i in range(5_000))
    yield "10,000 aliases", "a: &a [1]\nb: [" + "*a," * 10_000 + "]"
    yield "recursive alias", "a: &a [*a]\n"
    yield "python object", 'a: !!python/object/apply:os.system ["echo hello"]\n'
    yield "9,000 duplicate keys", "".join("a: 1\n" for _ in range(9_000))
    yield "one quoted string, not closed", 'a: "' + "x" * 900_000
    yield "a long key", "? " + "x" * 900_000 + "\n: 1"
    yield "control characters", "a: \x00\x01\x02"
    yield "a huge number", "mlsd: " + "9" * 900_000
    yield (
        "a long expression",
        "mlsd: 1\nsystem: a\nfeatures: {p: {at: request, compute: {x: '" + "1+" * 200_000 + "1'}}}\n",
    )


def once(code: str, path: Path, pyc: Path) -> tuple[str, float, float]:
    """Run `code` over the file in a fresh process: what was said, milliseconds, megabytes."""
    env = environment() | {"PYTHONPYCACHEPREFIX": str(pyc), "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-c", code, path]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"killed ({done.returncode})", float("nan"), float("nan")
    found = json.loads(done.stdout)
    return str(found["said"]), found["ms"], found["mb"]


def main() -> None:
    """Print one line a file."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--quick", action="store_true", help="three files, once")
    told = arguments.parse_args()
    runs = 1 if told.quick else told.runs
    with tempfile.TemporaryDirectory() as name:
        path, pyc = Path(name) / "hostile.yaml", Path(name) / "pyc"
        path.write_text("mlsd: 1")
        idle = once(IDLE, path, pyc)[2]
        once(VALIDATE, path, pyc)  # leaves the bytecode
        print(f"{'file':36}{'said':>9}{'reader':>11}{'grown':>10}{'validate':>12}{'above idle':>13}  PyYAML")
        for what, text in list(hostile())[: 3 if told.quick else None]:
            path.write_text(text)
            turns = [(once(READ, path, pyc), once(VALIDATE, path, pyc)) for _ in range(runs)]
            said, peer_ms, peer_mb = once(PEER, path, pyc)
            ms = min(read[1] for read, _ in turns)
            grown = max(read[2] for read, _ in turns)
            whole = min(validate[1] for _, validate in turns)
            above = max(validate[2] for _, validate in turns) - idle
            over = "  OVER" if ms > BAR_MS or grown > BAR_MB or above > BAR_MB else ""
            print(
                f"{what:36}{turns[0][0][0]:>9}{ms:>8.1f} ms{grown:>7.1f} MB{whole:>9.0f} ms{above:>10.1f} MB"
                f"  {said}, {peer_ms:.0f} ms, {peer_mb:.0f} MB{over}"
            )
    print(f"bars: {BAR_MS} ms in the reader, {BAR_MB} MB above an idle interpreter ({idle:.0f} MB)")


if __name__ == "__main__":
    main()
