"""Every source is strict C17 without a warning, for each compiler that is installed of gcc 12 to 16 and clang 14 to 21.

Usage: check_strict_c17.py <compile_commands.json> <source folder>
Each command of the build is repeated by every compiler, without code being made: -fsyntax-only -Werror.
"""
import json
import os
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

NAMES = [f"gcc-{n}" for n in range(12, 17)] + [f"clang-{n}" for n in range(14, 22)]


def compilers(of_build):
    """The build's own first; each once, whatever names it has."""
    found = {}
    for name in [of_build] + NAMES:
        path = shutil.which(name)
        if path:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def arguments(command):
    """The arguments of a command that matter to the language: not the compiler and not the object file."""
    words = command["arguments"] if "arguments" in command else shlex.split(command["command"])
    kept, skip = [], False
    for word in words[words.index(next(w for w in words if w.startswith("-"))):]:
        if skip:
            skip = False
        elif word == "-o":
            skip = True
        elif word != "-c" and not word.startswith(("-O", "-fsanitize", "-Wno-error")):
            kept.append(word)
    return kept


def main():
    with open(sys.argv[1]) as file:
        commands = [c for c in json.load(file) if os.path.realpath(c["file"]).startswith(
            os.path.join(os.path.realpath(sys.argv[2]), "src") + os.sep)]
    if not commands:
        sys.exit("there is no command for a source in src")
    strict = [c for c in commands if "-std=c17" in arguments(c)]
    if len(strict) != len(commands):
        sys.exit(f"{len(commands) - len(strict)} sources are not compiled with -std=c17")
    first = commands[0]["arguments"] if "arguments" in commands[0] else shlex.split(commands[0]["command"])
    first = [w for w in first if os.path.basename(w) != "ccache"][0]
    wrong = 0
    for compiler in compilers(first):
        def check(command):
            return subprocess.run([compiler, "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"] +
                                  arguments(command), cwd=command["directory"], stderr=subprocess.PIPE, text=True)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(check, commands))
        for command, result in zip(commands, results):
            if result.returncode != 0:
                print(f"{compiler}: {command['file']}\n{result.stderr}")
                wrong += 1
        print(f"{compiler}: {len(commands)} sources", flush=True)
    sys.exit(wrong != 0)


main()
