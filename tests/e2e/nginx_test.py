#!/usr/bin/env python3
"""Downloads from nginx, which serves files laid out as the Hub and as an Ollama registry on loopback.

usage: nginx_test.py PATH/TO/tandem
"""
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

TANDEM = sys.argv.pop(1)
PHI = (Path(__file__).resolve().parents[2] / "assets/demo/phi4-mini-demo.gguf").read_bytes()
SHA = hashlib.sha256(PHI).hexdigest()
REPO = "unsloth/Phi-4-mini-instruct-GGUF"
FILE = "Phi-4-mini-instruct-Q4_K_M.gguf"
COMMIT = "c0ffee" * 6 + "c0ff"
TOKEN = "hf_thisisverysecret"
NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
CONFIGURATION = """
worker_processes 1;
daemon off;
pid {root}/nginx.pid;
error_log {root}/error.log;
{user}
events {{ worker_connections 64; }}
http {{
  access_log off;
  log_format asked '$status\t$http_range\t$http_authorization\t$body_bytes_sent\t$connection\t$uri';
  client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
  uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
  default_type application/octet-stream;
  limit_req_zone $server_name zone=slow:64k rate=2r/s;
  server {{  # the Hub and the registry: what there is
    listen 127.0.0.1:{hub};
    root {root}/hub;
    access_log {root}/hub.log asked;
    location /api/ {{ try_files $uri =404; }}
    location /v2/ {{ try_files $uri =404; }}
    location ~ ^/[^/]+/[^/]+/resolve/ {{ return 302 http://localhost:{cdn}{extra}$uri?signature=hidden; }}
    location ~ ^/v2/[^/]+/[^/]+/blobs/ {{ return 307 http://localhost:{cdn}{extra}$uri; }}
  }}
  server {{  # the bytes
    listen 127.0.0.1:{cdn};
    root {root}/cdn;
    access_log {root}/cdn.log asked;
    location /whole/ {{ alias {root}/cdn/; max_ranges 0; }}
    location /limited/ {{ alias {root}/cdn/; limit_req zone=slow burst=1 nodelay; limit_req_status 429; }}
    location /drip/ {{ alias {root}/cdn/; limit_rate 1m; }}
    location /gone/ {{ return 404; }}
  }}
}}
"""


def free_ports():
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


@unittest.skipIf(NGINX is None, "nginx is not installed")
class Nginx(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.lay_out()
        self.environment = {"PATH": os.environ["PATH"], "HOME": folder.name, "TANDEM_MODELS": str(self.root / "models"),
                            "NO_PROXY": "*", "HF_TOKEN": TOKEN,
                            **{k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_"))}}
        self.target = self.root / "models/files/hf.co" / REPO / FILE

    def lay_out(self):
        sibling = {"rfilename": FILE, "size": len(PHI), "lfs": {"sha256": SHA, "size": len(PHI)}}
        layer = {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:" + SHA, "size": len(PHI)}
        for path, data in {
            f"hub/api/models/{REPO}/revision/main": json.dumps({"sha": COMMIT, "siblings": [sibling]}).encode(),
            "hub/v2/library/phi4-mini/manifests/latest": json.dumps({"schemaVersion": 2, "layers": [layer]}).encode(),
            f"cdn/{REPO}/resolve/{COMMIT}/{FILE}": PHI,
            f"cdn/marker/{FILE}": b"x",
            f"cdn/v2/library/phi4-mini/blobs/sha256:{SHA}": PHI,
        }.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_bytes(data)

    def start(self, extra=""):
        """Starts nginx; `extra` chooses what the server of the bytes does. Ports that someone takes meanwhile are tried anew."""
        for _ in range(5):
            hub, cdn = free_ports()
            (self.root / "nginx.conf").write_text(CONFIGURATION.format(
                root=self.root, hub=hub, cdn=cdn, extra=extra, user="user root;" if os.geteuid() == 0 else ""))
            server = subprocess.Popen([NGINX, "-c", str(self.root / "nginx.conf"), "-p", str(self.root),
                                       "-e", str(self.root / "error.log")], stderr=subprocess.DEVNULL)
            if self.listens(server, hub):
                self.cdn, self.server = cdn, server
                self.addCleanup(server.wait, 60)
                self.addCleanup(server.send_signal, signal.SIGTERM)
                self.environment["HF_ENDPOINT"] = f"http://127.0.0.1:{hub}"
                self.environment["TANDEM_OLLAMA_REGISTRY"] = f"http://127.0.0.1:{hub}"
                return
        self.fail((self.root / "error.log").read_text())

    @staticmethod
    def listens(server, port):
        deadline = time.monotonic() + 60
        while server.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                time.sleep(0.02)
        return False

    def stop(self):
        """Ends nginx once every answer is out. It writes of a request after the client has the bytes, so only now the log is whole."""
        self.server.send_signal(signal.SIGQUIT)
        self.server.wait(60)

    def asked(self, log):
        """What a server was asked until now: status, range, authorization, bytes sent, number of the connection, path."""
        path = self.root / (log + ".log")
        rows = [line.split("\t") for line in path.read_text().splitlines()] if path.exists() else []
        return [(int(row[0]), row[1], row[2], int(row[3]), int(row[4]), row[5]) for row in rows]

    def run_tandem(self, *args):
        done = subprocess.run([TANDEM, *args], capture_output=True, timeout=300, stdin=subprocess.DEVNULL,
                              env=self.environment)
        self.assertNotIn(TOKEN.encode(), done.stdout + done.stderr)
        return done

    def succeeds(self, *args):
        done = self.run_tandem(*args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def test_the_hub(self):
        self.start()
        self.assertIn("hashes verified", self.succeeds("pull", "phi4-mini"))
        self.assertEqual(self.target.read_bytes(), PHI)
        self.assertTrue(self.succeeds("run", "phi4-mini", "Hello", "--max-tokens", "5"))
        self.assertIn(": ok", self.succeeds("verify", "phi4-mini"))
        self.stop()
        self.assertEqual({row[2] for row in self.asked("hub")}, {"Bearer " + TOKEN})
        self.assertEqual({row[2] for row in self.asked("cdn")}, {"-"})
        self.assertEqual({row[0] for row in self.asked("cdn")}, {206})
        self.assertEqual(sum(row[3] for row in self.asked("cdn")), len(PHI))

    def test_the_registry(self):
        self.start()
        self.succeeds("pull", "ollama:phi4-mini")
        self.assertTrue(self.succeeds("run", "ollama:phi4-mini", "Hello", "--max-tokens", "5"))
        self.assertIn(b"the registry has no", self.run_tandem("pull", "ollama:other").stderr)
        self.stop()
        self.assertEqual(sum(row[3] for row in self.asked("cdn")), len(PHI))
        self.assertEqual({row[2] for row in self.asked("hub") + self.asked("cdn")}, {"-"})

    def test_without_ranges(self):
        self.start("/whole")
        self.succeeds("pull", "phi4-mini")
        self.assertEqual(self.target.read_bytes(), PHI)
        self.stop()
        self.assertEqual({row[0] for row in self.asked("cdn")}, {200})

    def test_a_limit_of_requests(self):
        self.start("/limited")
        self.succeeds("pull", "phi4-mini")
        self.assertEqual(self.target.read_bytes(), PHI)

    def test_what_is_not_there(self):
        self.start("/gone")
        done = self.run_tandem("pull", "phi4-mini")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"answers with status 404", done.stderr)
        self.assertFalse(self.target.exists())
        self.assertIn(b"does not exist", self.run_tandem("pull", "hf.co/no/such").stderr)

    def test_goes_on_after_kill(self):
        self.start("/drip")
        part = self.target.with_name(FILE + ".part.journal")
        process = subprocess.Popen([TANDEM, "pull", "phi4-mini"], env=self.environment, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not (part.exists() and any(part.read_bytes()[88:])):
            time.sleep(0.005)
        process.kill()
        process.wait()
        self.assertTrue(part.exists(), "it was killed on the way")
        table = part.read_bytes()[88:]
        held = sum(int.from_bytes(table[i:i + 4], sys.byteorder) for i in range(0, len(table), 4))
        # nginx writes of a request when it is over, so what belongs to the second run is told by the connection's number.
        urllib.request.urlopen(f"http://localhost:{self.cdn}/drip/marker/{FILE}").read()
        deadline = time.monotonic() + 60
        while not (marks := [row[4] for row in self.asked("cdn") if "/marker/" in row[5]]) and time.monotonic() < deadline:
            time.sleep(0.01)
        mark = max(marks)
        self.succeeds("pull", "phi4-mini")
        self.stop()
        self.assertEqual(self.target.read_bytes(), PHI)
        self.assertEqual(sum(row[3] for row in self.asked("cdn") if row[4] > mark), len(PHI) - held)


if __name__ == "__main__":
    unittest.main()
