"""A Hub, its file server, an Ollama registry and a ModelScope on loopback, made to misbehave on request.

Two HTTP servers: `hub` (127.0.0.1) describes repositories and redirects to `cdn` (localhost, another origin), which has
the bytes. What they do wrong is set in `faults`; what they were asked is in `requests`.
"""
import hashlib
import json
import re
import threading
import time
from collections import Counter, namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Request = namedtuple("Request", "server path range token status")
COMMIT = "c0ffee" * 6 + "c0ff"
PIECE = 16384
LONG = 300  # seconds after which a server that was told to wait gives up


class Server:
    def __init__(self):
        self.files = {}  # "owner/repo" -> {path: bytes}
        self.manifests = {}  # "library/name/tag" -> bytes
        self.blobs = {}  # "sha256:..." -> bytes
        self.faults = {}
        self.info = {}  # more fields of a repository's description
        self.hook = None  # called with "api", "redirect", "file" before a reply, and with None before each piece
        self.requests = []
        self.sent = 0
        self.longest_pause = 0.0  # seconds between two pieces of one reply
        self.counts = Counter()
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.hub = self._start("hub", "127.0.0.1")
        self.cdn = self._start("cdn", "localhost")

    def _start(self, name, host):
        handler = type("Handler", (Handler,), {"owner": self, "server_name_": name})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # clients are killed here, and hang up
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.address = f"http://{host}:{server.server_address[1]}"
        return server

    def close(self):
        self.closing.set()
        for server in (self.hub, self.cdn):
            server.shutdown()
            server.server_close()

    def reset(self):
        self.faults, self.requests, self.sent, self.counts = {}, [], 0, Counter()
        self.hook = None

    def take(self, fault):
        """Whether `fault` strikes now: a number counts down, anything else always does."""
        with self.lock:
            value = self.faults.get(fault)
            if isinstance(value, bool) or not isinstance(value, int):
                return value
            if value <= 0:
                return None
            self.faults[fault] = value - 1
            return value


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner = None
    server_name_ = ""

    def log_message(self, *args):
        pass

    def do_GET(self):
        try:
            self.route()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def note(self, status):
        with self.owner.lock:
            self.owner.requests.append(
                Request(self.server_name_, self.path, self.headers.get("Range"), self.headers.get("Authorization"), status))

    def reply(self, status, body=b"", **headers):
        self.note(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def call_hook(self, moment):
        if self.owner.hook:
            self.owner.hook(moment)

    def route(self):
        owner, path = self.owner, self.path.split("?")[0]
        if status := owner.take("refuse"):
            self.reply(503 if status is True else 500)
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/main", path):
            self.call_hook("api")
            self.describe(match[1])
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/\w+/(.+)", path):
            self.call_hook("redirect")
            self.resolve(match[1], match[2])
        elif match := re.fullmatch(r"/cdn/([^/]+/[^/]+)/(.+)", path):
            if owner.take("expired"):
                self.reply(403)
            elif owner.faults.get("gone"):
                self.reply(owner.faults["gone"])
            else:
                self.serve(owner.files[match[1]][match[2]])
        elif match := re.fullmatch(r"/v2/([^/]+/[^/]+)/manifests/(.+)", path):
            body = owner.manifests.get(f"{match[1]}/{match[2]}")
            status = owner.faults.get("manifest_status", 200 if body is not None else 404)
            self.reply(status, body if body is not None else b"{}")
        elif match := re.fullmatch(r"/v2/([^/]+/[^/]+)/blobs/(.+)", path):
            self.reply(307, Location=f"{owner.cdn.address}/blob/{match[2]}?signature=hidden")
        elif match := re.fullmatch(r"/blob/(.+)", path):
            self.serve(owner.blobs[match[1]])
        elif match := re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)/repo/files", path):
            self.describe_modelscope(match[1])
        elif match := re.fullmatch(r"/models/([^/]+/[^/]+)/resolve/master/(.+)", path):
            self.resolve(match[1], match[2])
        else:
            self.reply(404)

    def describe(self, repository):
        owner = self.owner
        if owner.take("api_busy"):
            self.reply(429, Retry_After="0")
            return
        if repository not in owner.files:
            self.reply(401, X_Error_Code="RepoNotFound")
            return
        siblings = []
        for path, data in owner.files[repository].items():
            sha = "0" * 64 if owner.faults.get("wrong_hash") else hashlib.sha256(data).hexdigest()
            size = owner.faults.get("size", len(data))
            siblings.append({"rfilename": path, "size": size, "blobId": "0" * 40, "lfs": {"sha256": sha, "size": size}})
        info = {"sha": COMMIT, "gated": False, "tags": ["license:mit"], "siblings": siblings, **owner.info}
        body = owner.faults.get("description", json.dumps(info).encode())
        self.reply(200, body, Content_Type="application/json")

    def describe_modelscope(self, repository):
        if repository not in self.owner.files:
            self.reply(404, b'{"Code": 10010205001, "Message": "not found", "Success": false}')
            return
        files = [{"Path": path, "Name": path.split("/")[-1], "Type": "blob", "Size": len(data), "Revision": COMMIT,
                  "Sha256": hashlib.sha256(data).hexdigest()} for path, data in self.owner.files[repository].items()]
        body = self.owner.faults.get("description", json.dumps({"Code": 200, "Data": {"Files": files}}).encode())
        self.reply(200, body)

    def resolve(self, repository, path):
        owner = self.owner
        if owner.faults.get("gated"):
            self.reply(403, X_Error_Code="GatedRepo")
            return
        there = f"{owner.cdn.address}/cdn/{repository}/{path}?signature=hidden"
        self.reply(302, Location=owner.faults.get("location", there))

    def serve(self, data):
        owner, total = self.owner, len(data)
        if busy := owner.take("busy"):
            self.reply(429, Retry_After="1" if isinstance(busy, int) else busy)
            return
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        whole = owner.faults.get("no_ranges") or not match
        begin, end = (0, total) if whole else (int(match[1]), int(match[2]) + 1)
        if owner.faults.get("status_416"):
            self.reply(416, Content_Range=f"bytes */{total // 2}")
            return
        self.call_hook("file")
        piece = data[begin:end]
        if owner.take("short"):
            piece = piece[:len(piece) // 2]
        elif owner.faults.get("long"):
            piece += b"more"
        self.note(200 if whole else 206)
        self.send_response(200 if whole else 206)
        self.send_header("Content-Length", str(len(piece)))
        if not whole:
            claimed = total + 1 if owner.faults.get("wrong_length") else total
            shifted = 1 if owner.take("shifted") else 0
            self.send_header("Content-Range", f"bytes {begin + shifted}-{end - 1}/{claimed}")
        with owner.lock:
            owner.counts["served"] += 1
            changed = owner.faults.get("changed") and owner.counts["served"] > 2
        self.send_header("ETag", '"two"' if changed else '"one"')
        self.end_headers()
        self.write_pieces(piece)

    def write_pieces(self, piece):
        owner = self.owner
        cut = len(piece) // 2 if owner.take("cut") else None
        stall = None
        if owner.take("stall"):
            # For ever means from the first byte: what makes progress is not given up.
            stall = 0 if owner.faults.get("stall") is True else len(piece) // 3
        gate = owner.faults.get("gate")  # an Event: the first piece goes out, the rest when it is set
        drip = owner.faults.get("drip")  # (bytes, seconds): so many at a time, with such a pause
        step = drip[0] if drip else PIECE
        last = time.monotonic()
        for offset in range(0, len(piece), step):
            self.call_hook(None)
            if cut is not None and offset >= cut:
                self.close_connection = True
                self.connection.shutdown(2)
                return
            if stall is not None and offset >= stall:
                owner.closing.wait(LONG)
                self.close_connection = True
                return
            if gate is not None and offset > 0:
                gate.wait(LONG)
            part = piece[offset:offset + step]
            self.wfile.write(part)
            with owner.lock:
                owner.sent += len(part)
                owner.longest_pause = max(owner.longest_pause, time.monotonic() - last)
            last = time.monotonic()
            if drip:
                time.sleep(drip[1])
