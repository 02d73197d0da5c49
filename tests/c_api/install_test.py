#!/usr/bin/env python3
"""Installs the build into a folder of its own, builds examples/ against it with find_package and pkg-config, and runs
the programs.

    install_test.py BUILD_DIR SOURCE_DIR CC CXX
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

build, source, cc, cxx = sys.argv[1:]


def run(*command, **kwargs):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **kwargs)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(c) for c in command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def need(condition, what):
    if not condition:
        sys.exit(what)


with tempfile.TemporaryDirectory() as folder:
    root = Path(folder) / "root"
    run("cmake", "--install", build, "--prefix", root)
    headers = sorted(p.name for p in (root / "include/tandem").iterdir())
    need(headers == ["status.h", "tandem.h", "tandem_c.h", "version.h"], f"headers: {headers}")
    library = next(iter(root.glob("lib*/**/libtandem.so")))
    prefix = {"CMAKE_PREFIX_PATH": str(root)}
    examples = Path(folder) / "examples"
    run("cmake", "-G", "Ninja", "-S", Path(source) / "examples", "-B", examples, f"-DCMAKE_C_COMPILER={cc}",
        f"-DCMAKE_CXX_COMPILER={cxx}", env={**os.environ, **prefix})
    run("cmake", "--build", examples)
    chat = run(examples / "chat", "phi4-mini:demo", input="Hello\nWhat is 3 + 4?\n")
    need(len(chat.strip().splitlines()) >= 2, f"chat said: {chat!r}")
    columns = [json.loads(line) for line in run(examples / "compare", "What is 3 + 4?").splitlines()]
    need([c["label"] for c in columns] == ["qwen3.5:demo", "phi4-mini:demo"], f"compare said: {columns}")
    need(all("7" in c["answer"] for c in columns), f"compare said: {columns}")
    plan = run(sys.executable, Path(source) / "examples/plan.py", library)
    need("tokens: [" in plan and "MB at" in plan and "7" in plan.splitlines()[-1], f"plan.py said: {plan!r}")

    # Plain C with pkg-config, as make users do it. The file says where it is meant to be installed.
    pc = next(iter(root.glob("lib*/**/pkgconfig/tandem.pc")))
    version = run("pkg-config", "--modversion", "tandem", env={**os.environ, "PKG_CONFIG_PATH": str(pc.parent)})
    need(version.strip() == run(root / "bin/tandem", "version").split()[1], f"pkg-config says {version!r}")
print("installed, found and used")
