"""check_layers.py: proves that nothing in src/ points up, and that no files of a folder refer to each other in a circle.

Folders are those of src/; docs/architecture.md draws them. Checked are
- includes: #include "folder/..." only of folders that the table allows, Vulkan's headers only where it is spoken to, and
  the headers that belong to some folders only there, also through other headers;
- symbols, from the built objects: what a file leaves undefined is defined in its own folder or in one below it, which is
  one that the table's lines lead to;
- circles, from the same symbols: the files of a folder can be put in an order in which each refers only to ones before it.
The table must also be that of docs/architecture.md. There are no exceptions: a circle is opened by moving what both
sides need into a third file.

Usage: check_layers.py SOURCE OBJECTS... [--nm NM]   prints each offence and fails
       check_layers.py --self-test                   shows on made-up lists that each kind of offence is found
"""
import os
import re
import subprocess
import sys

# Folder: the folders that it may include. Lowest first.
TABLE = {
    "base": "",
    "tensor": "base",
    "graph": "base tensor",
    "ops": "base tensor graph",
    "fast": "base tensor graph ops",
    "diff": "base tensor graph ops",
    "plan": "base tensor graph",
    "gpu": "base",
    "io": "base tensor",
    "run": "base tensor graph ops fast plan gpu",
    "nn": "base tensor graph ops",
    "model": "base tensor graph io run nn",
    "train": "base tensor graph io run nn model",
    "verify": "base tensor graph ops plan io run nn model train",
    "tool": "base verify",
}
# Folders that a folder calls without including them: their functions are declared in the public headers.
PUBLIC = {
    "model": "ops diff",
    "train": "ops diff",
    "verify": "diff",
}
# Headers for some folders only, though others may include the folder that they lie in.
PRIVATE = {
    "run/run.h": "run",
    "gpu/internal.h": "gpu",
    "graph/tape_state.h": "graph diff",
    "graph/graph.h": "graph ops fast diff plan run",
}
VULKAN_FILES = re.compile(r"^(gpu/|run/(run_vulkan|backend_vulkan|vulkan_api)\.[ch]$)")


def folder_of(name):
    return name.split("/")[0]


def below():
    """Folder to the folders that it may refer to: itself and all that its lines lead to."""
    reach = {}
    for folder in TABLE:
        reach[folder] = {folder}
        for other in (TABLE[folder] + " " + PUBLIC.get(folder, "")).split():
            reach[folder] |= reach[other]  # a KeyError here: the table itself points up
    return reach


def seen_headers(files, name):
    """The headers below src/ that a file includes, directly or through others, each with a file that names it."""
    seen, left = {}, [name]
    while left:
        current = left.pop()
        for header in re.findall(r'^#include "([^"]+)"', files.get(current, ""), re.M):
            if header in files or header in PRIVATE:
                if header not in seen:
                    left.append(header)
                if header not in seen or current == name:
                    seen[header] = current
    return seen


def check_includes(files):
    """files: name below src/ to its text."""
    for name in sorted(files):
        folder = folder_of(name)
        if folder not in TABLE:
            yield f"src/{folder} is not in the table; add it to tests/check_layers.py and docs/architecture.md"
            continue
        for line in re.findall(r'^#include ["<]([^">]+)[">]', files[name], re.M):
            if re.match(r"(vulkan|volk)\b", line) and not VULKAN_FILES.match(name):
                yield f"src/{name} includes {line}; Vulkan is for src/gpu and the files of src/run that record for it"
            target = folder_of(line)
            if "/" not in line or target in ("quartic", "shaders", "lib", "vulkan", "sys"):
                continue
            if target != folder and target not in TABLE[folder].split():
                yield f"src/{name} includes {line}; src/{folder} may include: {TABLE[folder] or 'nothing'}"
        for header, through in sorted(seen_headers(files, name).items()):
            if folder not in PRIVATE.get(header, folder).split():
                how = f"includes {header}" if through == name else f"sees {header} through {through}"
                yield f"src/{name} {how}, which is for src/{PRIVATE[header].replace(' ', ' and src/')}"


def references(objects):
    """objects: name to (defined symbols, undefined symbols). Yields (file, file, symbol), never within one file."""
    home = {symbol: name for name, (defined, _) in objects.items() for symbol in defined}
    for name in sorted(objects):
        for symbol in sorted(objects[name][1]):
            if home.get(symbol, name) != name:
                yield name, home[symbol], symbol


def check_symbols(objects):
    reach = below()
    for name, other, symbol in references(objects):
        if folder_of(name) in TABLE and folder_of(other) not in reach[folder_of(name)]:
            yield f"src/{name} refers to {symbol} of src/{other}; src/{folder_of(other)} is not below src/{folder_of(name)}"


def without_ends(uses, left):
    """What stays of the files `left` when those that refer to none that is left are taken away again and again."""
    while True:
        ends = {name for name in left if not any(other in left for other in uses[name])}
        if not ends:
            return left
        left = left - ends


def check_circles(objects):
    uses = {}
    for name, other, symbol in references(objects):
        if folder_of(name) == folder_of(other):
            uses.setdefault(name, {}).setdefault(other, symbol)
    left = without_ends(uses, set(uses))  # circles, and files that lead to one
    while left:
        path = [min(left)]
        while path[-1] not in path[:-1]:
            path.append(min(other for other in uses[path[-1]] if other in left))
        circle = path[path.index(path[-1]):]
        steps = [f"{other} ({uses[name][other]})" for name, other in zip(circle, circle[1:])]
        yield f"a circle of files: src/{circle[0]} refers to " + ", which refers to ".join(steps)
        left = without_ends(uses, left - set(circle))


def check_document(text):
    """The table of docs/architecture.md must be this one: | folder | what | may include |."""
    rows = dict(re.findall(r"^\| (\w+) \|.*\| *([^|]*?) *\|$", text, re.M))
    for folder, may in TABLE.items():
        told = " ".join(word for word in re.findall(r"[\w.*`]+", rows.get(folder, "no line")) if "`" not in word)
        if told != may:
            yield f"docs/architecture.md: src/{folder} may include {told or 'nothing'}; here it is: {may or 'nothing'}"


def read_sources(source):
    files = {}
    top = os.path.join(source, "src")
    for folder, _, names in os.walk(top):
        for name in names:
            if name.endswith((".c", ".h")):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    files[os.path.relpath(path, top).replace(os.sep, "/")] = file.read()
    return files


def source_of(path):
    """The source of an object, below src/; "" for a generated one."""
    path = os.path.normpath(path).replace(os.sep, "/")
    found = re.search(r"\.dir/(?:src/)?([^/].*\.c)\.o(?:bj)?$", path)
    name = found.group(1) if found else ""
    if "/src/tool/" in path:
        name = "tool/" + name
    return name if folder_of(name) in TABLE else ""


def read_objects(paths, nm):
    objects, current = {}, None
    # nm puts each file's name in front of its symbols, since there are several.
    listing = subprocess.run([nm, *paths], check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in listing.splitlines():
        if line.endswith(":"):
            name = source_of(line[:-1])
            current = objects.setdefault(name, (set(), set())) if name else None
            continue
        words = line.split()
        if current is None:
            continue
        if len(words) == 2 and words[0] in "Uw":
            current[1].add(words[1])
        elif len(words) == 3 and words[1] in "TDBRSGCVW":
            current[0].add(words[2])
    return objects


def check(files, objects):
    return [*check_includes(files), *check_symbols(objects), *check_circles(objects)]


def self_test():
    """(sources, objects, what the offences must say): each list once sound and once with one thing wrong."""
    sound = {"ops/a.c": '#include "graph/op.h"\n#include <math.h>\n', "gpu/vk.h": "#include <vulkan/vulkan.h>\n"}
    objects = {
        "graph/append.c": ({"append"}, {"malloc"}),
        "ops/a.c": ({"op_a"}, {"append", "op_b"}),
        "ops/b.c": ({"op_b"}, {"append"}),
        "diff/walk.c": ({"walk"}, {"op_a", "append"}),
        "model/build.c": ({"build"}, {"walk"}),
        "tool/main.c": (set(), {"build"}),
    }
    cases = [
        (sound, objects, []),
        ({**sound, "graph/g.c": '#include "ops/ops.h"\n'}, objects, ["src/graph may include: base tensor"]),
        ({**sound, "attic/a.c": ""}, objects, ["src/attic is not in the table"]),
        ({**sound, "nn/n.c": "#include <volk.h>\n"}, objects, ["Vulkan is for"]),
        ({**sound, "verify/v.c": '#include "run/run.h"\n'}, objects, ["which is for src/run"]),
        ({**sound, "verify/v.c": '#include "nn/n.h"\n', "nn/n.h": '#include "graph/tape.h"\n',
          "graph/tape.h": '#include "graph/graph.h"\n'}, objects,
         ["src/nn/n.h sees graph/graph.h through graph/tape.h", "src/verify/v.c sees graph/graph.h through graph/tape.h"]),
        (sound, {**objects, "graph/up.c": (set(), {"op_a"})}, ["src/graph/up.c refers to op_a of src/ops/a.c"]),
        (sound, {**objects, "ops/up.c": (set(), {"walk"})}, ["src/diff is not below src/ops"]),
        (sound, {**objects, "ops/b.c": ({"op_b"}, {"op_a"})}, ["src/ops/a.c refers to ops/b.c (op_b), which refers to "
                                                              "ops/a.c (op_a)"]),
        (sound, {**objects, "io/x.c": ({"x"}, {"y"}), "io/y.c": ({"y"}, {"z"}), "io/z.c": ({"z"}, {"x"}),
                 "io/user.c": (set(), {"x"})}, ["a circle of files: src/io/x.c"]),
    ]
    failed = 0
    for number, (files, made_up, wanted) in enumerate(cases):
        offences = check(files, made_up)
        if len(offences) != len(wanted) or not all(text in offence for text, offence in zip(wanted, offences)):
            print(f"self-test {number}: wanted {wanted}, got {offences}")
            failed += 1
    told = "".join(f"| {folder} | what | {may} |\n" for folder, may in TABLE.items())
    for text, wanted in ((told, 0), (told.replace("| base tensor graph ops |", "| base tensor graph |"), 3), ("", len(TABLE))):
        found = len(list(check_document(text)))
        if found != wanted:
            print(f"self-test of the document: wanted {wanted} offences, got {found}")
            failed += 1
    return failed


def main(arguments):
    if arguments == ["--self-test"]:
        return 1 if self_test() else 0
    nm = "nm"
    if "--nm" in arguments:
        at = arguments.index("--nm")
        nm = arguments[at + 1]
        del arguments[at:at + 2]
    objects = read_objects(arguments[1:], nm)
    offences = check(read_sources(arguments[0]), objects)
    with open(os.path.join(arguments[0], "docs", "architecture.md"), encoding="utf-8") as document:
        offences += check_document(document.read())
    missing = [path for path in arguments[1:] if source_of(path) and not any(objects.get(source_of(path), ()))]
    missing += sorted(set(TABLE) - {folder_of(name) for name in objects} - {"gpu"})  # not built without Vulkan
    if missing:
        offences.append(f"no symbols were read of: {' '.join(missing)}")
    for offence in offences:
        print(offence)
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
