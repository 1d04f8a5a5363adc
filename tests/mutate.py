#!/usr/bin/env python3
"""Mutation test: changes the library in one place at a time and counts how many changes the tests notice.

    tests/mutate.py [--list] [--verbose] [--jobs N] [--only SUBSTRING ...]

A mutant is the library with one sign flipped, one number raised by one, or the two ends of a step exchanged. It is
caught if a test program does not compile or fails. A survivor must have a reason in mutate.txt. The exit status is 1
if one has none, if less than 95% are caught, or if an entry of mutate.txt equals no mutant. tests/run.sh does not run
this script.

All mutants are compiled together, each behind a switch that an environment variable sets, with the constants of
functions as variables. A number that the compiler needs, e.g. a template argument, never reaches its switch: such a
mutant, unless it has a reason in mutate.txt, is compiled by itself.
"""
import argparse
import collections
import concurrent.futures
import functools
import itertools
import os
import pathlib
import queue
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

tests = pathlib.Path(__file__).resolve().parent
root = tests.parent
library = root / "include/fewstep"
headers = ["schedule.hpp", "model.hpp", "history.hpp", "adaptive.hpp", "guidance_scales.hpp",
           "denoisers/scale_polynomials.hpp", "solvers/**/*.hpp", "plugin/*.hpp",
           "schedules/*.hpp", "processes/*.hpp", "fitting/**/*.hpp"]
arguments_of = {name: ["--abort"] for name in [
    "weights_test", "property_test", "compat_test", "table_test", "calibration_test", "schedules_test", "gits_test",
    "geometry_test", "core_test", "laws_test", "names_test", "denoisers_test", "diffusers_test",
    "k_diffusion_test", "branches_test", "guidance_table_test", "autotune_test"]}
arguments_of["golden_check"] = ["golden", "--groups", "A,B,C,E,F", "--require-all"]
arguments_of["order_table"] = [library / "solvers/README.md"]
programs = list(arguments_of)

# Assertions notice an index out of range, the template depth an endless recursion.
flags = ["-std=c++20", "-ffp-contract=off", "-w", "-D_GLIBCXX_ASSERTIONS", "-ftemplate-depth=200",
         f'-DFEWSTEP_TEST_CASES="{tests / "cases"}"', "-isystem", "/usr/include/eigen3", "-isystem",
         "/usr/local/include/eigen3"]

sign = re.compile(r"(?<![-+\w(]e)(?<![-+])([-+])(?![-+>])")
number = re.compile(r"(?<![\w.'])(\d+)(?!\w)")
ends = re.compile(r"\bn\.(from|to)\b")
string = re.compile(r'"|std::(to_)?string')
constant = re.compile(r"^ +constexpr (?=(?:double|int) \w+(?:\[\])? =)", re.MULTILINE)  # of a function
literal = re.compile(r"[\d']+(?:\.\d*)?(?:e[-+]?\d+)?")


def code_of(line):
    """The part of a line that computes: no comment, text, include, message or list of names."""
    if line.lstrip().startswith(("//", "#", "require(", "namespace", "static_assert", "virtual",
                                 "constexpr std::array<std::string_view")):
        return ""
    return re.sub(r'"(\\.|[^"\\])*"', lambda m: '"' * len(m.group()), line.split("//")[0])


class Mutant:
    def __init__(self, path, row, line, begin, end, text):
        self.path, self.row, self.line, self.begin, self.end, self.text = path, row, line, begin, end, text
        self.mutated = line[:begin] + text + line[end:]
        self.entry = f"{path}: {self.mutated.strip()}"  # in mutate.txt

    def __str__(self):
        return f"{self.path}:{self.row + 1}: {self.mutated.strip()}"

    def switched(self, k):
        """The line's text with switch k: begin, end, replacement; None where no switch can stand."""
        original = self.line[self.begin : self.end]
        if original in "+-":
            before = self.line[: self.begin].rstrip()
            if re.match(r"\s*[\w.]+\.begin\(", self.line[self.end :]):  # iterators
                return None
            if self.line[self.end :].startswith("="):  # x += y becomes x += sign += y, read from the right
                return self.begin, self.end, f"+= mutant::sign({k}, {original}1) +"
            unary = not before or before[-1] in "(,={<>*/?:&|[" or before.endswith("return")
            return self.begin, self.end, f"{'' if unary else '+ '}mutant::sign({k}, {original}1) * "
        if original in ("from", "to"):
            return self.begin - 2, self.end, f"(mutant::on({k}) ? n.{self.text} : n.{original})"
        mantissa = re.search(r"[\d.']+e[-+]?$", self.line[: self.begin])
        whole = literal.match(self.line, mantissa.start() if mantissa else self.begin)
        mutated = self.line[whole.start() : self.begin] + self.text + self.line[self.end : whole.end()]
        return whole.start(), whole.end(), f"mutant::number({k}, {whole[0]}, {mutated})"


def mutants():
    def is_arithmetic(code, m, next_line):  # neither an exponent's sign nor between strings
        before, after = code[: m.start()].rstrip(), code[m.end() :].lstrip() or next_line.lstrip()
        return not re.search(r"\de$", code[: m.start()]) and not before.endswith('"') and not string.match(after)

    for path in (path for pattern in headers for path in sorted(library.glob(pattern))):
        lines = path.read_text().splitlines()
        for row, (line, next_line) in enumerate(itertools.pairwise([*lines, ""])):
            code = code_of(line)
            changes = [(m.span(1), "+" if m[1] == "-" else "-") for m in sign.finditer(code)
                       if is_arithmetic(code, m, next_line)]
            changes += [(m.span(1), str(int(m[1]) + 1)) for m in number.finditer(code)]
            changes += [(m.span(1), "to" if m[1] == "from" else "from") for m in ends.finditer(code)]
            for (begin, end), text in sorted(changes):
                yield Mutant(path.relative_to(library), row, line, begin, end, text)


# Included before everything else. With FEWSTEP_REACHED set, a program lists the switches that it reached in that file.
switches = """
#pragma once
#include <cstdio>
#include <cstdlib>
#include <type_traits>
namespace mutant {
struct Reached {
  bool at[COUNT] = {};
  ~Reached() {
    const char* path = std::getenv("FEWSTEP_REACHED");
    std::FILE* file = path ? std::fopen(path, "w") : nullptr;
    for (int k = 0; file && k < COUNT; ++k)
      if (at[k]) std::fprintf(file, "%d\\n", k);
    if (file) std::fclose(file);
  }
};
inline Reached reached;
inline int active = [] { const char* text = std::getenv("FEWSTEP_MUTANT"); return text ? std::atoi(text) : -1; }();
constexpr bool on(int k) {
  if (std::is_constant_evaluated()) return false;
  reached.at[k] = true;
  return active == k;
}
template <class T> constexpr T number(int k, T a, T b) { return on(k) ? b : a; }
template <class T> concept Number = std::is_arithmetic_v<T>;
struct Sign { bool minus; };
constexpr Sign sign(int k, int s) { return {(s < 0) != on(k)}; }
template <Number T> constexpr auto operator*(Sign s, T v) { return s.minus ? -v : +v; }
template <Number T> constexpr auto operator*(T v, Sign s) { return s * v; }
template <Number T> constexpr auto operator+=(Sign s, T v) { return s * v; }
template <class T> requires requires { typename T::Scalar; } auto operator*(Sign s, const T& matrix) {
  return typename T::Scalar(s.minus ? -1 : 1) * matrix;
}
}
"""


def limited():
    """A wrong count may ask for all memory."""
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))


def run(command, seconds, **options):
    """Whether the command succeeds in time; `timeout` also ends the processes that a compiler starts."""
    ended = subprocess.run(["timeout", str(seconds), *command], capture_output=True, **options)
    if ended.returncode in (-9, 137) or b"Killed signal" in ended.stderr:  # says nothing about the mutant
        raise RuntimeError(f"{command[0]} was killed")
    return ended.returncode == 0


class Bench:
    """A copy of the headers and tests, to be changed and compiled in a folder of its own."""

    def __init__(self, folder, optimisation, switched=()):
        self.folder = pathlib.Path(folder)
        self.library, self.tests = self.folder / "include/fewstep", self.folder / "tests"
        shutil.copytree(root / "include", self.folder / "include")
        shutil.copytree(tests, self.tests, ignore=shutil.ignore_patterns("golden", "packaging"))
        (self.folder / "golden").mkdir()
        subprocess.run(["tar", "-xJf", tests / "golden/vectors.tar.xz", "-C", self.folder / "golden"], check=True)
        (self.folder / "switches.hpp").write_text(switches.replace("COUNT", str(len(switched))) if switched else "")
        for path in {m.path for m in switched}:
            lines = (self.library / path).read_text().splitlines()
            for k, m in reversed(list(enumerate(switched))):  # from the right: places on the left stay valid
                if m.path == path and (change := m.switched(k)):
                    begin, end, text = change
                    lines[m.row] = lines[m.row][:begin] + text + lines[m.row][end:]
            (self.library / path).write_text(constant.sub("", "\n".join(lines) + "\n"))
        catch = self.tests / "support/catch.hpp"
        self.compile(catch, [optimisation, "-x", "c++-header"], f"{catch}.gch")  # g++ prefers it to the header
        self.of_a_test = [optimisation, "-include", catch, "-include", self.folder / "switches.hpp"]
        self.compile(self.tests / "support/main.cpp", ["-c"], self.folder / "main.o")
        self.solvers = self.compile_solvers("compiled.o")

    def compile(self, source, options, output):
        """Returns `output`, or None."""
        command = [os.environ.get("CXX", "g++"), *flags, f"-I{self.folder / 'include'}", *options]
        return output if run([*command, source, "-o", output], 900) else None

    def compile_solvers(self, name):
        """The solvers on common states, which the tests link."""
        return self.compile(self.tests / "support/compiled.cpp", [*self.of_a_test, "-c"], self.folder / name)

    def build(self, program, solvers):
        options = ["-O1", "-include", self.folder / "switches.hpp"]  # order_table runs longer than it compiles
        if program.endswith("_test"):
            options = [*self.of_a_test, self.folder / "main.o", solvers]
        return self.compile(self.tests / f"{program}.cpp", options, self.folder / program)

    def passes(self, program, seconds=600, **environment):
        with tempfile.TemporaryDirectory() as temporary:
            return run([self.folder / program, *arguments_of[program]], seconds, preexec_fn=limited, cwd=self.folder,
                       env={**os.environ, "TMPDIR": temporary, **environment})

    @functools.cache
    def includes(self, source, header):
        rule = self.compile(self.tests / source, ["-MM"], self.folder / "rule.d")
        return str(self.library / header) in map(os.path.normpath, rule.read_text().split())

    def judge(self, mutant, first):
        """The program that catches the mutant when it is compiled by itself, or None. `first` is asked first."""
        target, solvers = self.library / mutant.path, self.solvers
        original = target.read_text()
        lines = original.splitlines()
        lines[mutant.row] = mutant.mutated
        target.write_text("\n".join(lines) + "\n")
        try:
            if self.includes("support/compiled.cpp", mutant.path):
                solvers = self.compile_solvers("mutated.o")
                if not solvers:
                    return "compiled.cpp"
            for program in sorted(programs, key=lambda p: p != first):
                if not self.includes(f"{program}.cpp", mutant.path):
                    continue
                if not (self.build(program, solvers) and self.passes(program)):
                    return program
        finally:
            target.write_text(original)
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the mutants and end")
    parser.add_argument("--verbose", action="store_true", help="print which program caught each mutant")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time (default: all cores)")
    parser.add_argument("--only", default=[""], nargs="+", help="only headers whose path contains one of these")
    arguments = parser.parse_args()
    every = list(mutants())
    reasons = set(re.findall(r"^[\w/.]+\.hpp: .*", (tests / "mutate.txt").read_text(), re.MULTILINE))
    stale = sorted(reasons - {m.entry for m in every})
    every = [m for m in every if any(text in str(m.path) for text in arguments.only)]
    if arguments.list:
        print(*every, f"{len(every)} mutants", sep="\n")
    for entry in stale:
        print(f"error: mutate.txt has an entry that equals no mutant: {entry}", file=sys.stderr)
    if stale or arguments.list:
        sys.exit(len(stale) > 0)

    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        # All of them in one build.
        together = Bench(f"{folder}/together", "-O1", every)
        reached_by, seconds = collections.defaultdict(list), {}  # by mutant, by program

        def measure(program):
            reached = together.folder / f"{program}.reached"
            if together.solvers and together.build(program, together.solvers):
                start = time.monotonic()
                if together.passes(program, FEWSTEP_REACHED=str(reached)):
                    seconds[program] = time.monotonic() - start
                    for k in reached.read_text().split():
                        reached_by[int(k)].append(program)

        list(pool.map(measure, programs))
        if len(seconds) < len(programs):
            sys.exit(f"error: without any change these fail: {', '.join(p for p in programs if p not in seconds)}")

        latest = {}  # by header: the program that caught a mutant of it

        def switched(k):
            path, explained = every[k].path, every[k].entry in reasons
            for program in sorted(reached_by[k], key=lambda p: (p != latest.get(path), seconds[p])):
                if explained and program == "order_table":  # runs longer than all others together
                    continue
                if not together.passes(program, 10 + 5 * seconds[program], FEWSTEP_MUTANT=str(k)):
                    latest[path] = program
                    return program
            return None

        def report(k, program):
            if program and arguments.verbose:
                print(f"{program}: {every[k]}", flush=True)
            if not program and every[k].entry not in reasons:
                print(f"survived without a reason: {every[k]}\n    {every[k].line.strip()}", flush=True)
            return program

        caught = {k: report(k, program) for k, program in zip(reached_by, pool.map(switched, reached_by))}
        alone = [k for k in range(len(every)) if k not in reached_by and every[k].entry not in reasons]
        print(f"{len(every)} mutants, {sum(map(bool, caught.values()))} caught by switches; "
              f"{len(alone)} to be compiled by themselves", flush=True)

        # Those that reached no switch, one by one.
        benches = queue.SimpleQueue()
        for i in range(arguments.jobs if alone else 0):
            benches.put(Bench(f"{folder}/{i}", "-O0"))

        def judge(k):
            bench = benches.get()
            try:
                return bench.judge(every[k], latest.get(every[k].path))
            finally:
                benches.put(bench)

        caught |= {k: report(k, program) for k, program in zip(alone, pool.map(judge, alone))}
    survivors = {m.entry for k, m in enumerate(every) if not caught.get(k)}  # also those not compiled
    for entry in sorted(reasons.intersection(m.entry for m in every) - survivors):
        print(f"caught, so the reason in mutate.txt is wrong: {entry}")
    count = sum(map(bool, caught.values()))
    holes = sum(not caught[k] and every[k].entry not in reasons for k in caught)
    print(f"{len(every)} mutants, {count} caught ({100 * count / len(every):.1f}%), {len(every) - count} survived, "
          f"{holes} of them without a reason")
    sys.exit(holes > 0 or count < 0.95 * len(every))


if __name__ == "__main__":
    main()
