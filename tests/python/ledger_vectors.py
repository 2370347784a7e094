#!/usr/bin/env python3
"""Checks ledger/vectors/*.json with nothing but docs/ledger-format.md and the standard library.

Usage: ledger_vectors.py [FOLDER]. Prints each difference; exit code 1 if there is one.
"""

import base64
import hashlib
import json
import pathlib
import sys

failures = 0


def same(what, computed, frozen):
    global failures
    if computed != frozen:
        failures += 1
        print(f"{what}:\n  computed {computed}\n  frozen   {frozen}")


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def pad32(tag):
    return tag.encode("ascii").ljust(32, b"\0")


# --- section 2: trees, straight from RFC 6962 section 2.1

def leaf_hash(leaf):
    return sha(b"\0", leaf)


def node_hash(left, right):
    return sha(b"\1", left, right)


def split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def root(hashes):
    if not hashes:
        return sha()
    if len(hashes) == 1:
        return hashes[0]
    k = split(len(hashes))
    return node_hash(root(hashes[:k]), root(hashes[k:]))


def inclusion(m, hashes):
    if len(hashes) == 1:
        return []
    k = split(len(hashes))
    if m < k:
        return inclusion(m, hashes[:k]) + [root(hashes[k:])]
    return inclusion(m - k, hashes[k:]) + [root(hashes[:k])]


def consistency(m, hashes, whole=True):
    if m == len(hashes):
        return [] if whole else [root(hashes)]
    k = split(len(hashes))
    if m <= k:
        return consistency(m, hashes[:k], whole) + [root(hashes[k:])]
    return consistency(m - k, hashes[k:], False) + [root(hashes[:k])]


def root_from_inclusion(leaf, index, size, proof):
    """RFC 9162 section 2.1.3.2."""
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            r = node_hash(r, p)
        fn >>= 1
        sn >>= 1
    return r if sn == 0 else None


def roots_from_consistency(old, new, old_root, proof):
    """RFC 9162 section 2.1.4.2, for old < new."""
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            sr = node_hash(sr, c)
        fn >>= 1
        sn >>= 1
    return (fr, sr) if sn == 0 else None


def tile_path(level, n, width):
    digits = f"{n % 1000:03}"
    n //= 1000
    while n:
        digits = f"x{n % 1000:03}/{digits}"
        n //= 1000
    return f"tile/{level}/{digits}" + (f".p/{width}" if width < 256 else "")


def check_trees(v):
    leaves = [bytes.fromhex(leaf) for leaf in v["leaves"]]
    hashes = [leaf_hash(leaf) for leaf in leaves]
    same("leaf hashes", [h.hex() for h in hashes], v["leaf_hashes"])
    roots = [root(hashes[:n]) for n in range(len(hashes) + 1)]
    same("roots", [h.hex() for h in roots], v["roots"])
    for case in v["inclusion"]:
        index, size = case["index"], case["size"]
        proof = inclusion(index, hashes[:size])
        same(f"inclusion {index} in {size}", [h.hex() for h in proof], case["proof"])
        same("its root", root_from_inclusion(hashes[index], index, size, proof), roots[size])
    for case in v["consistency"]:
        old, new = case["old"], case["new"]
        proof = consistency(old, hashes[:new])
        same(f"consistency {old} to {new}", [h.hex() for h in proof], case["proof"])
        if old < new:
            same("its roots", roots_from_consistency(old, new, roots[old], proof), (roots[old], roots[new]))
    for level, n, width, path in v["tile_paths"]:
        same("tile path", tile_path(level, n, width), path)


# --- section 1: fields

def uint(width, value):
    return int(value).to_bytes(width // 8, "big")


def opaque(width, data):
    return uint(width, len(data)) + data


FIELD = {
    "u8": lambda v: uint(8, v),
    "u16": lambda v: uint(16, v),
    "u32": lambda v: uint(32, v),
    "u64": lambda v: uint(64, v),
    "bytes": bytes.fromhex,
    "head": lambda v: uint(64, v[0]) + bytes.fromhex(v[1]),
    "text8": lambda v: opaque(8, v.encode()),
    "text16": lambda v: opaque(16, v.encode()),
    "opaque16": lambda v: opaque(16, bytes.fromhex(v)),
}


def fields(shape, values):
    names = shape.split()
    assert len(names) == len(values), (shape, values)
    return b"".join(FIELD[name](value) for name, value in zip(names, values))


# --- sections 3 and 4

def record_leaf(index, received, flags, commitment):
    return fields("u8 u8 u64 u64 u32 bytes", [1, 1, index, received, flags, commitment])


def check_record_leaves(v):
    for case in v["leaves"]:
        leaf = record_leaf(case["index"], case["received_unix_ns"], case["flags"], case["commitment"])
        same("record leaf", leaf.hex(), case["bytes"])
        same("its length", len(leaf), 54)
        same("its hash", leaf_hash(leaf).hex(), case["hash"])
    s = v["stream"]
    stream = sha(pad32("recount/stream/v1"), bytes.fromhex(s["ledger_id"]), bytes.fromhex(s["nonce"]))
    same("stream id", stream.hex(), s["stream_id"])


# --- section 6: kind -> name, body before the commitment, private part (None: the kind has none)

CONTROL = {
    1: ("genesis", "bytes bytes text16 bytes head", None),
    2: ("incarnation", "bytes head head", "text16 text16 text16"),
    3: ("stream_open", "bytes bytes", "text16 u8 text16 u8 text16"),
    4: ("stream_head", "bytes head u64", None),
    5: ("stream_close", "bytes head u64 u8 u64", None),
    6: ("session_link", "bytes", "text16 u8 u64"),
    7: ("request_binding", "bytes", "text16 u8 u64"),
    8: ("refused_payload", "", "u8 text16 bytes u64 text16"),
    9: ("epoch_seal", "u64 head bytes bytes bytes", None),
    10: ("erasure", "bytes u64 u64 u8", "text16 text16"),
    11: ("prune", "bytes head", "text16 text16"),
    12: ("anchor_receipt", "head u8", "text16 opaque16"),
    13: ("beacon", "u8 opaque16", None),
    14: ("startup", "u8 bytes bytes u64 u64 bytes text8", None),
    15: ("shutdown", "bytes u64 u8", None),
    16: ("gap", "bytes", "text16 text16 u64 u64 u8"),
    17: ("config_change", "bytes", "text16 text16 text16 text16"),
    18: ("heartbeat", "bytes u64 u64 u64", None),
    19: ("clock_step", "u64 u64 u64", None),
    20: ("conflict", "u8 bytes", "text16 bytes bytes"),
}


def check_control_leaves(cases):
    same("kinds", [case["kind"] for case in cases], sorted(CONTROL))
    for case in cases:
        name, shape, private_shape = CONTROL[case["kind"]]
        same("name", name, case["name"])
        leaf = fields("u8 u8 u64 u64", [1, case["kind"], case["index"], case["unix_ns"]])
        leaf += fields(shape, case["fields"])
        if private_shape is not None:
            private = b"\1" + fields(private_shape, case["private"]["fields"])
            same(f"private part of {name}", private.hex(), case["private"]["bytes"])
            leaf += sha(pad32("recount/control/v1"), bytes.fromhex(case["private"]["salt"]), private)
        same(name, leaf.hex(), case["bytes"])
        same(f"hash of {name}", leaf_hash(leaf).hex(), case["hash"])


# --- sections 5 and 10

def check_envelopes(v):
    c = v["collector"]
    part = b"\1" + bytes(c["codes"]) + b"".join(opaque(16, text.encode()) for text in c["texts"])
    part += uint(16, len(c["masks"]))
    for mask in c["masks"]:
        part += fields("u8 u32 u32 text8", mask)
    part += opaque(16, b"")
    same("collector part", part.hex(), c["bytes"])
    for case in v["envelopes"]:
        parts = [bytes.fromhex(p) for p in case["parts"]]
        same("collector part of the envelope", parts[0].hex(), c["bytes"])
        envelope = bytes([1, case["encoding"], case["signal"]]) + b"".join(opaque(32, p) for p in parts)
        same("envelope", envelope.hex(), case["bytes"])
        commitment = sha(pad32("recount/record/v1"), bytes.fromhex(case["salt"]), envelope)
        same("commitment", commitment.hex(), case["commitment"])
    check_segment(v["envelopes"], v["segment"])


def check_segment(envelopes, segment):
    parts, heads, records = [], [], b""
    for number in segment["records"]:
        if number is None:
            records += uint(32, 0) + b"\xff" * 4
            continue
        envelope = envelopes[number]
        *repeated, item = [bytes.fromhex(p) for p in envelope["parts"]]
        for part in repeated:
            if part not in parts:
                parts.append(part)
        head = bytes([envelope["encoding"], envelope["signal"]])
        head += b"".join(uint(32, parts.index(part)) for part in repeated)
        if head not in heads:
            heads.append(head)
        records += uint(32, heads.index(head)) + opaque(32, item)
    plain = b"\1" + uint(32, len(parts)) + b"".join(opaque(32, part) for part in parts)
    plain += uint(32, len(heads)) + b"".join(heads) + uint(32, len(segment["records"])) + records
    same("segment", plain.hex(), segment["plain"])


# --- section 7: Ed25519 after RFC 8032 section 6

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
I = pow(2, (P - 1) // 4, P)


def point_add(a, b):
    x = (a[1] - a[0]) * (b[1] - b[0]) % P
    y = (a[1] + a[0]) * (b[1] + b[0]) % P
    t = 2 * a[3] * b[3] * D % P
    z = 2 * a[2] * b[2] % P
    e, f, g, h = y - x, z - t, z + t, y + x
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def point_mul(s, a):
    out = (0, 1, 1, 0)
    while s > 0:
        if s & 1:
            out = point_add(out, a)
        a = point_add(a, a)
        s >>= 1
    return out


def recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * I % P
    if (x * x - x2) % P:
        return None
    return P - x if (x & 1) != sign else x


BY = 4 * pow(5, P - 2, P) % P
BX = recover_x(BY, 0)
BASE = (BX, BY, 1, BX * BY % P)


def compress(a):
    inverse = pow(a[2], P - 2, P)
    x, y = a[0] * inverse % P, a[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decompress(data):
    y = int.from_bytes(data, "little")
    sign = y >> 255
    y &= (1 << 255) - 1
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def expand(seed):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little")
    return a & ((1 << 254) - 8) | 1 << 254, h[32:]


def public(seed):
    return compress(point_mul(expand(seed)[0], BASE))


def scalar(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def sign(seed, message):
    a, prefix = expand(seed)
    key = compress(point_mul(a, BASE))
    r = scalar(prefix, message)
    point = compress(point_mul(r, BASE))
    s = (r + scalar(point, key, message) * a) % L
    return point + s.to_bytes(32, "little")


def verify(key, message, signature):
    a, r = decompress(key), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    left = point_mul(s, BASE)
    right = point_add(r, point_mul(scalar(signature[:32], key, message), a))
    return compress(left) == compress(right)


def key_id(name, key):
    return sha(name.encode(), b"\n\1", key)[:4]


# --- sections 7, 8 and 11

def check_notes(v):
    seed, name = bytes.fromhex(v["seed"]), v["name"]
    key = public(seed)
    same("public key", key.hex(), v["public"])
    ident = key_id(name, key)
    encoded = base64.b64encode(b"\1" + key).decode()
    same("vkey", f"{name}+{ident.hex()}+{encoded}", v["vkey"])
    text = "{}\n{}\n{}\n".format(name, v["size"], base64.b64encode(bytes.fromhex(v["root"])).decode())
    same("checkpoint text", text, v["text"])
    signature = sign(seed, text.encode())
    note = text + "\n\u2014 " + name + " " + base64.b64encode(ident + signature).decode() + "\n"
    same("note", note, v["note"])
    frozen = base64.b64decode(v["note"].rstrip("\n").rsplit(" ", 1)[1])
    same("signature verifies", verify(key, v["text"].encode(), frozen[4:]), True)
    same("another text does not", verify(key, v["text"].encode() + b"x", frozen[4:]), False)
    check_proof(v)
    a = v["acked"]
    slot = b"recount/acked/1\0" + fields("u64 u64 bytes", [a["commit"], a["size"], a["root"]]) + bytes(32)
    same("acked slot", (slot + sha(slot)).hex(), a["slot"])
    same("its length", len(slot) + 32, 128)
    message = pad32("recount/epoch/v1") + leaf_hash(b"a ledger")
    message += fields("u8 u8 u64 u64 u64 head bytes bytes",
                      [1, 9, 9, 1, 0, [9, leaf_hash(uint(64, 9)).hex()], "66" * 32, "00" * 32])
    same("epoch seal message", message.hex(), v["epoch_seal_message"])
    same("epoch seal signature", sign(seed, message).hex(), v["epoch_seal_signature"])


CT = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]


def check_proof(v):
    hashes = [leaf_hash(bytes.fromhex(leaf)) for leaf in CT]
    index = v["proof"]["index"]
    proof = inclusion(index, hashes[:v["size"]])
    lines = "".join(base64.b64encode(h).decode() + "\n" for h in proof)
    same("tlog-proof", f"c2sp.org/tlog-proof@v1\nindex {index}\n{lines}\n{v['note']}", v["proof"]["text"])
    same("root of the proof", root_from_inclusion(hashes[index], index, v["size"], proof).hex(), v["root"])


def check_producers(v):
    last = bytes(32)
    for number, case in enumerate(v["links"]):
        item = sha(bytes.fromhex(case["item"]))
        last = sha(pad32("recount/producer/v1"), last, uint(64, number), item)
        same("link", last.hex(), case["link"])
    seed = bytes.fromhex(v["seed"])
    same("agent key", public(seed).hex(), v["key"])
    for case in v["signatures"]:
        message = pad32("recount/producer-sig/v1") + bytes.fromhex(v["producer"]) + bytes.fromhex(v["run"])
        message += uint(64, v["number"]) + last + opaque(16, case["session"].encode())
        same("producer signature message", message.hex(), case["message"])
        same("producer signature", sign(seed, message).hex(), case["signature"])


CHECKS = {
    "trees.json": check_trees,
    "record_leaves.json": check_record_leaves,
    "control_leaves.json": check_control_leaves,
    "envelopes.json": check_envelopes,
    "notes.json": check_notes,
    "producers.json": check_producers,
}


def main():
    default = pathlib.Path(__file__).resolve().parents[2] / "ledger" / "vectors"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    same("files", sorted(path.name for path in folder.glob("*.json")), sorted(CHECKS))
    for name, check in CHECKS.items():
        check(json.loads((folder / name).read_text(encoding="utf-8")))
    print("differences" if failures else "every vector agrees", failures or "")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
