#!/usr/bin/env python3
"""bench/compare over engines that are shell scripts: medians, ratios, dialects, baselines, exit codes.

usage: bench_compare_test.py PATH/TO/bench/compare
"""
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

COMPARE = sys.argv.pop(1)

# Prints the n-th of the given reports on its n-th call.
TURNS = """#!/bin/sh
echo "$@" >> {log}
n=$(cat {count} 2>/dev/null || echo 0)
echo $((n + 1)) > {count}
cat {folder}/report.$n 2>/dev/null || cat {folder}/report.0
"""
LLAMA = """#!/bin/sh
echo "$@" >> {log}
depth=0
while [ $# -gt 0 ]; do
  case "$1" in
    --help) echo "  -d, --n-depth <n>"; exit 0;;
    -d) depth=$2;;
  esac
  shift
done
echo '[{{"n_prompt": 512, "n_gen": 0, "n_depth": '$depth', "samples_ts": [50.0, 40.0, 60.0]}},
 {{"n_prompt": 0, "n_gen": 32, "n_depth": '$depth', "samples_ts": [5.0]}}]'
"""
IK = """#!/bin/sh
echo "$@" >> {log}
case "$*" in
  *--help*) echo "  -gp <pp,tg>";;
  *-gp*) echo '[{{"n_prompt": 8192, "n_gen": 32, "samples_ts": [2.0]}}]';;
  *) echo '['; echo 'WARNING: [about memory]'
     echo '{{"n_prompt": 512, "n_gen": 0, "samples_ts": [80.0]}}, {{"n_prompt": 0, "n_gen": 32, "samples_ts": [8.0]}}]';;
esac
"""


def report(prefill, decode, cpu="Test CPU", depths=(0,), limit=200):
    def row(phase, tokens, depth, rate):
        return {"phase": phase, "tokens": tokens, "depth": depth, "batch": 1, "threads": 2,
                "tokens_per_second": {"median": rate, "min": rate, "max": rate}, "share_of_limit": rate / limit}
    results = [r for d in depths for r in (row("prefill", 512, d, prefill), row("decode", 32, d, decode))]
    return json.dumps({"peak_rss_bytes": 2_500_000_000, "machine": {"cpu": cpu, "cores": 2, "isa": "avx2", "system": "x"}, "results": results})


class Compare(unittest.TestCase):
    def setUp(self):
        self.temp = tempfile.TemporaryDirectory()
        self.folder = Path(self.temp.name)
        self.model = self.folder / "model.gguf"
        self.model.write_bytes(b"GGUF")
        self.log = self.folder / "log"

    def tearDown(self):
        self.temp.cleanup()

    def script(self, name, text, **more):
        path = self.folder / name
        path.write_text(text.format(log=self.log, folder=self.folder, count=self.folder / "count", **more))
        path.chmod(0o755)
        return str(path)

    def tandem(self, *reports):
        (self.folder / "count").unlink(missing_ok=True)
        for i, text in enumerate(reports):
            (self.folder / f"report.{i}").write_text(text)
        return self.script("tandem", TURNS)

    def compare(self, *args, rounds=1):
        return subprocess.run([sys.executable, COMPARE, str(self.model), "--rounds", str(rounds), *args],
                              capture_output=True, text=True, timeout=60)

    def row(self, done, name):
        lines = [line for line in done.stdout.splitlines() if line.startswith(name + "  ")]
        self.assertEqual(len(lines), 1, done.stdout + done.stderr)
        return lines[0][len(name):].split()

    def test_prints_rates_and_ratios(self):
        done = self.compare("--tandem", self.tandem(report(100, 10)), "--peer", "llama=" + self.script("l", LLAMA),
                            "--peer", "ik=" + self.script("i", IK) + " -rtr 1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.row(done, "prefill 512"), ["100.0", "50.0", "80.0", "2.00", "1.25"])
        self.assertEqual(self.row(done, "decode 32"), ["10.0", "5.0", "8.0", "2.00", "1.25"])
        self.assertEqual(self.row(done, "peak memory (GB)")[0], "2.50")  # as it says itself
        self.assertIn("-rtr 1 -m", self.log.read_text())

    def test_takes_medians_over_rounds(self):
        done = self.compare("--tandem", self.tandem(report(100, 10), report(1, 30), report(120, 11)), rounds=3)
        self.assertEqual(self.row(done, "prefill 512"), ["100.0"])
        self.assertEqual(self.row(done, "decode 32"), ["11.0"])

    def test_engines_take_turns(self):
        self.compare("--tandem", self.tandem(report(1, 1)), "--peer", "llama=" + self.script("l", LLAMA), rounds=2)
        calls = ["tandem" if line.startswith("bench") else "peer" for line in self.log.read_text().splitlines()
                 if "--help" not in line]
        self.assertEqual(calls, ["tandem", "peer", "tandem", "peer"])

    def test_depth_in_both_dialects(self):
        done = self.compare("-d", "0,8192", "--tandem", self.tandem(report(100, 10, depths=(0, 8192))), "--peer",
                            "llama=" + self.script("l", LLAMA), "--peer", "ik=" + self.script("i", IK))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.row(done, "prefill 512 at depth 8192"), ["100.0", "50.0", "-", "2.00", "-"])
        self.assertEqual(self.row(done, "decode 32 at depth 8192"), ["10.0", "5.0", "2.0", "2.00", "5.00"])

    def test_a_peer_may_have_a_file_of_its_own(self):
        self.compare("--tandem", self.tandem(report(1, 1)), "--peer", "ik=" + self.script("i", IK), "--peer-model",
                     "ik=/other.gguf", "--kv", "q8_0")
        self.assertIn("-m /other.gguf -o json -r 1 -ctk q8_0 -ctv q8_0", self.log.read_text())

    def save(self, *reports):
        path = str(self.folder / "base.json")
        done = self.compare("--tandem", self.tandem(*reports), "--save", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        return path

    def test_same_speed_passes_within_the_noise(self):
        base = self.save(report(100, 10))
        done = self.compare("--tandem", self.tandem(report(95, 9.5)), "--baseline", base)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("prefill 512: -5.0%", done.stdout)

    def test_a_regression_is_named_and_exits_with_1(self):
        base = self.save(report(100, 10))
        done = self.compare("--tandem", self.tandem(report(100, 8.5)), "--baseline", base)
        self.assertEqual(done.returncode, 1)
        self.assertIn("decode 32: -15.0%, as a share of the limit -15.0%  REGRESSION", done.stdout)
        done = self.compare("--tandem", self.tandem(report(100, 8.5)), "--baseline", base, "--noise", "0.2")
        self.assertEqual(done.returncode, 0)

    def test_a_slow_day_of_the_machine_is_no_regression(self):
        base = self.save(report(100, 10))
        done = self.compare("--tandem", self.tandem(report(70, 7, limit=140)), "--baseline", base)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("decode 32: -30.0%, as a share of the limit +0.0%\n", done.stdout)
        done = self.compare("--tandem", self.tandem(report(70, 7, limit=160)), "--baseline", base)
        self.assertEqual(done.returncode, 1)

    def test_a_folder_has_a_place_for_each_machine_and_model(self):
        folder = self.folder / "baseline"
        folder.mkdir()
        done = self.compare("--tandem", self.tandem(report(100, 10)), "--save", str(folder))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([str(path.relative_to(folder)) for path in folder.rglob("*.json")],
                         ["test-cpu-2-cores-avx2/model-f16.json"])
        done = self.compare("--tandem", self.tandem(report(100, 8)), "--baseline", str(folder))
        self.assertEqual(done.returncode, 1)
        self.assertIn("decode 32: -20.0%, as a share of the limit -20.0%  REGRESSION", done.stdout)
        done = self.compare("--tandem", self.tandem(report(100, 10, cpu="Other CPU")), "--baseline", str(folder))
        self.assertEqual(done.returncode, 3)
        self.assertIn("has no baseline of this machine (other-cpu-2-cores-avx2)", done.stderr)
        done = self.compare("--tandem", self.tandem(report(100, 10)), "--baseline", str(folder), "--kv", "q8_0")
        self.assertEqual(done.returncode, 2)
        self.assertIn("model-q8_0.json: No such file", done.stderr)

    def test_another_machine_ends_the_run_at_once(self):
        base = self.save(report(100, 10))
        self.log.unlink()
        done = self.compare("--tandem", self.tandem(report(100, 10, cpu="Other CPU")), "--baseline", base, rounds=3)
        self.assertEqual(done.returncode, 3)
        self.assertEqual(len(self.log.read_text().splitlines()), 1)

    def test_another_machine_is_refused_with_3(self):
        base = self.save(report(100, 10))
        done = self.compare("--tandem", self.tandem(report(100, 10, cpu="Other CPU")), "--baseline", base)
        self.assertEqual(done.returncode, 3)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn("another machine: cpu 'Test CPU', here 'Other CPU'", done.stderr)

    def test_another_file_is_refused(self):
        base = self.save(report(100, 10))
        self.model.write_bytes(b"GGUF longer")
        done = self.compare("--tandem", self.tandem(report(100, 10)), "--baseline", base)
        self.assertEqual(done.returncode, 2)
        self.assertIn("model bytes '4', this run with '11'", done.stderr)

    def test_a_bad_baseline_is_found_before_anything_runs(self):
        bad = self.folder / "bad.json"
        bad.write_text("{}")
        done = self.compare("--tandem", self.tandem(report(1, 1)), "--baseline", str(bad))
        self.assertEqual(done.returncode, 2)
        self.assertIn("not a baseline of format 1", done.stderr)
        self.assertFalse(self.log.exists())

    def test_a_failing_engine_is_one_line(self):
        failing = self.script("f", "#!/bin/sh\ncase $1 in --help) exit 0;; esac\necho first >&2\necho no memory >&2\nexit 7\n")
        done = self.compare("--tandem", self.tandem(report(1, 1)), "--peer", "bad=" + failing)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr, "bench/compare: bad: exit code 7: no memory\n")
        done = self.compare("--tandem", "/no/such/program")
        self.assertEqual(done.returncode, 2)
        self.assertIn("cannot run /no/such/program", done.stderr)

    def test_output_that_is_no_report_is_named(self):
        done = self.compare("--tandem", self.tandem("hello"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("tandem: its output is not JSON", done.stderr)
        done = self.compare("--tandem", self.tandem('{"machine": {}}'))
        self.assertIn("tandem: its report lacks 'cpu'", done.stderr)

    def test_wrong_usage(self):
        for args in (["--peer", "nameless"], ["--rounds", "0"], ["--peer", "a=x", "--peer", "a=y"], ["-d", "-1"]):
            done = self.compare(*args)
            self.assertEqual(done.returncode, 2, args)


if __name__ == "__main__":
    unittest.main()
