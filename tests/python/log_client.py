"""A client of C2SP transparency logs that others wrote (tlog-scales) against recount's reader door, and its log for ours.

    log_client.py read SOCKET LOG_KEY OLD_CHECKPOINT WITNESS_KEY COSIGNED FOLDER
    log_client.py write SEED_HEX ORIGIN LEAVES FOLDER

`read` knows the socket, the keys and the specification. It checks signatures, recomputes the root from tiles, checks
the leaves in entry bundles, inclusion and consistency, and writes one proof (c2sp.org/tlog-proof) per leaf it looked at into FOLDER. Each thing it
checks it also changes, and expects to be refused. `write` makes a log. Both print one line of JSON.
"""

import base64
import http.client
import json
import pathlib
import socket
import sys
import time

from tlog_scales import signing, tiles, tlog
from tlog_scales.reader import TilesReader
from tlog_scales.utils import b64enc
from tlog_scales.writer import TilesWriter


class Door(http.client.HTTPConnection):
    """One request over the Unix socket of the reader door."""

    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


class Backend:
    """Static files as the specification lays them out; `spoil` changes one byte of one of them."""

    def __init__(self, path):
        self.path = path
        self.asked = []
        self.spoil = None

    def get(self, *path):
        name = "/".join(path)
        door = Door(self.path)
        door.request("GET", "/" + name)
        answer = door.getresponse()
        body = answer.read()
        self.asked.append(name)
        if answer.status != 200:
            return None
        kind = {"checkpoint": "text/plain; charset=utf-8"}.get(path[0], "application/octet-stream")
        if path[0] in ("checkpoint", "tile") and answer.headers["content-type"] != kind:
            sys.exit(f"{name} is served as {answer.headers['content-type']}")
        if name == self.spoil:
            body = body[:7] + bytes([body[7] ^ 1]) + body[8:]
        return body


def refused(what, check):
    try:
        check()
    except Exception:
        return
    sys.exit(f"{what} was accepted")


def read(path, log_key, old_checkpoint, witness_key, cosigned, folder):
    door = Backend(path)
    reader = TilesReader(door)
    old = tlog.Checkpoint.from_text(pathlib.Path(old_checkpoint).read_text())
    until = time.monotonic() + 60
    while (now := reader.get_checkpoint()).size <= old.size:
        if time.monotonic() > until:
            sys.exit("no further checkpoint within a minute")
        time.sleep(0.2)
    key = signing.Vkey.from_string(log_key)
    now.verify(key)
    other = tlog.Checkpoint(now.origin, now.size + 1, now.root_hash, now.signatures)
    refused("a signature over another size", lambda: other.verify(key))

    if reader.calculate_root_hash() != now.root_hash:
        sys.exit("the tiles lead to another root")
    tiles_read = [name for name in door.asked if name.startswith("tile/")]
    spoiled = Backend(path)
    spoiled.spoil = tiles_read[0]
    liar = TilesReader(spoiled)
    liar.set_size(now.size)
    if liar.calculate_root_hash() == now.root_hash:
        sys.exit(f"a changed {tiles_read[0]} was not noticed")

    for index in (0, 1, 255, 256, now.size // 2, now.size - 1):
        content = reader.get_entry(index)
        [stored] = json.loads(door.get("v1", f"control?from={index}&to={index + 1}"))
        if base64.b64decode(stored["leaf"]) != content:
            sys.exit(f"entry {index} is another leaf under /v1/control")
        proof = reader.get_inclusion_proof(index, now.size)
        proof.check(tiles.leaf_hash(content), now.root_hash)
        refused("another leaf", lambda: proof.check(tiles.leaf_hash(content + b"x"), now.root_hash))
        text = f"c2sp.org/tlog-proof@v1\nindex {index}\n"
        text += "".join(b64enc(node) + "\n" for node in proof.node_hashes)
        pathlib.Path(folder, f"{index}.tlog-proof").write_text(text + "\n" + now.serialize())

    old.verify(key)
    proof = reader.get_consistency_proof(old.size, now.size)
    proof.check(old.root_hash, now.root_hash)
    refused("another history", lambda: proof.check(bytes(32), now.root_hash))

    seen = tlog.Checkpoint.from_text(pathlib.Path(cosigned).read_text())
    witness = signing.Vkey.from_string(witness_key)
    seen.verify(witness)
    other = tlog.Checkpoint(seen.origin, seen.size + 1, seen.root_hash, seen.signatures)
    refused("a cosignature over another size", lambda: other.verify(witness))
    tiles_read = sorted({name for name in door.asked if name.startswith("tile/")})
    print(json.dumps({"size": now.size, "old": old.size, "tiles": tiles_read}))


def write(seed, origin, leaves, folder):
    signer = signing.PlainEd25519Signer(origin, bytes.fromhex(seed))
    log = TilesWriter.create(pathlib.Path(folder), origin)
    half = int(leaves) // 2
    for part in (range(half), range(half, int(leaves))):
        for i in part:
            log.add_leaf(b"leaf %d" % i)
        log.commit([signer], gc=False)
    print(json.dumps({"key": signer.vkey.serialize(), "size": log.size}))


{"read": read, "write": write}[sys.argv[1]](*sys.argv[2:])
