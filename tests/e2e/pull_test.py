#!/usr/bin/env python3
"""Downloads against a server on loopback that misbehaves on purpose, and the stores that downloads lie in.

usage: pull_test.py PATH/TO/tandem
"""
import hashlib
import json
import os
import pty
import random
import select
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from email.utils import formatdate
from pathlib import Path

from hub_server import COMMIT, Server

TANDEM = sys.argv.pop(1)
ASSETS = Path(__file__).resolve().parents[2] / "assets/demo"
PHI = (ASSETS / "phi4-mini-demo.gguf").read_bytes()
QWEN = (ASSETS / "qwen3.5-demo.gguf").read_bytes()
REPO = "unsloth/Phi-4-mini-instruct-GGUF"
FILE = "Phi-4-mini-instruct-Q4_K_M.gguf"
BLOCK = 1 << 20
TOKEN = "hf_thisisverysecret"


class Base(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        self.models = self.home / "models"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TANDEM_MODELS": str(self.models),
            "HF_ENDPOINT": self.server.hub.address,
            "TANDEM_OLLAMA_REGISTRY": self.server.hub.address,
            "TANDEM_MODELSCOPE": self.server.hub.address,
            "TANDEM_DOWNLOAD_ATTEMPTS": "3",
            "NO_PROXY": "*",
            **{key: value for key, value in os.environ.items() if key.startswith(("ASAN_", "UBSAN_"))},
        }
        self.server.files[REPO] = {FILE: PHI, "Phi-4-mini-instruct-Q8_0.gguf": PHI[:1000], "README.md": b"x"}
        self.target = self.models / "files/hf.co" / REPO / FILE

    def run_tandem(self, *args, **more):
        done = subprocess.run([TANDEM, *args], capture_output=True, timeout=300, stdin=subprocess.DEVNULL,
                              env={**self.environment, **more})
        output = done.stdout + done.stderr
        self.assertNotIn(TOKEN.encode(), output)
        self.assertNotIn(b"signature", output)
        return done

    def succeeds(self, *args, **more):
        done = self.run_tandem(*args, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def fails(self, *args, **more):
        done = self.run_tandem(*args, **more)
        self.assertEqual(done.returncode, 1, done)
        lines = done.stderr.decode().splitlines()
        self.assertEqual(len([line for line in lines if not line.startswith("Note: ")]), 1, lines)
        self.assertTrue(lines[-1].startswith("Error: "), lines)
        return lines[-1]

    def assert_right(self):
        self.assertEqual(hashlib.sha256(self.target.read_bytes()).digest(), hashlib.sha256(PHI).digest())
        self.assertEqual([p.name for p in self.target.parent.iterdir()], [FILE])  # nothing left over

    def assert_nothing_named(self):
        self.assertFalse(self.target.exists())
        self.assertFalse((self.models / "models").exists())


class Pull(Base):
    def test_pulls_lists_runs_verifies_and_removes(self):
        self.assertIn("hashes verified", self.succeeds("pull", "phi4-mini"))
        self.assert_right()
        listed = json.loads(self.succeeds("list", "--json"))
        self.assertEqual([(m["name"], m["origin"], m["bytes"]) for m in listed], [("phi4-mini", "tandem", len(PHI))])
        self.assertIn("phi4-mini", self.succeeds("ls", "phi"))
        self.assertTrue(json.loads(self.succeeds("run", "phi4-mini", "Hello", "--json"))["answer"])
        self.assertIn(": ok", self.succeeds("verify"))
        before = len(self.server.requests)
        self.assertIn("already here", self.succeeds("pull", "phi4-mini"))
        self.assertEqual(len(self.server.requests), before)
        self.assertIn("removed phi4-mini", self.succeeds("rm", "phi4-mini"))
        self.assertFalse(self.target.exists())
        self.assertEqual(json.loads(self.succeeds("list", "--json")), [])

    def test_run_of_a_missing_model_asks_first(self):
        self.assertIn("--yes", self.fails("run", "phi4-mini", "Hello"))
        self.assertEqual(self.server.requests, [])
        done = self.run_tandem("run", "phi4-mini", "Hello", "--yes")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"licence mit", done.stderr)
        self.assertTrue(done.stdout)
        self.assert_right()

    def on_terminal(self, answer, *args, **more):
        """What a terminal shows of a command that asks, and its exit code."""
        pid, fd = pty.fork()
        if pid == 0:
            try:
                os.execve(TANDEM, [TANDEM, *args], {**self.environment, "TERM": "xterm", **more})
            finally:
                os._exit(127)  # else a second copy of the tests goes on
        screen, answered, deadline = "", False, time.monotonic() + 300
        while time.monotonic() < deadline:
            if not select.select([fd], [], [], 1)[0]:
                continue
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            screen += data.decode(errors="replace")
            if "[Y/n]" in screen and not answered:
                answered = True
                os.write(fd, answer.encode())
        status = os.waitpid(pid, 0)[1]
        os.close(fd)
        return screen, os.waitstatus_to_exitcode(status)

    def test_run_asks_pulls_checks_and_answers_in_one_command(self):
        screen, code = self.on_terminal("n\n", "run", "phi4-mini", "Hello")
        self.assertEqual(code, 1, screen)
        self.assertIn("'phi4-mini' is not on this machine.", screen)
        self.assertIn("MB in 1 file, licence mit? [Y/n]", screen.replace("\r\n", ""))
        self.assertIn("was not downloaded", screen)
        self.assertEqual([r for r in self.server.requests if r.server == "cdn"], [])
        self.assert_nothing_named()
        alone = self.succeeds("run", "phi4-mini:demo", "Hello", "--temperature", "0")
        screen, code = self.on_terminal("\n", "run", "phi4-mini", "Hello", "--temperature", "0")
        self.assertEqual(code, 0, screen)
        self.assertIn("%", screen)  # the bar
        self.assertIn(FILE[:9], screen)
        self.assertIn(" ".join(alone.split()), " ".join(screen.split()))
        self.assert_right()
        record = json.loads(next((self.models / "models").rglob("*.json")).read_text())
        self.assertEqual(record["files"][0]["sha256"], hashlib.sha256(PHI).hexdigest())

    def test_a_pulled_file_of_the_wrong_hash_does_not_answer(self):
        self.server.faults["wrong_hash"] = True
        screen, code = self.on_terminal("y\n", "run", "phi4-mini", "Hello")
        self.assertEqual(code, 1, screen)
        self.assertIn("was promised", " ".join(screen.split()))
        self.assert_nothing_named()

    def test_repositories_and_quants(self):
        self.succeeds("pull", f"hf.co/{REPO}:q8_0")
        self.assertEqual((self.target.parent / "Phi-4-mini-instruct-Q8_0.gguf").read_bytes(), PHI[:1000])
        self.assertIn("it has Q4_K_M, Q8_0", self.fails("pull", f"hf.co/{REPO}:Q2_K"))
        self.assertIn("does not exist", self.fails("pull", "hf.co/no/such"))
        self.assertIn("did you mean 'qwen3.5:4b'", self.fails("pull", "qwen3.5:4n"))

    def test_the_vision_file_and_all_parts_come_along(self):
        parts = {f"Qwen3.5-4B-Q4_K_M-0000{i}-of-00002.gguf": bytes([i]) * 5000 for i in (1, 2)}
        vision = {"mmproj-F32.gguf": b"32", "mmproj-F16.gguf": b"16", "imatrix_x.gguf": b"no", "x-MTP-Q4_K_M.gguf": b"no"}
        self.server.files["unsloth/Qwen3.5-4B-GGUF"] = {**parts, **vision}
        self.succeeds("pull", "qwen3.5")
        folder = self.models / "files/hf.co/unsloth/Qwen3.5-4B-GGUF"
        self.assertEqual(sorted(p.name for p in folder.iterdir()), sorted([*parts, "mmproj-F16.gguf"]))
        projector = json.loads(self.succeeds("list", "--json"))[0]["projector"]
        self.assertEqual(projector, str(folder / "mmproj-F16.gguf"))

    def test_names_share_files(self):
        self.succeeds("pull", "phi4-mini")
        self.succeeds("cp", "phi4-mini", "mine")
        self.assertIn("already", self.fails("cp", "phi4-mini", "mine"))
        self.assertIn("0 B freed", self.succeeds("rm", "phi4-mini"))
        self.assertTrue(self.succeeds("run", "mine", "Hello"))
        self.succeeds("rm", "mine")
        self.assertFalse(self.target.exists())

    def test_damage_is_found_and_replaced(self):
        self.succeeds("pull", "phi4-mini")
        with open(self.target, "r+b") as file:
            file.seek(1000)
            file.write(b"damage")
        done = self.run_tandem("verify", "phi4-mini")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"promised", done.stdout)
        self.succeeds("pull", "phi4-mini", "--force")
        self.succeeds("verify")

    def test_check_pulls_and_compares_hashes(self):
        self.assertIn("--yes", self.fails("check", "phi4-mini", "--quick"))
        report = json.loads(self.succeeds("check", "phi4-mini", "--quick", "--yes", "--json"))
        self.assertEqual(report["items"][0]["name"], "hash")
        self.assertIn(hashlib.sha256(PHI).hexdigest(), report["items"][0]["text"])
        with open(self.target, "r+b") as file:
            file.seek(-1000, os.SEEK_END)
            file.write(b"damage")
        done = self.run_tandem("check", "phi4-mini", "--quick")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout.decode(), r"FAILED\s+hash .* was promised")

    def put_ollama(self, name="library/phi4-mini/latest", layers=None):
        digest = "sha256:" + hashlib.sha256(PHI).hexdigest()
        layers = layers or [{"mediaType": "application/vnd.ollama.image.model", "digest": digest, "size": len(PHI)},
                            {"mediaType": "application/vnd.ollama.image.license", "digest": digest, "size": 1}]
        self.server.manifests[name] = json.dumps({"schemaVersion": 2, "layers": layers}).encode()
        self.server.blobs[digest] = PHI

    def test_ollama_registry(self):
        self.put_ollama()
        self.succeeds("pull", "ollama:phi4-mini")
        self.assertTrue(self.succeeds("run", "ollama:phi4-mini", "Hello"))
        self.assertIn("no ollama:library/other:latest", self.fails("pull", "ollama:other"))
        self.assertIn("another registry", self.fails("pull", "ollama:hf.co/owner/model:q4"))

    def test_an_ollama_registry_that_makes_no_sense(self):
        model = "application/vnd.ollama.image.model"
        for manifest, text in ((b"no", "ollama:library/phi4-mini:latest"), (b"{}", "has no layers"),
                               (b'{"layers": []}', "names no GGUF model"),
                               (json.dumps({"layers": [{"mediaType": model, "digest": "x"}]}).encode(), "without digest")):
            self.server.manifests["library/phi4-mini/latest"] = manifest
            self.assertIn(text, self.fails("pull", "ollama:phi4-mini"))
        for status, text in ((401, "is not public"), (403, "is not public"), (418, "answers with status 418")):
            self.server.faults["manifest_status"] = status
            self.assertIn(text, self.fails("pull", "ollama:phi4-mini"))
        self.assert_nothing_named()

    def test_modelscope(self):
        self.succeeds("pull", f"ms:{REPO}:q8_0")
        self.succeeds("pull", f"ms:{REPO}")
        target = self.models / "files/modelscope.cn" / REPO / FILE
        self.assertEqual(target.read_bytes(), PHI)
        self.assertTrue(self.succeeds("run", f"ms:{REPO}", "Hello"))
        self.assertIn(": ok", self.succeeds("verify", f"ms:{REPO}:q8_0"))
        self.assertIn("it has Q4_K_M, Q8_0", self.fails("pull", f"ms:{REPO}:Q2_K"))
        self.assertIn("does not exist", self.fails("pull", "ms:no/such"))
        for answer, text in ((b"no", "ms:"), (b"{}", "has no list of files"),
                             (b'{"Data": {"Files": [{"Path": "../x.gguf"}]}}', "names the file"),
                             (b'{"Data": {"Files": [{"Path": "x.gguf", "Size": 1}]}}', "has no size or hash")):
            self.server.faults["description"] = answer
            self.assertIn(text, self.fails("pull", f"ms:{REPO}:Q6_K"))

    def test_a_hub_that_makes_no_sense(self):
        gguf = {"rfilename": "x-Q4_K_M.gguf"}
        sized = {**gguf, "size": 3, "blobId": "0" * 39}
        for answer, text in ((b"no", "hf.co/"), (b"{}", "has no commit and list of files"),
                             (json.dumps({"sha": COMMIT, "siblings": [gguf]}).encode(), "has no size"),
                             (json.dumps({"sha": COMMIT, "siblings": [sized]}).encode(), "has no hash"),
                             (json.dumps({"sha": COMMIT, "siblings": []}).encode(), "holds no GGUF model"),
                             (b" " * (65 << 20), "answers with more than")):
            self.server.faults["description"] = answer
            self.assertIn(text, self.fails("pull", f"hf.co/{REPO}"), answer[:60])
        self.assert_nothing_named()


class Tokens(Base):
    def test_stay_with_their_server(self):
        self.succeeds("pull", "phi4-mini", HF_TOKEN=TOKEN)
        self.assertEqual({r.token for r in self.server.requests if r.server == "hub"}, {"Bearer " + TOKEN})
        self.assertEqual({r.token for r in self.server.requests if r.server == "cdn"}, {None})
        for path in self.models.rglob("*.json"):
            self.assertNotIn(TOKEN, path.read_text())

    def test_come_from_the_token_file(self):
        (self.home / "token").write_text(TOKEN + "\n")
        self.succeeds("pull", "phi4-mini", HF_TOKEN_PATH=str(self.home / "token"))
        self.assertIn("Bearer " + TOKEN, {r.token for r in self.server.requests})

    def test_that_cannot_be_tokens_are_not_shown(self):
        self.assertIn("HF_TOKEN", self.fails("pull", "phi4-mini", HF_TOKEN=TOKEN + "\nX-Other: 1"))

    def test_gated(self):
        self.server.faults["gated"] = True
        self.server.info["gated"] = "manual"
        error = self.fails("pull", "phi4-mini")
        self.assertIn(f"accept its terms at https://huggingface.co/{REPO}", error)
        self.assert_nothing_named()


class Faults(Base):
    def test_a_connection_that_is_cut(self):
        self.server.faults["cut"] = 3
        self.succeeds("pull", "phi4-mini")
        self.assert_right()

    def test_a_reply_that_is_too_short(self):
        self.server.faults["short"] = 3
        self.succeeds("pull", "phi4-mini")
        self.assert_right()

    def test_a_server_that_falls_silent(self):
        self.server.faults["stall"] = 1
        self.succeeds("pull", "phi4-mini", HF_HUB_DOWNLOAD_TIMEOUT="1", TANDEM_DOWNLOAD_ATTEMPTS="50")
        self.assert_right()

    def test_a_server_that_stays_silent(self):
        self.server.faults["stall"] = True
        self.assertIn("sent nothing for 1 s", self.fails("pull", "phi4-mini", HF_HUB_DOWNLOAD_TIMEOUT="1"))
        self.assert_nothing_named()

    def test_a_slow_drip(self):
        """A server that always sends something is waited for, however long the whole takes."""
        self.server.files[REPO][FILE] = PHI[:2000]
        self.server.faults["drip"] = (50, 0.1)
        self.succeeds("pull", "phi4-mini", HF_HUB_DOWNLOAD_TIMEOUT="2")
        self.assertEqual(self.target.read_bytes(), PHI[:2000])
        if self.server.longest_pause < 1:  # the server kept its own pace
            self.assertEqual(len([r for r in self.server.requests if r.server == "cdn"]), 1)

    def test_too_many_requests(self):
        for wait in (1, formatdate(time.time() + 2, usegmt=True)):
            self.server.faults["busy"] = wait
            if wait != 1:
                self.server.hook = lambda moment: self.server.faults.pop("busy", None) if moment == "redirect" else None
            start = time.monotonic()
            self.succeeds("pull", "phi4-mini", "--force")
            self.assert_right()
            self.target.unlink()
            if wait == 1:
                self.assertGreaterEqual(time.monotonic() - start, 1)
        self.server.faults["api_busy"] = 2
        self.succeeds("pull", "phi4-mini", "--force")

    def test_errors_of_the_server(self):
        self.server.faults["refuse"] = 2
        self.succeeds("pull", "phi4-mini")
        self.assert_right()
        self.server.faults["refuse"] = True
        self.assertIn("status 503", self.fails("pull", "phi4-mini", "--force"))

    def test_a_signed_address_that_expires(self):
        self.server.faults["expired"] = 1
        self.succeeds("pull", "phi4-mini")
        self.assert_right()
        self.assertGreaterEqual(len([r for r in self.server.requests if "/resolve/" in r.path]), 2)

    def test_a_server_without_ranges(self):
        self.server.faults["no_ranges"] = True
        self.succeeds("pull", "phi4-mini")
        self.assert_right()

    def test_other_bytes_than_asked_for(self):
        self.server.faults["shifted"] = 2
        self.succeeds("pull", "phi4-mini")
        self.assert_right()

    def refused(self, fault, text):
        self.server.faults[fault] = True
        self.assertIn(text, self.fails("pull", "phi4-mini"))
        self.assert_nothing_named()
        self.assertEqual([p for p in self.target.parent.glob("*")], [])  # no part that can never fit

    def test_a_wrong_hash(self):
        self.refused("wrong_hash", "but " + "0" * 64 + " was promised")

    def test_a_wrong_length(self):
        self.refused("wrong_length", f"has {len(PHI) + 1} bytes, but {len(PHI)} were promised")

    def test_more_bytes_than_asked_for(self):
        self.refused("long", "sends more bytes than were asked for")

    def test_redirects_that_lead_nowhere(self):
        hub = f"{self.server.hub.address}/{REPO}/resolve/main/{FILE}"
        for location, text in ((hub, "redirects more than 5 times"), ("ftp://x/y", "redirects to ftp:"),
                               ("http://", "which is no address")):
            self.server.faults["location"] = location
            self.assertIn(text, self.fails("pull", "phi4-mini"))
            self.assert_nothing_named()

    def test_a_file_that_is_gone(self):
        for status, text in ((404, "answers with status 404"), (401, "answers with status 401")):
            self.server.faults["gone"] = status
            self.assertIn(text, self.fails("pull", "phi4-mini"))
        self.server.faults = {"location": f"/cdn/{REPO}/{FILE}", "gone": 410}  # on the host that has the token
        self.assertIn("answers with status 410", self.fails("pull", "phi4-mini"))

    def test_a_range_that_is_refused(self):
        self.refused("status_416", f"has {len(PHI) // 2} bytes, but {len(PHI)} were promised")

    def test_a_file_that_changes_meanwhile(self):
        self.refused("changed", "changed while it was downloaded")

    def test_a_full_disk(self):
        self.server.faults["size"] = 10**16
        self.assertIn("are free there", self.fails("pull", "phi4-mini"))
        self.assertLess(sum(p.stat().st_blocks for p in self.models.rglob("*") if p.is_file()), 2000)

    def test_nobody_listens(self):
        self.assertIn("cannot read", self.fails("pull", "phi4-mini", HF_ENDPOINT="http://127.0.0.1:1"))
        self.assertIn("HF_ENDPOINT", self.fails("pull", "phi4-mini", HF_ENDPOINT="ftp://x"))

    def test_offline(self):
        self.assertIn("HF_HUB_OFFLINE", self.fails("pull", "phi4-mini", HF_HUB_OFFLINE="1"))
        self.assertEqual(self.server.requests, [])

    def test_a_server_that_names_files_outside(self):
        self.server.files[REPO] = {"../../../evil-Q4_K_M.gguf": b"x"}
        self.assertIn("names the file", self.fails("pull", "phi4-mini"))

    def test_a_folder_that_cannot_be_written(self):
        self.models.write_text("a file")
        self.assertIn("cannot", self.fails("pull", "phi4-mini"))

    def started(self, gate):
        """A pull whose server waits after its first piece of each reply."""
        self.server.faults["gate"] = gate
        process = subprocess.Popen([TANDEM, "pull", "phi4-mini"], env=self.environment, stderr=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL)
        self.addCleanup(process.stderr.close)
        deadline = time.monotonic() + 120
        while there(self.target) == 0:
            self.assertLess(time.monotonic(), deadline)
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        return process

    def test_two_at_once(self):
        gate = threading.Event()
        first = self.started(gate)
        self.assertIn("another process is downloading", self.fails("pull", "phi4-mini"))
        gate.set()
        self.assertEqual(first.wait(120), 0)
        self.assert_right()

    def test_ctrl_c(self):
        gate = threading.Event()
        process = self.started(gate)
        process.send_signal(2)
        self.assertIn(b"goes on where", process.communicate(timeout=60)[1])
        self.assertEqual(process.returncode, 130)
        gate.set()
        self.server.faults.clear()
        self.succeeds("pull", "phi4-mini")
        self.assert_right()

    def test_what_lies_there_of_an_earlier_time_may_be_damaged(self):
        gate = threading.Event()
        process = self.started(gate)
        process.kill()
        process.wait()
        gate.set()
        self.server.faults.clear()
        part = self.target.with_name(FILE + ".part")
        with open(part, "r+b") as file:
            file.write(b"damage")
        done = self.run_tandem("pull", "phi4-mini")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"does not fit; starting over", done.stderr)
        self.assert_right()


def there(target):
    """How many bytes the journal of a download says are there, all blocks together."""
    return sum(blocks(target))


def blocks(target):
    """The same for each block."""
    try:
        table = target.with_name(FILE + ".part.journal").read_bytes()[88:]
    except FileNotFoundError:
        return [0]
    return struct.unpack(f"={len(table) // 4}I", table) if len(table) % 4 == 0 else [0]


class Killed(Base):
    """kill -9 at fifty moments. The server picks the moment, so that nothing depends on the machine's pace, and it never
    runs further ahead of the journal than half a block, so that what it sent and what arrived can be told apart."""
    KILLS = 50
    AHEAD = BLOCK // 2

    def pull_and_be_killed(self, dice):
        """One run that is killed at a random moment. False when it was done before."""
        before, held = there(self.target), blocks(self.target)
        self.server.requests, self.server.sent = [], 0
        left = len(PHI) - before
        moment = dice.choice(["api", "redirect", "file"] + 9 * ["bytes"] + 3 * ["end"])
        limit = left if moment == "end" else dice.randint(1, 400_000)
        seen = dice.randint(1, 3)
        process = None
        launched = threading.Event()

        def hook(now):
            nonlocal seen
            launched.wait(60)
            if now == moment:
                seen -= 1
                if seen <= 0 or now != "file":
                    process.kill()
            while now is None and process.poll() is None:
                ahead = self.server.sent - (there(self.target) - before)
                if moment != "end" and self.server.sent >= limit:
                    process.kill()
                elif ahead <= self.AHEAD or self.target.exists():
                    return
                else:
                    time.sleep(0.001)

        self.server.hook = hook
        process = subprocess.Popen([TANDEM, "pull", "phi4-mini"], env=self.environment, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        launched.set()
        if moment == "end":
            deadline = time.monotonic() + 120
            while self.server.sent < left and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(dice.uniform(0, 0.02))  # hashing, giving the name, writing the record
            process.kill()
        process.wait(120)
        self.server.hook = None
        if not self.target.exists():
            after = there(self.target)
            self.assertGreaterEqual(after, before)
            self.assertLessEqual(self.server.sent - (after - before), BLOCK)
        for request in self.server.requests:
            if request.range and request.status == 206:
                begin, end = (int(n) for n in request.range[6:].split("-"))
                block = begin // BLOCK
                done = held[block] if block < len(held) else 0
                self.assertGreaterEqual(begin, block * BLOCK + done, "what was there is not asked for again")
                self.assertEqual(end + 1, min((block + 1) * BLOCK, len(PHI)))
        self.assertIn(process.returncode, (0, -9))
        return process.returncode == -9

    def test_fifty_times(self):
        seed = random.randrange(10**6)
        dice = random.Random(seed)
        kills = 0
        with self.subTest(seed=seed):
            while kills < self.KILLS:
                kills += self.pull_and_be_killed(dice)
                if self.target.exists():
                    self.assertEqual(self.target.read_bytes(), PHI)
                    self.succeeds("pull", "phi4-mini")  # whether or not the record was written
                    self.assert_right()
                    if kills < self.KILLS:
                        self.succeeds("rm", "phi4-mini")
            self.server.reset()
            left = 0 if self.target.exists() else len(PHI) - there(self.target)
            self.succeeds("pull", "phi4-mini")
            self.assert_right()
            self.assertEqual(self.server.sent, left)


class Stores(Base):
    def hub_cache(self, repository, name, data):
        folder = self.home / ".cache/huggingface/hub" / ("models--" + repository.replace("/", "--"))
        blob = folder / "blobs" / hashlib.sha256(data).hexdigest()
        link = folder / "snapshots" / COMMIT / name
        for path in (blob, link, folder / "refs/main"):
            path.parent.mkdir(parents=True, exist_ok=True)
        (folder / "refs/main").write_text(COMMIT)
        blob.write_bytes(data)
        link.symlink_to(Path("../../blobs") / blob.name)
        return blob

    def ollama(self, name, data):
        store = self.home / ".ollama/models"
        digest = hashlib.sha256(data).hexdigest()
        (store / "blobs").mkdir(parents=True)
        (store / "blobs" / f"sha256-{digest}").write_bytes(data)
        manifest = store / "manifests/registry.ollama.ai/library" / name.replace(":", "/")
        manifest.parent.mkdir(parents=True)
        layers = [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:" + digest, "size": len(data)}]
        manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
        return manifest

    def test_downloads_of_others_are_used_where_they_lie(self):
        blob = self.hub_cache(REPO, FILE, PHI)
        manifest = self.ollama("qwen3.5:4b", QWEN)
        studio = self.home / ".lmstudio/models/lmstudio-community/Phi-4-mini-reasoning-GGUF"
        studio.mkdir(parents=True)
        (studio / "Phi-4-mini-reasoning-Q4_K_M.gguf").write_bytes(PHI)
        (studio / "mmproj-F16.gguf").write_bytes(b"x")
        listed = {m["name"]: m["origin"] for m in json.loads(self.succeeds("list", "--json"))}
        self.assertEqual(listed, {
            f"hf.co/{REPO}:Q4_K_M": "Hugging Face cache",
            "ollama:qwen3.5:4b": "Ollama",
            "hf.co/lmstudio-community/Phi-4-mini-reasoning-GGUF:Q4_K_M": "LM Studio",
        })
        for name in [*listed, "phi4-mini", "qwen3.5:4b", "qwen3.5", "phi4-mini-reasoning"]:
            self.assertTrue(self.succeeds("run", name, "Hello /no_think", "--max-tokens", "5"), name)
        self.assertIn(": ok", self.succeeds("verify", "phi4-mini"))
        self.assertIn(": ok", self.succeeds("verify", "qwen3.5"))
        self.assertEqual(self.server.requests, [])
        self.assertFalse(self.models.exists())
        self.assertIn("belongs to Hugging Face cache", self.fails("rm", "phi4-mini"))
        self.assertTrue(blob.exists())
        self.succeeds("rm", "--force", "phi4-mini")
        self.assertFalse(blob.exists())
        self.succeeds("rm", "--force", "qwen3.5")
        self.assertFalse(manifest.exists())
        self.assertIn("not on this machine", self.succeeds("show", "qwen3.5"))
        self.assertIn("not on this machine", self.fails("run", "qwen3.5", "Hello"))

    def test_stores_that_make_no_sense_are_left_out(self):
        for path in (".cache/huggingface/hub/models--a--b/refs/main", ".ollama/models/manifests/h/n/m/t",
                     ".lmstudio/models/file", "models/models/x.json"):
            (self.home / path).parent.mkdir(parents=True, exist_ok=True)
            (self.home / path).write_text("{\"files\": [{\"path\": \"../../../etc/passwd\"}]}")
        self.assertEqual(json.loads(self.succeeds("list", "--json")), [])

    def test_what_can_be_pulled(self):
        names = [m["name"] for m in json.loads(self.succeeds("list", "--available", "--json"))]
        self.assertEqual(names[0], "qwen3.5:4b")
        self.assertIn("phi4-mini-reasoning", names)


if __name__ == "__main__":
    unittest.main()
