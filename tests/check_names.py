#!/usr/bin/env python3
"""check_names.py SOURCE: every file that a comment or a document names must exist.

A name is a word with the ending of a source file or a document, such as softmax.c or docs/models.md. It may
be the whole path or the end of one. Names of files that a reader makes are listed in EXAMPLES.
"""
import os
import re
import sys

# Files that documents tell the reader to write, that a program writes, or that another project has.
EXAMPLES = {
    "config.json", "run.json", "FILE.json", "two-streams.json", "relational.json", "streams.json", "report.md", "FOLDER/report.md",
    "volk.h", "spirv_table.c", "cmake/quarticConfig.cmake",
    "softplus.c", "softplus.comp", "softplus.args.h", "src/ops/softplus.c", "shaders/softplus.comp", "shaders/softplus.args.h",
    "invalid_softplus_test.c", "tests/unit/invalid_softplus_test.c",
}
NAME = re.compile(r"(?<![\w.*<>{}$@/-])((?:\.\.?/)*(?:[A-Za-z0-9_-]+/)*[A-Za-z0-9_-]+(?:\.args)?"
                  r"\.(?:cmake|comp|cpp|glsl|json|c|h|md|py|sh))(?![\w(*])")
CODE = re.compile(r"\.(c|h|cpp|comp|glsl)$")
SCRIPT = re.compile(r"\.(sh|py|cmake|txt)$")
TEXT = re.compile(r"\.md$")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
SCRIPT_COMMENT = re.compile(r"^\s*#.*$", re.M)
SKIPPED = re.compile(r"^(build[^/]*|\.git|tests/golden|tests/fuzz/corpus|data)(/|$)")


def files(source):
    for folder, folders, names in os.walk(source):
        inner = os.path.relpath(folder, source)
        inner = "" if inner == "." else inner + "/"
        folders[:] = [f for f in folders if not re.match(r"^(build[^/]*|\.git)$", inner + f)]
        for name in names:
            yield inner + name


def main(source):
    known = set()
    readable = []
    for path in files(source):
        parts = path.split("/")
        known.update("/".join(parts[k:]) for k in range(len(parts)))
        if not SKIPPED.match(path) and any(kind.search(path) for kind in (CODE, SCRIPT, TEXT)):
            readable.append(path)
    checked = missing = 0
    for path in sorted(readable):
        with open(os.path.join(source, path), encoding="utf-8", errors="replace") as file:
            text = file.read()
        if CODE.search(path):
            text = "\n".join(COMMENT.findall(text))
        elif SCRIPT.search(path):
            text = "\n".join(SCRIPT_COMMENT.findall(text))
        for match in NAME.finditer(text):
            name = re.sub(r"^(\.\.?/)+", "", match.group(1))
            checked += 1
            if name not in known and name not in EXAMPLES:
                missing += 1
                print(f"{path} names {match.group(1)}, which does not exist")
    if checked == 0:
        print(f"no file name was found in {source}: is that the project's folder?")
        return 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
