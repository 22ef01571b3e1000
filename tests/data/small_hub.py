"""A Hub of one's own: data sets in the Hub's cache as it lays them out, or served over HTTP as it serves them."""

import hashlib
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "a" * 40


def rows(word, count):
    return "".join(json.dumps({"instruction": f"{word} {n}?", "output": f"{word} {n}."}) + "\n" for n in range(count))


CARD = """---
configs:
- config_name: en
  data_files:
  - split: train
    path: en/train-*.jsonl
  - split: test
    path: en/test-*.jsonl
- config_name: de
  data_files: de/*.jsonl
---
# Asked and answered
"""
ASKED = {
    "README.md": CARD,
    "en/train-0.jsonl": rows("first", 5),
    "en/train-1.jsonl": rows("second", 4),
    "en/test-0.jsonl": rows("test", 3),
    "de/rows.jsonl": rows("wer", 2),
}
SEPARATED = {
    "README.md": '---\nconfigs:\n- config_name: default\n  data_files: "*.csv"\n  sep: ";"\n---\n# Questions\n',
    "rows.csv": "instruction;output\nWer?;Ich.\nWas?;Das.\n",
}


def put_into_cache(home, name, files, commit=COMMIT):
    """A data set in the Hub's cache under `home` (HF_HOME), as a download leaves it."""
    repository = home / "hub" / f"datasets--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "blobs").mkdir()
    for number, (path, text) in enumerate(files.items()):
        blob = repository / "blobs" / f"{number}"
        blob.write_text(text)
        link = repository / "snapshots" / commit / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))


class SmallHub:
    """`with SmallHub({name: files}) as hub`: an HTTP server at `hub.address`; `hub.asked` are the paths it was asked for."""

    def __init__(self, repositories):
        self.asked = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *words):
                pass

            def do_HEAD(self):
                hub.answer(self, body=False)

            def do_GET(self):
                hub.answer(self)

            def do_POST(self):
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                hub.answer(self, sent=sent)

        self.repositories = repositories
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *raised):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request, body=True, sent=b""):
        path = unquote(urlsplit(request.path).path).strip("/")
        self.asked.append(path)
        words = path.split("/")
        if words[:2] == ["api", "datasets"]:
            words = words[2:]
            files = self.repositories.get("/".join(words[:2]))
            if files is None:
                return self._say(request, 401, b"", {"X-Error-Code": "RepoNotFound"})
            rest = words[2:]
            if rest[:1] == ["tree"]:
                return self._json(request, self._tree(files, "/".join(rest[2:])))
            if rest[:1] == ["paths-info"]:
                wanted = json.loads(sent)["paths"]
                return self._json(request, [self._file(name, files[name]) for name in wanted if name in files])
            if rest[:1] == ["revision"] and rest[1] not in ("main", COMMIT):
                return self._say(request, 404, b"", {"X-Error-Code": "RevisionNotFound"})
            info = {"id": "/".join(words[:2]), "sha": COMMIT, "private": False, "gated": False, "disabled": False,
                    "downloads": 0, "likes": 0, "tags": [], "siblings": [{"rfilename": name} for name in files]}  # fmt: skip
            return self._json(request, info)
        if words[0] == "datasets" and words[3:4] == ["resolve"]:
            name, file = "/".join(words[1:3]), "/".join(words[5:])
            content = self.repositories.get(name, {}).get(file)
            if content is None:
                return self._say(request, 404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            sha = hashlib.sha1(content.encode()).hexdigest()
            headers = {"ETag": f'"{sha}"', "X-Repo-Commit": COMMIT}
            return self._say(request, 200, content.encode(), headers, body)
        return self._say(request, 404, b"", {})

    def _tree(self, files, under):
        prefix = f"{under}/" if under else ""
        folders = {name.rpartition("/")[0] for name in files if name.startswith(prefix) and "/" in name[len(prefix) :]}
        return [
            *({"type": "directory", "path": name, "oid": COMMIT, "size": 0} for name in sorted(folders)),
            *(self._file(name, text) for name, text in files.items() if name.startswith(prefix)),
        ]

    @staticmethod
    def _file(name, text):
        content = text.encode()
        return {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}

    def _json(self, request, value):
        self._say(request, 200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    @staticmethod
    def _say(request, status, content, headers, body=True):
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            request.send_header(name, value)
        request.end_headers()
        if body:
            request.wfile.write(content)
