#!/usr/bin/env python3
"""Holds the symbols that the built library shows against its headers: every function of tandem_c.h and nothing else
in C; of C++ what exports.map names, no template of a private type and no symbol of a library linked in.

    exports_test.py LIBTANDEM SOURCE_DIR
"""
import re
import subprocess
import sys
from pathlib import Path

library, source = sys.argv[1], Path(sys.argv[2])
header = (source / "include/tandem/tandem_c.h").read_text()
declared = set(re.findall(r"\b(tandem_[a-z_]+)\(", re.sub(r"/\*.*?\*/", "", header, flags=re.S)))
lines = subprocess.run(["nm", "-D", "-C", "--defined-only", library], check=True, capture_output=True, text=True).stdout
shown = {line.split(" ", 2)[2] for line in lines.splitlines()}
in_c = {name for name in shown if "::" not in name and "(" not in name}
in_cpp = shown - in_c
bad = [f"missing: {name}" for name in sorted(declared - in_c)]
bad += [f"not in tandem_c.h: {name}" for name in sorted(in_c - declared)]
allowed = re.compile(r"^tandem::(BuiltinModels|ParseMessages|PlanModel|StatusCodeName|Model::|Session::|Comparison::)")
bad += [f"not public: {name}" for name in sorted(in_cpp) if not allowed.match(name)]
for function in ("Model::Open", "Model::Tokenize", "Model::Detokenize", "Model::Render", "Model::facts", "PlanModel",
                 "BuiltinModels", "ParseMessages", "Session::Session", "Session::~Session", "Session::Generate",
                 "Session::Add", "Session::RemoveLast", "Session::messages", "Session::Clear", "Comparison::Open",
                 "Comparison::Run", "Comparison::columns", "Comparison::together", "Comparison::notes"):
    if not any(name.startswith(f"tandem::{function}") for name in in_cpp):
        bad.append(f"missing: tandem::{function}")
print("\n".join(bad) if bad else f"exports: {len(in_c)} functions in C, {len(in_cpp)} in C++")
sys.exit(1 if bad else 0)
