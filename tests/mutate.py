#!/usr/bin/env python3
"""Breaks the arithmetic of solvers, schedules and the plugin in one place at a time and counts how often the tests notice.

    tests/mutate.py [--list] [--verbose] [--jobs N] [--only SUBSTRING ...]

A mutant is the library with one sign flipped, one number raised by one (an index, a count, a coefficient), or one step's ends
exchanged. It is caught if a test program fails to compile or to pass. Survivors must stand in mutate.txt with the reason; the exit
status is 1 if one does not, or less than 95% are caught. No part of tests/run.sh.

All mutants are compiled at once, each behind a switch that the environment sets. Where a number is needed while compiling (a
template's argument, a constant) the switch is never reached: such a mutant, unless it has a reason in mutate.txt, is compiled by itself.
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
headers = ["solvers/**/*.hpp", "plugin/*.hpp", "schedule.hpp", "noise_table.hpp", "model.hpp", "history.hpp", "gits.hpp", "schedules/*.hpp",
           "tabulate.hpp", "teacher.hpp", "eigen/calibrate.hpp", "eigen/calibration/*.hpp"]

# Cheap programs first, but where another one is known to judge.
programs = {
    "weights_test": [],
    "property_test": [],
    "compat_test": [],
    "table_test": [],
    "calibration_test": [],
    "schedules_test": [],
    "gits_test": [],
    "core_test": [],
    "laws_test": [],
    "names_test": [],
    "golden_check": ["GOLDEN", "--groups", "A,B,C,E,F", "--require-all"],
    "denoisers_test": [],
    "order_table": [root / "README.md"],
}
judges = {"compat/": "compat_test", "solvers/table": "table_test",
          "schedules/": "schedules_test", "gits.hpp": "gits_test", "table_predictor.hpp": "core_test",
          "tabulate.hpp": "table_test", "teacher.hpp": "calibration_test", "calibrat": "calibration_test",
          "amed_network.hpp": "golden_check", "around.hpp": "table_test", "over_table.hpp": "table_test"}
flags = ["-std=c++20", "-ffp-contract=off", "-w", "-D_GLIBCXX_ASSERTIONS", "-ftemplate-depth=200"]  # an index too far is noticed, an endless recursion soon
system_includes = ["/usr/include/eigen3", "/usr/local/include/eigen3"]

sign = re.compile(r"(?<![-+\w(]e)(?<![-+])([-+])(?![-+>])")
number = re.compile(r"(?<![\w.'])(\d+)(?!\w)")
ends = re.compile(r"\bn\.(from|to)\b")


def code_of(line):
    """The part of a line that computes: no comment, text, include or message."""
    if line.lstrip().startswith(("//", "#", "require(", "namespace", "static_assert")):
        return ""
    return re.sub(r'"(\\.|[^"\\])*"', lambda m: '"' * len(m.group()), line.split("//")[0])


literal = re.compile(r"[\d']+(?:\.\d*)?(?:e[-+]?\d+)?")


class Mutant:
    def __init__(self, path, row, line, begin, end, text):
        self.path, self.row, self.line, self.begin, self.end, self.text = path, row, line, begin, end, text
        self.mutated = line[:begin] + text + line[end:]

    def switched(self, number):
        """What stands in the line in place of [begin, end) when the environment chooses: begin, end, text."""
        original = self.line[self.begin : self.end]
        if original in "+-":
            before = self.line[: self.begin].rstrip()
            if re.match(r"=|\s*[\w.]+\.begin\(", self.line[self.end :]):  # += and iterators
                return None
            unary = not before or before[-1] in "(,={<>*/?:&|[" or before.endswith("return")
            return self.begin, self.end, f"mutant::sign({number}, {original}1) * " if unary else f"+ mutant::sign({number}, {original}1) * "
        if original in ("from", "to"):
            other = "to" if original == "from" else "from"
            return self.begin - 2, self.end, f"(mutant::on({number}) ? n.{other} : n.{original})"
        mantissa = re.search(r"[\d.']+e[-+]?$", self.line[: self.begin])
        whole = literal.match(self.line, mantissa.start() if mantissa else self.begin)
        mutated = self.line[whole.start() : self.begin] + self.text + self.line[self.end : whole.end()]
        return whole.start(), whole.end(), f"mutant::number({number}, {whole[0]}, {mutated})"


def mutants():
    for pattern in headers:
        for path in sorted((root / "include/fewstep").glob(pattern)):
            for row, line in enumerate(path.read_text().splitlines()):
                code = code_of(line)
                changes = [(m.span(1), "+" if m[1] == "-" else "-") for m in sign.finditer(code)
                           if not re.search(r"\de$", code[: m.start()]) and '"' not in (code[: m.start()].rstrip()[-1:], code[m.end() :].lstrip()[:1])]
                changes += [(m.span(1), str(int(m[1]) + 1)) for m in number.finditer(code)]
                changes += [(m.span(1), "to" if m[1] == "from" else "from") for m in ends.finditer(code)]
                for (begin, end), text in sorted(changes):
                    yield Mutant(path.relative_to(root), row, line, begin, end, text)


switch = """
#pragma once
#include <cstdio>
#include <cstdlib>
#include <type_traits>
namespace mutant {
inline bool marked() {  // leaves a file that says so
  static const bool once = [] { const char* path = std::getenv("FEWSTEP_REACHED"); if (std::FILE* f = path ? std::fopen(path, "w") : nullptr) std::fclose(f); return true; }();
  return once;
}
inline int active = [] { const char* text = std::getenv("FEWSTEP_MUTANT"); return text ? std::atoi(text) : -1; }();
constexpr bool on(int k) { return !std::is_constant_evaluated() && active == k && marked(); }
template <class T> constexpr T number(int k, T a, T b) { return on(k) ? b : a; }
struct Sign { bool minus; };
constexpr Sign sign(int k, int s) { return {(s < 0) != on(k)}; }
template <class T> requires std::is_arithmetic_v<T> constexpr T operator*(Sign s, T v) { return s.minus ? static_cast<T>(-v) : v; }
template <class T> requires std::is_arithmetic_v<T> constexpr T operator*(T v, Sign s) { return s * v; }
template <class T> requires std::is_class_v<T> constexpr const T& operator*(Sign, const T& v) { return v; }  // strings are only added
constexpr const char* operator*(Sign, const char* v) { return v; }
}
"""


def limited():
    """A wrong count may ask for all memory there is."""
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))


def run(command, seconds, **options):
    """Did it succeed in time? `timeout` ends what a compiler starts too."""
    return subprocess.run(["timeout", str(seconds), *command], capture_output=True, **options).returncode == 0


class Bench:
    """A copy of the headers to change, and a folder to compile in."""

    def __init__(self, folder, switched=()):
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
        (self.folder / "switch.hpp").write_text(switch)
        for path in {m.path for m in switched}:
            lines = (self.folder / path).read_text().splitlines()
            for k, m in reversed(list(enumerate(switched))):  # from the right, so that what is on the left keeps its place
                if m.path == path and (change := m.switched(k)):
                    begin, end, text = change
                    lines[m.row] = lines[m.row][:begin] + text + lines[m.row][end:]
            (self.folder / path).write_text("\n".join(lines) + "\n")

    def compile(self, source, more, output):
        includes = [f"-I{self.folder / 'include'}"] + [flag for i in system_includes for flag in ("-isystem", i)]
        return run([self.compiler, *flags, *includes, *more, source, "-o", output], 900)

    def built(self, program, more=()):
        if program.endswith("_test"):
            more = [*more, "-include", self.catch]
        if program == "order_table":
            more = [*more, "-O1"]  # runs longer than it compiles
        objects = [self.main] if program.endswith("_test") else []
        return self.compile(self.folder / "tests" / f"{program}.cpp", [*more, *objects], self.folder / program)

    def passes(self, program, mutant=None):
        arguments = [self.folder / "golden" if a == "GOLDEN" else a for a in programs[program]]
        if program.endswith("_test"):
            arguments.append("--abort")
        with tempfile.TemporaryDirectory() as temporary:
            environment = {**os.environ, "TMPDIR": temporary}
            if mutant is not None:
                environment |= {"FEWSTEP_MUTANT": str(mutant), "FEWSTEP_REACHED": str(self.reached(mutant))}
            return run([self.folder / program, *arguments], 120, preexec_fn=limited, env=environment)

    def reached(self, mutant):
        return self.folder / f"{mutant}.reached"

    def ordered(self, path):
        """The programs that include the header, those first that are quick or known to judge it."""
        first = next((program for part, program in judges.items() if part in str(path)), None)
        return sorted((p for p in programs if self.sees(p, path)), key=lambda p: p != first)

    def sees(self, program, path):
        source, rule = self.folder / "tests" / f"{program}.cpp", self.folder / f"{program}.d"
        if not rule.exists():
            self.compile(source, ["-MM"], rule)
        return str(self.folder / path) in map(os.path.normpath, rule.read_text().split())

    def judge(self, mutant):
        """The program that catches the mutant when it is compiled by itself, or None."""
        target = self.folder / mutant.path
        original = target.read_text()
        lines = original.splitlines()
        lines[mutant.row] = mutant.mutated
        target.write_text("\n".join(lines) + "\n")
        try:
            return next((p for p in self.ordered(mutant.path) if not (self.built(p) and self.passes(p))), None)
        finally:
            target.write_text(original)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="only print the mutants")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--verbose", action="store_true", help="say of each mutant which program caught it")
    parser.add_argument("--only", default=[""], nargs="+", help="only headers whose path contains one of these")
    arguments = parser.parse_args()
    every = [m for m in mutants() if any(text in str(m.path) for text in arguments.only)]
    if arguments.list:
        for m in every:
            print(f"{m.path}:{m.row + 1}: {m.mutated.strip()}")
        return print(len(every), "mutants")

    explained = (tests / "mutate.txt").read_text()
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        # First all of them in one build, each behind its switch.
        together = Bench(f"{folder}/together", every)
        built = dict(zip(programs, pool.map(lambda p: together.built(p, ["-O1", "-include", together.folder / "switch.hpp"]), programs)))
        broken = [p for p in programs if not (built[p] and together.passes(p))]
        print("all compiled", flush=True)
        if broken:
            sys.exit(f"error: without any change these fail: {', '.join(broken)}")

        def say(k, program):
            if arguments.verbose:
                print(f"{program}: {every[k].path}:{every[k].row + 1}: {every[k].mutated.strip()}", flush=True)

        reasons = [f"{m.path.name}: {m.mutated.strip()}\n" in explained for m in every]

        def switched(k):
            slow = "order_table"  # runs for half a minute, so only where it may tell
            quick = [p for p in together.ordered(every[k].path) if p != slow]
            program = next((p for p in quick if not together.passes(p, k)), None)
            if not program and not reasons[k] and together.reached(k).exists() and together.sees(slow, every[k].path) and not together.passes(slow, k):
                program = slow
            if program:
                say(k, program)
            return program

        caught = list(pool.map(switched, range(len(every))))
        reached = [together.reached(k).exists() for k in range(len(every))]
        left = [k for k in range(len(every)) if not caught[k] and not reasons[k] and not reached[k]]
        print(f"{len(every)} mutants, {sum(map(bool, caught))} caught when switched on; {len(left)} to be compiled by themselves", flush=True)

        # Then those that no switch reached, one by one.
        benches = [Bench(f"{folder}/{i}") for i in range(arguments.jobs)]

        def alone(k):
            bench = benches.pop()
            try:
                return bench.judge(every[k])
            finally:
                benches.append(bench)

        def unexplained(k):
            m = every[k]
            print(f"survived, no reason given\n  {m.path}:{m.row + 1}\n    {m.line.strip()}\n    {m.mutated.strip()}", flush=True)
            return 1

        holes = sum(unexplained(k) for k in range(len(every)) if not caught[k] and not reasons[k] and reached[k])
        for k, program in zip(left, pool.map(alone, left)):
            caught[k] = program
            if program:
                say(k, program)
            else:
                holes += unexplained(k)
    count = sum(map(bool, caught))
    print(f"{len(every)} mutants, {count} caught ({100 * count / len(every):.1f}%), {len(every) - count} survived, {holes} of them without a reason")
    sys.exit(holes > 0 or count < 0.95 * len(every))


if __name__ == "__main__":
    main()
