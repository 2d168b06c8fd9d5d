#!/usr/bin/env python3
"""Checks that the library links without Vulkan (QUARTIC_VULKAN=OFF) from the objects of a build that has it.

Usage: check_no_vulkan.py SOURCE NM LEFT_OUT OBJECTS...   prints each symbol that is missing and fails

Objects whose path matches the regular expression LEFT_OUT are left out, as in such a build; that of no_vulkan.c stands in
for them. Every symbol of the library that the others refer to must then be defined, and once, and so
must every function that a public header declares, but for those of vulkan.h.
"""
import glob
import os
import re
import subprocess
import sys


def read_symbols(paths, nm):
    """(defined: symbol -> objects, referred to: symbol -> objects) of symbols that begin with quartic_."""
    defined, used, current = {}, {}, ""
    for line in subprocess.run([nm, *paths], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines():
        if line.endswith(":"):
            current = os.path.basename(line[:-1])
            continue
        kind, name = (["", ""] + line.split())[-2:]
        if not name.startswith("quartic_"):
            continue
        if kind == "U":
            used.setdefault(name, set()).add(current)
        elif kind in "TDBRGCi":  # i: a function of which the loader takes the version for this processor
            defined.setdefault(name, []).append(current)
    return defined, used


def read_public(source):
    """The functions that the public headers declare, without those of vulkan.h."""
    names = set()
    for path in glob.glob(os.path.join(source, "include", "quartic", "*.h")):
        if os.path.basename(path) == "vulkan.h":
            continue
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", " ", file.read(), flags=re.S)
        names.update(re.findall(r"^QUARTIC_API\b[^;(]*?\b(quartic_\w+)\(", text, flags=re.M))
    return names


def main(arguments):
    source, nm, left_out, *objects = arguments
    public = read_public(source)
    kept = [path for path in objects if not re.search(left_out, path)]
    if len(public) < 100 or len(kept) < 100:
        print(f"{len(public)} public functions, {len(kept)} of {len(objects)} objects: the check sees nothing")
        return 1
    defined, used = read_symbols(kept, nm)
    missing = {name: sorted(by) for name, by in used.items() if name not in defined}
    missing.update({name: ["the public headers"] for name in public if name not in defined})
    for name, by in sorted(missing.items()):
        print(f"{name} is defined by no file of a build without Vulkan; it is needed by {', '.join(by)}")
    twice = {name: by for name, by in defined.items() if len(by) > 1}
    for name, by in sorted(twice.items()):
        print(f"{name} is defined more than once without Vulkan: {', '.join(sorted(by))}")
    return 1 if missing or twice else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
