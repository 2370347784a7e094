#!/usr/bin/env python3
"""Checks a recount bundle with nothing but docs/ledger-format.md and the standard library.

Usage: python3 -I verify_bundle.py [--key KEY] [--known-checkpoint FILE] BUNDLE
       python3 -I verify_bundle.py --stdin       one check after the other, for tests

One line per property. Exit codes: 0 intact, 2 not a bundle, 3 not intact, 6 incomplete.
Not checked here: policies (exit 7), the account (it is derived; recount computes it again) and RFC 3161 tokens.
"""

import base64
import hashlib
import re
import sys
import unicodedata

README = "ac1abd9d85e90875eb4173ac0fafe48b57f6b1bc6ffc5a03c1613467a6b323b7"
NAMES = ["README.txt", "SHA256SUMS", "account.json", "bundle.txt", "checkpoint", "ledger"]
NONE = 2**64 - 1
MAX_SIGNATURES = 32


class NotABundle(Exception):
    """Verdict 2."""


class Wrong(Exception):
    """Something that does not hold: verdict 3."""


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def pad32(tag):
    return tag.encode("ascii").ljust(32, b"\0")


# --- Ed25519 (RFC 8032), strict: canonical encodings only, no point of small order

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)


def point_add(a, b):
    x = (a[1] - a[0]) * (b[1] - b[0]) % P
    y = (a[1] + a[0]) * (b[1] + b[0]) % P
    t = 2 * a[3] * b[3] * D % P
    z = 2 * a[2] * b[2] % P
    e, f, g, h = y - x, z - t, z + t, y + x
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def point_mul(s, a):
    out = IDENTITY
    while s > 0:
        if s & 1:
            out = point_add(out, a)
        a = point_add(a, a)
        s >>= 1
    return out


def decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else (0, y, 1, 0)
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT % P
    if (x * x - x2) % P:
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def compress(a):
    inverse = pow(a[2], P - 2, P)
    x, y = a[0] * inverse % P, a[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def is_small(a):
    x, y, z, _ = point_mul(8, a)
    return x % P == 0 and (y - z) % P == 0


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_key(key):
    point = decompress(key)
    return point is not None and not is_small(point)


def verifies_once(key, message, signature):
    point, r = decompress(key), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or point is None or r is None or s >= L or is_small(point) or is_small(r):
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    minus = ((P - point[0]) % P, point[1], point[2], (P - point[3]) % P)
    return compress(point_add(point_mul(s, BASE), point_mul(k, minus))) == signature[:32]


REMEMBERED = {}


def verifies(key, message, signature):
    asked = sha(key, signature, message)
    if asked not in REMEMBERED:
        if len(REMEMBERED) > 10_000:
            REMEMBERED.clear()
        REMEMBERED[asked] = verifies_once(key, message, signature)
    return REMEMBERED[asked]


# --- section 7: notes and checkpoints

def is_name(name):
    return name != "" and not any(c == "+" or c.isspace() or unicodedata.category(c) == "Cc" for c in name)


def unbase64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return data if base64.b64encode(data).decode() == text else None


def key_id(name, kind, key):
    return sha(name.encode(), b"\n", bytes([kind]), key)[:4]


def parse_vkey(vkey, kind=1):
    parts = vkey.split("+", 2)
    key = unbase64(parts[2]) if len(parts) == 3 else None
    if key is None or len(key) != 33 or key[0] != kind or not is_name(parts[0]) or not is_key(key[1:]):
        raise Wrong(f"{vkey!r} is not a verifier key of type {kind}")
    if key_id(parts[0], kind, key[1:]).hex() != parts[1]:
        raise Wrong(f"the id in {vkey!r} is another key's")
    return parts[0], key[1:]


def vkey_of(name, key):
    return f"{name}+{key_id(name, 1, key).hex()}+{base64.b64encode(bytes([1]) + key).decode()}"


def parse_note(data):
    """Text, and signature lines as (name, key id, signature)."""
    if len(data) > 1 << 20:
        raise Wrong("the note is longer than a mebibyte")
    try:
        note = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Wrong("the note is not UTF-8")
    at = note.rfind("\n\n")
    if not note.endswith("\n") or any(c != "\n" and unicodedata.category(c) == "Cc" for c in note) or at < 0:
        raise Wrong("not a note")
    lines = note[at + 2:].split("\n")
    if len(lines) < 2 or len(lines) - 1 > MAX_SIGNATURES:
        raise Wrong("a note has 1 to 32 signatures")
    return note[:at + 1], [parse_signature(line) for line in lines[:-1]]


def parse_signature(line):
    name, _, encoded = line[2:].partition(" ")
    data = unbase64(encoded)
    if not line.startswith("\u2014 ") or not is_name(name) or data is None or len(data) <= 4:
        raise Wrong("not a signature line")
    return name, data[:4], data[4:]


def open_line(data, name, key):
    """The text of a note that the key signed."""
    text, signatures = parse_note(data)
    if key is None:
        raise Wrong("there is no key")
    own = [s for n, i, s in signatures if n == name and i == key_id(name, 1, key)]
    if not own:
        raise Wrong(f"no signature by {name}")
    if not all(len(s) == 64 and verifies(key, text.encode(), s) for s in own):
        raise Wrong(f"the signature by {name} does not verify")
    return text


def open_checkpoint(data, name, key):
    """Size and root that the key signed."""
    text = open_line(data, name, key)
    origin, size, root = parse_checkpoint(text)
    if origin != name:
        raise Wrong("the origin is not the name of the key")
    return size, root


def parse_checkpoint(text):
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] != "" or not is_name(lines[0]):
        raise Wrong("a checkpoint has three lines")
    root = unbase64(lines[2])
    if not re.fullmatch("0|[1-9][0-9]{0,19}", lines[1], re.ASCII) or int(lines[1]) > NONE:
        raise Wrong("the size is not a decimal number")
    if root is None or len(root) != 32:
        raise Wrong("the root is not 32 bytes in base64")
    return lines[0], int(lines[1]), root


def cosigned(name, key, text, signature):
    """The time of a witness's cosignature that holds."""
    time = int.from_bytes(signature[:8], "big")
    message = f"cosignature/v1\ntime {time}\n{text}".encode()
    if len(signature) != 72 or time >= 2**63 or not verifies(key, message, signature[8:]):
        raise Wrong(f"the cosignature by {name} does not verify")
    return time


# --- section 13: the archive

def header(name, size):
    block = bytearray(512)
    fields = [(0, b"recount-bundle/" + name), (100, b"0000644"), (108, b"0000000"), (116, b"0000000"),
              (124, b"%011o" % size), (136, b"0" * 11), (148, b" " * 8), (156, b"0"), (257, b"ustar\x0000"),
              (329, b"0000000"), (337, b"0000000")]
    for at, field in fields:
        block[at:at + len(field)] = field
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def unpack(data):
    files, at = [], 0
    while True:
        block = data[at:at + 512]
        if block == bytes(512):
            if data[at:] != bytes(1024):
                raise NotABundle(f"it does not end with two empty blocks at byte {at}")
            break
        digits = block[124:135]
        if len(block) < 512 or not re.fullmatch(b"[0-7]{11}", digits):
            raise NotABundle(f"the file header at byte {at} is another one")
        name, size = block[15:100].split(b"\0")[0], int(digits, 8)
        if header(name, size) != block:
            raise NotABundle(f"the file header at byte {at} is another one")
        end = at + 512 + size
        at = -(-end // 512) * 512
        if at > len(data) or any(data[end:at]):
            raise NotABundle(f"{name!r} breaks off, or something lies behind it")
        files.append((name.decode("latin-1"), data[end - size:end]))
    streams = [name for name, _ in files if name.startswith("streams/")]
    fixed = [name for name in NAMES if name != "account.json" or name in [n for n, _ in files]]
    if [name for name, _ in files] != fixed + sorted(set(streams)) or not 1 <= len(streams) <= 65536:
        raise NotABundle("files are missing, unknown, twice or out of order")
    if not all(re.fullmatch("streams/[0-9a-f]{64}", name) for name in streams):
        raise NotABundle("a stream has an impossible name")
    return dict(files)


def wrong_digests(files):
    lines = files["SHA256SUMS"].split(b"\n")
    names = [name for name in files if name != "SHA256SUMS"]
    if len(lines) != len(names) + 1 or lines[-1] != b"":
        raise NotABundle("SHA256SUMS does not name every file once")
    wrong = []
    for line, name in zip(lines, names):
        if not re.fullmatch(b"[0-9a-f]{64}  " + re.escape(name.encode()), line):
            raise NotABundle(f"SHA256SUMS does not name {name}")
        if line[:64] != sha(files[name]).hex().encode():
            wrong.append(name)
    return wrong


class Fields:
    """Reads fields off the front of bytes; `error` is raised where they end too early."""

    def __init__(self, data, error):
        self.data, self.at, self.error = data, 0, error

    def take(self, count):
        if count > len(self.data) - self.at:
            raise self.error("bytes end inside a field")
        self.at += count
        return self.data[self.at - count:self.at]

    def uint(self, width):
        return int.from_bytes(self.take(width // 8), "big")

    def opaque(self, width):
        return self.take(self.uint(width))

    def text(self, width):
        try:
            return self.opaque(width).decode("utf-8")
        except UnicodeDecodeError:
            raise self.error("text that is not UTF-8")

    def end(self):
        if self.at != len(self.data):
            raise self.error("bytes follow the last field")

    def shape(self, shape):
        out = []
        for name in shape.split():
            if name.startswith("text"):
                out.append(self.text(int(name[4:])))
            elif name.startswith("opaque"):
                out.append(self.opaque(int(name[6:])))
            elif name.startswith("u"):
                out.append(self.uint(int(name[1:])))
            elif name == "head":
                out.append((self.uint(64), self.take(32)))
            else:
                out.append(self.take(int(name)))
        return out


def read_said(data):
    try:
        match = re.fullmatch("recount\\.bundle/1\nrelease ([0-9A-Za-z.+-]{1,64})\nquery ([^\n]+)\n",
                             data.decode("utf-8"))
    except UnicodeDecodeError:
        match = None
    if not match or len(match[2].encode()) > 1024 or any(unicodedata.category(c) == "Cc" for c in match[2]):
        raise NotABundle("bundle.txt does not have its three lines")
    return match[1], match[2]


def read_ledger(data):
    """Carried leaves as (index, leaf, private part or None), and the hashes."""
    fields, leaves = Fields(data, NotABundle), []
    if fields.uint(8) != 1:
        raise NotABundle("another version of ledger")
    for _ in range(fields.uint(64)):
        index, leaf, private = fields.uint(64), fields.opaque(32), fields.uint(8)
        if leaves and index <= leaves[-1][0] or private > 1:
            raise NotABundle("carried leaves are out of order")
        leaves.append((index, leaf, (fields.take(32), fields.opaque(32)) if private else None))
    rest = data[fields.at:]
    if len(rest) % 32:
        raise NotABundle("half a hash")
    return leaves, [rest[i:i + 32] for i in range(0, len(rest), 32)]


def read_stream(data):
    """Records: None, or (leaf, None), or (leaf, (salt, envelope))."""
    fields, records = Fields(data, NotABundle), []
    if fields.uint(8) != 1:
        raise NotABundle("another version of a stream")
    for _ in range(fields.uint(64)):
        state = fields.uint(8)
        if state == 0:
            records.append(None)
        elif state == 1:
            records.append((fields.take(54), (fields.take(32), fields.opaque(32))))
        elif state == 2:
            records.append((fields.take(54), None))
        else:
            raise NotABundle("a record with another state")
    fields.end()
    return records


# --- section 2: trees

def leaf_hash(leaf):
    return sha(b"\0", leaf)


def node_hash(left, right):
    return sha(b"\1", left, right)


def fold(roots):
    """The root over complete subtrees, largest first."""
    if not roots:
        return sha()
    out = roots[-1]
    for left in reversed(roots[:-1]):
        out = node_hash(left, out)
    return out


class Frontier:
    def __init__(self):
        self.size, self.roots = 0, []

    def append(self, value):
        size = self.size
        while size & 1:
            value = node_hash(self.roots.pop(), value)
            size >>= 1
        self.roots.append(value)
        self.size += 1

    def root(self):
        return fold(self.roots)


class Excerpt:
    """Some leaves of a tree and the hashes of all subtrees without one (section 13)."""

    def __init__(self, size, leaves, hashes):
        self.size, self.nodes = size, {}
        self.leaves, self.hashes = list(reversed(leaves)), list(reversed(hashes))
        try:
            roots = [self.subtree(level, index) for level, index in subtrees(size)]
        except IndexError:
            raise Wrong("there are fewer hashes than the tree needs")
        if self.leaves or self.hashes:
            raise Wrong("there are more leaves or hashes than the tree has")
        self.root = fold(roots)

    def subtree(self, level, index):
        last = (index << level) + (1 << level) - 1
        if not self.leaves or self.leaves[-1][0] > last:
            value = self.hashes.pop()
        elif level == 0:
            value = self.leaves.pop()[1]
        else:
            value = node_hash(self.subtree(level - 1, 2 * index), self.subtree(level - 1, 2 * index + 1))
        self.nodes[level, index] = value
        return value

    def root_at(self, size):
        """The root over the first leaves, or None if the hashes do not give it."""
        roots = [self.node(level, index) for level, index in subtrees(size)]
        return None if size > self.size or None in roots else fold(roots)

    def node(self, level, index):
        known = self.nodes.get((level, index))
        if known is not None or level == 0:
            return known
        left = self.node(level - 1, 2 * index)
        right = self.node(level - 1, 2 * index + 1) if left is not None else None
        return node_hash(left, right) if right is not None else None


def subtrees(size):
    at = 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            yield level, at >> level
            at += 1 << level


# --- section 6: kind -> name, body before the commitment, private part (None: the kind has none)

CONTROL = {
    1: ("genesis", "32 32 text16 32 head", None),
    2: ("incarnation", "32 head head", "text16 text16 text16"),
    3: ("stream_open", "32 16", "text16 u8 text16 u8 text16"),
    4: ("stream_head", "32 head u64", None),
    5: ("stream_close", "32 head u64 u8 u64", None),
    6: ("session_link", "32", "text16 u8 u64"),
    7: ("request_binding", "32", "text16 u8 u64"),
    8: ("refused_payload", "", "u8 text16 32 u64 text16"),
    9: ("epoch_seal", "u64 head 32 32 64", None),
    10: ("erasure", "32 u64 u64 u8", "text16 text16"),
    11: ("prune", "32 head", "text16 text16"),
    12: ("anchor_receipt", "head u8", "text16 opaque16"),
    13: ("beacon", "u8 opaque16", None),
    14: ("startup", "u8 16 16 u64 u64 32 text8", None),
    15: ("shutdown", "16 u64 u8", None),
    16: ("gap", "32", "text16 text16 u64 u64 u8"),
    17: ("config_change", "32", "text16 text16 text16 text16"),
    18: ("heartbeat", "16 u64 u64 u64", None),
    19: ("clock_step", "u64 u64 u64", None),
    20: ("conflict", "u8 32", "text16 32 32"),
}
OF_A_STREAM = {3, 4, 5, 6, 7, 10, 11, 16}


class Control:
    """A control leaf and its private part, read and compared with the commitment."""

    def __init__(self, index, leaf, private):
        fields = Fields(leaf, Wrong)
        version, self.kind = fields.uint(8), fields.uint(8)
        self.index, self.unix_ns = fields.uint(64), fields.uint(64)
        if version != 1 or self.kind not in CONTROL:
            raise Wrong("a leaf of another version or kind")
        self.name, shape, private_shape = CONTROL[self.kind]
        self.body = fields.shape(shape)
        commitment = fields.take(32) if private_shape is not None else None
        fields.end()
        if self.index != index:
            raise Wrong(f"it says that it is leaf {self.index}")
        self.leaf, self.private = leaf, None
        self.bare = commitment is not None and private is None
        self.stream = self.body[0] if self.kind in OF_A_STREAM else None
        if self.kind == 20 and self.body[1] != bytes(32):
            self.stream = self.body[1]
        if private is None:
            return
        if commitment is None:
            raise Wrong(f"{self.name} has no private part, but one is there")
        if sha(pad32("recount/control/v1"), *private) != commitment:
            raise Wrong(f"the private part of {self.name} does not open its commitment")
        fields = Fields(private[1], Wrong)
        if fields.uint(8) != 1:
            raise Wrong("a private part of another version")
        self.private = fields.shape(private_shape)
        fields.end()


# --- section 15: marks of producers

WINDOW = 65_536
CODES = [range(1, 9), range(0, 5), range(1, 4), range(1, 5), range(0, 5)]
MARKS = ["recount.chain", "recount.seq", "session.id", "recount.signature", "recount.signature.key",
         "recount.signature.seq"]


class NoMarks(Exception):
    """The record carries no marks of a producer."""


def wire_fields(data):
    """The fields of a protobuf message: (number, wire type, value)."""
    out, at = [], 0

    def varint():
        nonlocal at
        value = 0
        for shift in range(0, 64, 7):
            if at >= len(data) or shift == 63 and data[at] > 1:
                raise NoMarks
            byte, at = data[at], at + 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise NoMarks

    while at < len(data):
        tag = varint()
        number, kind, value = tag >> 3, tag & 7, None
        if number == 0 or kind not in (0, 1, 2, 5):
            raise NoMarks
        if kind == 0:
            value = varint()
        else:
            length = {1: 8, 5: 4}.get(kind)
            length = varint() if length is None else length
            if length > len(data) - at:
                raise NoMarks
            value, at = data[at:at + length], at + length
        out.append((number, kind, value))
    return out


def any_value(data):
    fields = wire_fields(data)
    if len(fields) > 1:
        raise NoMarks
    return (fields[0][0], fields[0][2]) if fields and fields[0][:2] in ((1, 2), (3, 0), (7, 2)) else (0, None)


def attributes(message, field, names):
    """The first value under each name, as (field of AnyValue, value)."""
    found = {}
    for number, kind, pair in wire_fields(message):
        if number != field:
            continue
        if kind != 2:
            raise NoMarks
        parts = {}
        for number, kind, value in wire_fields(pair):
            if number in (1, 2):
                if kind != 2 or number in parts:
                    raise NoMarks
                parts[number] = value
        name = parts.get(1, b"").decode("latin-1")
        if name in names and name not in found:
            found[name] = any_value(parts.get(2, b""))
    return found


def typed(found, name, kind):
    value = found.get(name, (0, None))
    return value[1] if value[0] == kind else None


def numbered(found, name):
    value = typed(found, name, 3)
    return value if value is not None and value < 2**63 else None


def uuid(found, name):
    digits = (typed(found, name, 1) or b"").replace(b"-", b"")
    if not re.fullmatch(b"[0-9a-fA-F]{32}", digits):
        raise NoMarks
    return bytes.fromhex(digits.decode())


class Mark:
    """What a producer wrote on one record; raises NoMarks where it wrote nothing."""

    def __init__(self, envelope):
        fields = Fields(envelope, NoMarks)
        _, encoding, signal = fields.uint(8), fields.uint(8), fields.uint(8)
        if (encoding, signal) != (1, 1):
            raise NoMarks
        collector, resource, _, _, _, item = [fields.opaque(32) for _ in range(6)]
        found = attributes(item, 6, MARKS)
        self.link, self.number = typed(found, MARKS[0], 7), numbered(found, MARKS[1])
        if self.link is None or len(self.link) != 32 or self.number is None or not item.endswith(self.link):
            raise NoMarks
        part = Fields(collector, NoMarks)
        version, *codes = part.shape("u8 u8 u8 u8 u8 u8")
        if version != 1 or not all(code in known for code, known in zip(codes, CODES)):
            raise NoMarks
        _, known_as, _, masks = part.shape("text16 text16 text16 u16")
        masked = [part.shape("u8 u32 u32 text8")[0] for _ in range(masks)]
        self.enrolled = enrolled_key(part.opaque(16))
        part.end()
        if not all(1 <= mask <= 5 for mask in masked):
            raise NoMarks
        process = attributes(resource, 1, ["recount.producer", "recount.run"])
        self.run = (known_as, uuid(process, "recount.producer"), uuid(process, "recount.run"))
        self.item = None if 5 in masked else sha(item[:-32], bytes(32))
        self.signature = typed(found, MARKS[3], 7)
        self.session, self.key = typed(found, MARKS[2], 1), typed(found, MARKS[4], 7)
        self.signed = numbered(found, MARKS[5])

    def is_signature(self):
        try:
            (self.session or b"").decode("utf-8")
        except UnicodeDecodeError:
            return False
        return (len(self.signature) == 64 and self.key is not None and len(self.key) == 32
                and self.signed is not None and self.session is not None)


def enrolled_key(data):
    """Section 5: the key in `ext`, if that comes out even up to it."""
    ext = Fields(data, NoMarks)
    try:
        while ext.at < len(data):
            kind, value = ext.uint(8), ext.opaque(16)
            if kind == 1:
                return value if len(value) == 32 else None
    except NoMarks:
        pass
    return None


def signs(mark, link):
    length = min(len(mark.session), 65535).to_bytes(2, "big")
    message = (pad32("recount/producer-sig/v1") + mark.run[1] + mark.run[2] + mark.signed.to_bytes(8, "big")
               + link + length + mark.session)
    return verifies(mark.key, message, mark.signature)


def next_link(before, number, item):
    return sha(pad32("recount/producer/v1"), before, number.to_bytes(8, "big"), item)


class Producers:
    """The chains of all runs, and how far signatures reach along them."""

    def __init__(self):
        self.runs, self.wrong = {}, []
        self.records = self.carriers = 0

    def stream(self, name, envelopes):
        """The records of one stream, in order: (index, envelope or None)."""
        links, order = {}, []
        for index, envelope in envelopes:
            self.records += 1
            try:
                mark = Mark(envelope) if envelope is not None else None
            except NoMarks:
                mark = None
            if mark is None:
                continue
            if mark.signature is not None:
                self.carriers += 1
                if mark.item is not None:
                    self.signature(f"{name} record {index}", mark, links)
            run = self.runs.setdefault(mark.run, ({}, []))[0]
            if mark.number not in run:
                run[mark.number] = mark
                links[mark.run, mark.number] = mark.link
                order.append((mark.run, mark.number))
                if len(order) > WINDOW:
                    links.pop(order[-WINDOW - 1])

    def signature(self, where, mark, links):
        if not mark.is_signature():
            return self.wrong.append(f"{where}: its signature is none")
        link = links.get((mark.run, mark.signed))
        if link is None:
            return None
        if not signs(mark, link):
            return self.wrong.append(f"{where}: the signature by key {mark.key.hex()[:16]} does not hold for "
                                     f"number {mark.signed}")
        return self.runs[mark.run][1].append((mark.signed, mark.key, mark.key == mark.enrolled))

    def finish(self):
        """Records that are covered, those by an enrolled key, and the keys."""
        covered, enrolled, keys = 0, 0, set()
        for (_, _, run), (marks, signed) in self.runs.items():
            keys |= {key for _, key, _ in signed}
            reach = since = vouched = waiting = 0
            owned = {number for number, _, is_enrolled in signed if is_enrolled}
            ends = {number for number, _, _ in signed}
            for number in sorted(marks):
                mark = marks[number]
                front = marks.get(number - 1)
                link = bytes(32) if number == 0 else front.link if front else None
                follows = None
                if mark.item is not None and link is not None:
                    follows = next_link(link, number, mark.item) == mark.link
                    if not follows:
                        self.wrong.append(f"number {number} of run {run.hex()} does not follow from the one before it")
                if number == 0 or not follows:
                    # Another stretch begins; what its first record is over is not known unless it is number 0.
                    since = waiting = int(bool(follows) and mark.signature is None)
                elif mark.signature is None:
                    since, waiting = since + 1, waiting + 1
                if number in ends:
                    reach, since = reach + since, 0
                if number in owned:
                    vouched, waiting = vouched + waiting, 0
            covered, enrolled = covered + reach, enrolled + vouched
        return covered, enrolled, keys


# --- the check

class Check:
    def __init__(self, files, vkey=None, known=None):
        self.files, self.lines, self.wrong, self.open = files, [], [], []
        self.good = {}
        self.vkey, self.known = vkey, known

    def say(self, result, name, what):
        self.lines.append(f"{result} {name:<11} {what}")

    def fail(self, name, what):
        self.wrong.append(what)
        self.say("FAIL", name, what)

    def run(self):
        wrong = wrong_digests(self.files)
        for name in wrong:
            self.fail("digests", f"{name} is not what SHA256SUMS says")
        try:
            self.read()
        except NotABundle as error:
            if not wrong:
                raise
            self.fail("digests", str(error))
            return 3
        if not wrong:
            self.say("PASS", "digests", f"{len(self.files) - 1} files are what SHA256SUMS says")
        self.check()
        return 3 if self.wrong else 6 if self.open else 0

    def read(self):
        if sha(self.files["README.txt"]).hex() != README:
            raise NotABundle("README.txt is another text")
        self.release, self.query = read_said(self.files["bundle.txt"])
        self.carried, self.hashes = read_ledger(self.files["ledger"])
        self.streams = {bytes.fromhex(name[8:]): read_stream(content)
                        for name, content in self.files.items() if name.startswith("streams/")}

    def check(self):
        self.say("NOTE", "bundle", f"exported for {self.query!r} by release {self.release}, as it says itself")
        self.ledger_id, self.size, self.tree = None, None, None
        self.leaves = []
        for index, leaf, private in self.carried:
            try:
                self.leaves.append(Control(index, leaf, private))
            except Wrong as error:
                self.fail("leaves", f"ledger leaf {index}: {error}")
        self.check_key()
        self.check_tree()
        self.check_known()
        for stream, records in self.streams.items():
            self.check_stream(stream, records)
        self.check_producers()
        self.check_left_out()
        self.check_seals()
        self.check_receipts()
        self.say("NOTE", "account", "not computed: whether sessions ended, and holes in producers' numbers, "
                 "are in the records" if "account.json" in self.files else "there is none")

    def check_key(self):
        genesis = next((leaf for leaf in self.leaves if leaf.index == 0), None)
        self.key = None
        if genesis is None or genesis.kind != 1:
            self.fail("key", "leaf 0 is not a genesis leaf")
        else:
            self.ledger_id, key, origin = genesis.body[:3]
            if is_name(origin) and is_key(key):
                self.key = (origin, key)
            else:
                self.fail("key", "genesis names no good key")
        if self.vkey is not None:
            if self.key is not None and self.vkey != self.key:
                self.fail("key", f"the ledger's key is {vkey_of(*self.key)}, the pinned key is another one")
            elif self.key is not None:
                self.say("PASS", "key", f"equals the pinned key {vkey_of(*self.vkey)}")
            self.key = self.vkey
        elif self.key is not None:
            self.say("NOTE", "key", f"seen for the first time, compare it: {vkey_of(*self.key)}")

    def check_tree(self):
        if self.key is None:
            return self.fail("checkpoint", "there is no key to check it with")
        try:
            self.size, root = open_checkpoint(self.files["checkpoint"], *self.key)
            hashed = [(index, leaf_hash(leaf)) for index, leaf, _ in self.carried]
            tree = Excerpt(self.size, hashed, self.hashes)
            if tree.root != root:
                raise Wrong("leaves and hashes do not lead to the signed root")
            self.tree = tree
            self.say("PASS", "checkpoint", f"{self.key[0]} signed size {self.size}")
            self.say("PASS", "leaves", f"{len(self.carried)} leaves of {self.size} lead to the signed root")
        except Wrong as error:
            self.fail("checkpoint", str(error))

    def check_known(self):
        if self.known is None:
            return
        if self.key is None or self.tree is None:
            return self.fail("extends", "nothing is signed here that the known checkpoint could be compared with")
        try:
            size, root = open_checkpoint(self.known, *self.key)
        except Wrong as error:
            return self.fail("extends", f"the known checkpoint: {error}")
        found = self.tree.root_at(size)
        if found is None:
            self.open.append("known")
            self.say("NOTE", "extends", f"the leaves that are here do not reach the known checkpoint of {size}")
        elif found == root:
            self.say("PASS", "extends", f"size {self.size} extends the known checkpoint of {size}")
        else:
            self.fail("extends", f"the first {size} leaves have another root than the known checkpoint")

    def check_stream(self, stream, records):
        about = [leaf for leaf in self.leaves if leaf.stream == stream]
        name = f"stream {stream.hex()[:16]}"
        opened = [leaf for leaf in about if leaf.kind == 3]
        if len(opened) != 1:
            self.fail("streams", f"{name} is opened {len(opened)} times")
        nonces = {leaf.body[1] for leaf in opened}
        derived = {sha(pad32("recount/stream/v1"), self.ledger_id or b"", nonce) for nonce in nonces}
        if self.ledger_id is not None and nonces and derived != {stream}:
            self.fail("streams", f"{name} is not derived from its nonce")
        erased = [(leaf.body[1], leaf.body[1] + leaf.body[2]) for leaf in about if leaf.kind == 10]
        if any(leaf.bare for leaf in about) and not erased and not any(leaf.kind == 11 for leaf in about):
            self.fail("streams", f"{name}: a private part is gone and nothing says why")
        frontier, roots, gone, before = Frontier(), {0: sha()}, 0, len(self.wrong)
        for index, record in enumerate(records):
            try:
                if record is None:
                    raise Wrong("it is missing")
                frontier.append(leaf_hash(record[0]))
                roots[frontier.size] = frontier.root() if self.is_head(about, frontier.size) else None
                there = check_record(index, *record)
                self.good.setdefault(stream, []).append((index, record[1][1] if there else None))
                if not there:
                    gone += 1
                    if not any(first <= index < last for first, last in erased):
                        raise Wrong("its payload is gone and nothing says why")
            except Wrong as error:
                self.fail("records", f"{name} record {index}: {error}")
        heads = [leaf.body[1] for leaf in about if leaf.kind in (4, 5)]
        for size, root in heads:
            if roots.get(size) != root:
                self.fail("heads", f"{name}: the records do not lead to its head of {size}")
        covered = max((size for size, _ in heads), default=0)
        if len(self.wrong) > before:
            return
        labels = ", ".join(sorted({repr(leaf.private[0]) for leaf in about if leaf.kind in (3, 6) and leaf.private}))
        self.say("PASS", "records", f"{name} of {labels or 'an erased name'}: {len(records)} records, "
                 f"{gone} erased" + (", closed" if any(leaf.kind == 5 for leaf in about) else ", not closed"))
        for leaf in about:
            if leaf.kind == 7 and leaf.private:
                self.say("PASS", "binding", f"{name} belongs to request {leaf.private[0]!r}")
            if leaf.kind == 16:
                note = leaf.private or ["?", "?", 0, 0, 0]
                self.open.append("gap")
                self.say("FAIL", "gap", f"{name}: records {note[2]} to {note[3]} of {note[0]!r} never arrived")
        if not heads or len(records) > covered:
            self.open.append("tail")
            self.say("NOTE", "open", f"{name}: {len(records) - covered} records that no signed head covers")

    @staticmethod
    def is_head(about, size):
        return any(leaf.kind in (4, 5) and leaf.body[1][0] == size for leaf in about)

    def check_producers(self):
        producers = Producers()
        for stream, envelopes in self.good.items():
            producers.stream(f"stream {stream.hex()[:16]}", envelopes)
        covered, enrolled, keys = producers.finish()
        for what in producers.wrong:
            self.fail("producers", what)
        if not producers.wrong:
            signed = f"{len(keys)} keys" if keys else "no key"
            self.say("PASS" if keys else "NOTE", "producers", f"{covered} of {producers.records - producers.carriers} "
                     f"records are covered by valid signatures of {signed}, {enrolled} of them by keys that were "
                     "enrolled when the signatures came")

    def check_left_out(self):
        for leaf in self.leaves:
            if leaf.stream is not None and leaf.stream not in self.streams and leaf.private is not None:
                self.fail("streams", f"leaf {leaf.index} opens to a stream whose records were left out")
        whole = self.size is not None and len(self.carried) == self.size
        if whole:
            others = {leaf.stream for leaf in self.leaves if leaf.stream is not None} - set(self.streams)
            self.say("NOTE", "left-out", f"every leaf is here; {len(others)} other streams are left out")
        else:
            self.say("NOTE", "left-out", "other streams and newer heads may be left out: not every leaf is here")

    def check_seals(self):
        newest = 0
        for leaf in self.leaves:
            if leaf.unix_ns < newest:
                self.fail("leaves", f"ledger leaf {leaf.index} is older than the one before it")
            newest = max(newest, leaf.unix_ns)
        if self.key is None or self.ledger_id is None:
            return
        epoch, key, before = 0, self.key[1], len(self.wrong)
        for leaf in self.leaves:
            if leaf.kind != 9:
                continue
            number, (size, root), following, _, signature = leaf.body
            found = self.tree.root_at(leaf.index) if self.tree else None
            message = pad32("recount/epoch/v1") + self.ledger_id + leaf.leaf[:-64]
            if size != leaf.index or found not in (None, root):
                self.fail("epochs", f"the seal at {leaf.index} names another tree than the one before it")
            if number != epoch:
                self.fail("epochs", f"epoch {number} is sealed where {epoch} is due")
            if key is None or not verifies(key, message, signature):
                self.fail("epochs", f"the key of epoch {number} did not sign the seal at {leaf.index}")
            if not is_key(following):
                self.fail("epochs", f"the seal at {leaf.index} names no good key")
            epoch, key = epoch + 1, following if is_key(following) else None
        if epoch > 0 and self.size is not None:
            try:
                open_line(self.files["checkpoint"], self.key[0] + "/epoch", key)
            except Wrong as error:
                self.fail("epochs", f"the checkpoint, in epoch {epoch}: {error}")
        if len(self.wrong) == before:
            self.say("PASS" if epoch else "NOTE", "epochs", f"{epoch} epochs are sealed, each over its tree and by "
                     "the key that the seal before it names" if epoch else "the ledger has no epoch seals")

    def check_receipts(self):
        kinds = {1: "file", 2: "git", 3: "object store", 4: "witness", 5: "RFC 3161"}
        for leaf in self.leaves:
            if leaf.kind != 12:
                continue
            (size, root), kind = leaf.body
            found = self.tree.root_at(size) if self.tree else None
            if found is not None and found != root:
                self.fail("anchors", f"the receipt at {leaf.index} is for another tree than this one was")
            if leaf.private is None:
                continue
            holder, receipt = leaf.private
            if kind == 4:
                self.check_witness(leaf.index, holder, receipt, size, root)
            elif kind == 5:
                self.say("NOTE", "anchors", f"size {size}: timestamp by {holder!r} not checked, "
                         f"SHA-256 {sha(receipt).hex()}")
            else:
                self.say("NOTE", "anchors", f"size {size} at {kinds.get(kind, kind)} {holder!r}: not asked")

    def check_witness(self, index, holder, receipt, size, root):
        if self.key is None:
            return
        text = f"{self.key[0]}\n{size}\n{base64.b64encode(root).decode()}\n"
        try:
            name, key = parse_vkey(holder, 4)
            found, signatures = parse_note(text.encode() + b"\n" + receipt)
            own = [s for n, i, s in signatures if n == name and i == key_id(name, 4, key)]
            if found != text or not own:
                raise Wrong(f"{name} did not sign")
            time = max(cosigned(name, key, text, signature) for signature in own)
            self.say("PASS", "witnesses", f"{name} cosigned size {size} at {time}")
        except Wrong as error:
            self.fail("witnesses", f"the receipt at {index}: {error}")


def check_record(index, leaf, body):
    """Sections 4 and 5. Gives whether the payload is there."""
    fields = Fields(leaf, Wrong)
    version, kind, at = fields.uint(8), fields.uint(8), fields.uint(64)
    if (version, kind) != (1, 1) or at != index:
        raise Wrong("its leaf is another one's")
    if body is None:
        return False
    salt, envelope = body
    fields = Fields(envelope, Wrong)
    if fields.uint(8) != 1 or fields.uint(8) not in (1, 2) or fields.uint(8) not in (1, 2):
        raise Wrong("its envelope is of another version, encoding or signal")
    for _ in range(6):
        fields.opaque(32)
    fields.end()
    if sha(pad32("recount/record/v1"), salt, envelope) != leaf[22:]:
        raise Wrong("the bytes do not open the leaf's commitment")
    return True


def verify(data, vkey=None, known=None):
    """Exit code and lines."""
    check = None
    try:
        check = Check(unpack(data), vkey, known)
        return check.run(), check.lines
    except NotABundle as error:
        return 2, (check.lines if check else []) + [f"FAIL bundle      not a bundle: {error}"]


def serve():
    """Answers checks on stdin: bundle, known checkpoint and key, each after its u32 length; empty: none."""
    def read():
        length = sys.stdin.buffer.read(4)
        return sys.stdin.buffer.read(int.from_bytes(length, "big")) if len(length) == 4 else None

    while (data := read()) is not None:
        known, key = read() or None, read()
        code, lines = verify(data, parse_vkey(key.decode()) if key else None, known)
        last = next((line for line in lines if line.startswith("FAIL")), "")
        sys.stdout.write(f"{code} {ascii(last)}\n")
        sys.stdout.flush()


def main(arguments):
    options, paths = {}, []
    arguments = list(arguments)
    while arguments:
        word = arguments.pop(0)
        if word == "--stdin":
            options[word] = True
        elif word in ("--key", "--known-checkpoint") and arguments:
            options[word] = arguments.pop(0)
        elif word.startswith("-"):
            print(__doc__, file=sys.stderr)
            return 2
        else:
            paths.append(word)
    vkey = parse_vkey(options["--key"].strip()) if "--key" in options else None
    if "--stdin" in options:
        return serve()
    if len(paths) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    with open(paths[0], "rb") as file:
        data = file.read()
    known = None
    if "--known-checkpoint" in options:
        with open(options["--known-checkpoint"], "rb") as file:
            known = file.read()
    code, lines = verify(data, vkey, known)
    verdict = {0: "intact", 2: "not a bundle", 3: "not intact", 6: "incomplete"}[code]
    for line in lines:
        # Names come from agents: nothing that a terminal would obey gets through.
        print("".join(c if c.isprintable() else ascii(c)[1:-1] for c in line))
    print(f"{'PASS' if code == 0 else 'FAIL'} {verdict:<11} exit {code}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
