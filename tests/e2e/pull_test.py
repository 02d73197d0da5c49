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
import time
import unittest
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
            "HF_HUB_DOWNLOAD_TIMEOUT": "2",
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

    def test_run_on_a_terminal(self):
        for answer, code in (("n", 1), ("y", 0)):
            pid, fd = pty.fork()
            if pid == 0:
                os.execve(TANDEM, [TANDEM, "run", "phi4-mini", "Hello"], {**self.environment, "TERM": "xterm"})
            screen, answered, deadline = "", False, time.monotonic() + 120
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
                    os.write(fd, answer.encode() + b"\n")
            status = os.waitpid(pid, 0)[1]
            os.close(fd)
            self.assertIn("MB in 1 file, licence mit", screen)
            self.assertEqual(os.waitstatus_to_exitcode(status), code, screen)
        self.assert_right()

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

    def test_ollama_registry(self):
        digest = "sha256:" + hashlib.sha256(PHI).hexdigest()
        layers = [{"mediaType": "application/vnd.ollama.image.model", "digest": digest, "size": len(PHI)},
                  {"mediaType": "application/vnd.ollama.image.license", "digest": digest, "size": 1}]
        self.server.manifests["library/phi4-mini/latest"] = json.dumps({"schemaVersion": 2, "layers": layers}).encode()
        self.server.blobs[digest] = PHI
        self.succeeds("pull", "ollama:phi4-mini")
        self.assertTrue(self.succeeds("run", "ollama:phi4-mini", "Hello"))
        self.assertIn("no ollama:library/other:latest", self.fails("pull", "ollama:other"))


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

    def test_a_server_that_falls_silent(self):
        self.server.faults["stall"] = 1
        self.succeeds("pull", "phi4-mini")
        self.assert_right()

    def test_a_server_that_stays_silent(self):
        self.server.faults["stall"] = True
        self.assertIn("sent nothing for 1 s", self.fails("pull", "phi4-mini", HF_HUB_DOWNLOAD_TIMEOUT="1"))
        self.assert_nothing_named()

    def test_too_many_requests(self):
        self.server.faults["busy"] = 1
        start = time.monotonic()
        self.succeeds("pull", "phi4-mini")
        self.assertGreaterEqual(time.monotonic() - start, 1)
        self.assert_right()

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

    def test_a_slow_drip(self):
        self.server.files[REPO][FILE] = PHI[:60_000]
        self.server.faults["bytes_per_second"] = 16384 / 1.5  # less than the stall time between pieces
        self.succeeds("pull", "phi4-mini")

    def refused(self, fault, text):
        self.server.faults[fault] = True
        self.assertIn(text, self.fails("pull", "phi4-mini"))
        self.assert_nothing_named()
        self.assertEqual([p for p in self.target.parent.glob("*")], [])  # no part that can never fit

    def test_a_wrong_hash(self):
        self.refused("wrong_hash", "but " + "0" * 64 + " was promised")

    def test_a_wrong_length(self):
        self.refused("wrong_length", f"has {len(PHI) + 1} bytes, but {len(PHI)} were promised")

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

    def test_two_at_once(self):
        self.server.faults["bytes_per_second"] = 300_000
        first = subprocess.Popen([TANDEM, "pull", "phi4-mini"], env=self.environment, stdout=subprocess.DEVNULL)
        while not self.target.with_name(FILE + ".part.journal").exists():
            time.sleep(0.02)
        self.assertIn("another process is downloading", self.fails("pull", "phi4-mini"))
        self.server.faults.clear()
        self.assertEqual(first.wait(120), 0)
        self.assert_right()

    def test_ctrl_c(self):
        self.server.faults["bytes_per_second"] = 100_000
        process = subprocess.Popen([TANDEM, "pull", "phi4-mini"], env=self.environment, stderr=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL)
        while not self.target.with_name(FILE + ".part.journal").exists():
            time.sleep(0.02)
        process.send_signal(2)
        self.assertIn(b"goes on where", process.communicate(timeout=60)[1])
        self.assertEqual(process.returncode, 130)
        self.server.faults.clear()
        self.succeeds("pull", "phi4-mini")
        self.assert_right()


class Killed(Base):
    def there(self):
        """What the journal says is there."""
        journal = self.target.with_name(FILE + ".part.journal")
        if not journal.exists() or journal.stat().st_size < 88:
            return 0
        table = journal.read_bytes()[88:]
        return sum(struct.unpack(f"={len(table) // 4}I", table))

    def test_fifty_times(self):
        seed = random.randrange(10**6)
        dice = random.Random(seed)
        self.server.faults["bytes_per_second"] = 400_000
        kills = 0
        for _ in range(50):
            self.server.sent, before = 0, self.there()
            process = subprocess.Popen([TANDEM, "pull", "phi4-mini"], env=self.environment, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            time.sleep(dice.uniform(0.01, 0.3))
            kills += process.poll() is None
            process.kill()
            process.wait()
            after = self.there()
            self.assertGreaterEqual(after, before, f"seed {seed}")
            time.sleep(0.1)  # for the server's threads to notice
            self.assertLessEqual(self.server.sent - (after - before), BLOCK, f"seed {seed}")
        self.assertGreater(kills, 30, f"seed {seed}")
        self.server.reset()
        left = len(PHI) - self.there()
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
        self.assertIn("not on this machine", self.fails("show", "qwen3.5"))

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
