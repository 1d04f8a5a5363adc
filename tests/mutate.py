#!/usr/bin/env python3
"""Breaks the arithmetic of solvers, schedules and the plugin in one place at a time and counts how often the tests notice.

    tests/mutate.py [--list] [--verbose] [--jobs N] [--only SUBSTRING ...] [--again OUTPUT]

A mutant is the library with one sign flipped, one number raised by one (an index, a count, a coefficient), or one step's ends exchanged. It is caught if
a test program fails to compile or to pass. Survivors must stand in mutate.txt with the reason; the exit status is 1 if one
does not, or less than 95% are caught. What stands there counts as a survivor without being tried. Compiles the tests for every
mutant: no part of tests/run.sh.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile

tests = pathlib.Path(__file__).resolve().parent
root = tests.parent
headers = ["solvers/**/*.hpp", "plugin/*.hpp", "schedule.hpp", "noise_table.hpp", "model.hpp", "history.hpp", "gits.hpp", "schedules/*.hpp"]

# Cheap programs first, but where another one is known to judge.
programs = {
    "property_test": [],
    "weights_test": [],
    "compat_test": [],
    "table_test": [],
    "order_table": [root / "README.md"],
    "schedules_test": [],
    "gits_test": [],
    "core_test": [],
    "names_test": [],
    "golden_check": ["GOLDEN", "--groups", "A,B,C,E,F", "--require-all"],
    "denoisers_test": [],
}
judges = {"schedule.hpp": "weights_test", "noise_table.hpp": "weights_test", "compat/": "compat_test", "solvers/table.hpp": "table_test",
          "schedules/": "schedules_test", "solvers/": "weights_test", "gits.hpp": "gits_test", "table_predictor.hpp": "core_test",
          "amed_network.hpp": "golden_check"}
flags = ["-std=c++20", "-ffp-contract=off", "-w"]
system_includes = ["/usr/include/eigen3", "/usr/local/include/eigen3"]

sign = re.compile(r"(?<![-+\w(]e)(?<![-+])([-+])(?![-+>])")
number = re.compile(r"(?<![\w.])(\d+)(?!\w)")
ends = re.compile(r"\bn\.(from|to)\b")


def code_of(line):
    """The part of a line that computes: no comment, text, include or message."""
    if line.lstrip().startswith(("//", "#", "require(", "namespace", "static_assert")):
        return ""
    return re.sub(r'"(\\.|[^"\\])*"', lambda m: " " * len(m.group()), line.split("//")[0])


def mutants():
    """(header, line number, original line, mutated line)"""
    for pattern in headers:
        for path in sorted((root / "include/fewstep").glob(pattern)):
            for row, line in enumerate(path.read_text().splitlines()):
                code = code_of(line)
                changes = [(m.span(1), "+" if m[1] == "-" else "-") for m in sign.finditer(code)
                           if not re.search(r"\de$", code[: m.start()])]
                changes += [(m.span(1), str(int(m[1]) + 1)) for m in number.finditer(code)]
                changes += [(m.span(1), "to" if m[1] == "from" else "from") for m in ends.finditer(code)]
                for (begin, end), text in sorted(changes):
                    yield path.relative_to(root), row, line, line[:begin] + text + line[end:]


def limited():
    """A wrong count may ask for all memory there is."""
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))


def run(command, seconds, **options):
    try:
        return subprocess.run(command, capture_output=True, timeout=seconds, **options).returncode == 0
    except subprocess.TimeoutExpired:
        return False


class Bench:
    """A copy of the headers to mutate, and a folder to compile in."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        shutil.copytree(root / "include", self.folder / "include")
        shutil.copytree(tests, self.folder / "tests", ignore=shutil.ignore_patterns("golden", "packaging"))
        self.compiler = os.environ.get("CXX", "g++")
        self.main = self.folder / "main.o"
        self.compile(tests / "support/main.cpp", ["-c"], self.main)
        self.catch = self.folder / "tests/support/catch.hpp"
        self.compile(self.catch, ["-x", "c++-header"], f"{self.catch}.gch")  # what g++ takes for it from here on
        (self.folder / "golden").mkdir()
        subprocess.run(["tar", "-xJf", tests / "golden/vectors.tar.xz", "-C", self.folder / "golden"], check=True)

    def compile(self, source, more, output):
        includes = [f"-I{self.folder / 'include'}"] + [flag for i in system_includes for flag in ("-isystem", i)]
        return run([self.compiler, *flags, *includes, *more, source, "-o", output], 900)

    def passes(self, program):
        output = self.folder / program
        more = ["-include", self.catch, self.main] if program.endswith("_test") else []
        if program == "order_table":
            more = ["-O1"]  # runs longer than it compiles
        if not self.compile(self.folder / "tests" / f"{program}.cpp", more, output):
            return False
        arguments = [self.folder / "golden" if a == "GOLDEN" else a for a in programs[program]]
        return run([output, *arguments], 120, preexec_fn=limited)

    def sees(self, program, path):
        """Whether the program includes the header."""
        source, rule = self.folder / "tests" / f"{program}.cpp", self.folder / f"{program}.d"
        if not rule.exists():
            self.compile(source, ["-MM"], rule)
        return str(self.folder / path) in map(os.path.normpath, rule.read_text().split())

    def judge(self, path, row, mutated):
        """The program that caught the mutant, or None."""
        target = self.folder / path
        original = target.read_text()
        lines = original.splitlines()
        lines[row] = mutated
        target.write_text("\n".join(lines) + "\n")
        first = next((program for part, program in judges.items() if part in str(path)), None)
        order = sorted((p for p in programs if self.sees(p, path)), key=lambda p: p != first)
        try:
            return next((p for p in order if not self.passes(p)), None)
        finally:
            target.write_text(original)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="only print the mutants")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--verbose", action="store_true", help="say of each mutant which program caught it")
    parser.add_argument("--only", default=[""], nargs="+", help="only headers whose path contains one of these")
    parser.add_argument("--again", type=argparse.FileType(), help="only what this output of an earlier run says survived without a reason")
    arguments = parser.parse_args()
    every = [m for m in mutants() if any(text in str(m[0]) for text in arguments.only)]
    if arguments.again:
        survived = {(m[1], m[2]) for m in re.finditer(r"SURVIVED.*\n +(\S+):\d+\n.*\n +(.*)\n", arguments.again.read())}
        every = [m for m in every if (str(m[0]), m[3].strip()) in survived]
    if arguments.list:
        for path, row, _, mutated in every:
            print(f"{path}:{row + 1}: {mutated.strip()}")
        return print(len(every), "mutants")

    explained = (tests / "mutate.txt").read_text()
    with tempfile.TemporaryDirectory() as folder:
        benches = [Bench(f"{folder}/{i}") for i in range(arguments.jobs)]
        broken = [p for p in programs if not benches[0].passes(p)]
        if broken:
            sys.exit(f"error: without any change these fail: {', '.join(broken)}")

        def known(mutant):
            return f"{mutant[0].name}: {mutant[3].strip()}\n" in explained

        def judge(mutant):
            if known(mutant):
                return mutant, None
            bench = benches.pop()
            try:
                return mutant, bench.judge(mutant[0], mutant[1], mutant[3])
            finally:
                benches.append(bench)

        survivors, unexplained = 0, 0
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            for done, (mutant, caught) in enumerate(pool.map(judge, every), 1):
                path, row, line, mutated = mutant
                if arguments.verbose:
                    print(f"[{done}/{len(every)}] {caught or 'nobody'}: {path}:{row + 1}: {mutated.strip()}", flush=True)
                if caught:
                    continue
                survivors += 1
                unexplained += not known(mutant)
                print(f"[{done}/{len(every)}] {'survived' if known(mutant) else 'SURVIVED, no reason given'}\n  {path}:{row + 1}\n"
                      f"    {line.strip()}\n    {mutated.strip()}", flush=True)
    caught = len(every) - survivors
    print(f"{len(every)} mutants, {caught} caught ({100 * caught / len(every):.1f}%), {survivors} survived, {unexplained} of them without a reason")
    sys.exit(unexplained > 0 or caught < 0.95 * len(every))


if __name__ == "__main__":
    main()
