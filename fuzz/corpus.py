#!/usr/bin/env python3
"""A target's corpus is one text file, an input a line in base64, in order: few files, small changes.

corpus.py unpack FILE FOLDER    writes each input as a file of libFuzzer's kind
corpus.py pack FOLDER FILE      and back
"""
import base64, hashlib, pathlib, sys


def unpack(packed, folder):
    for line in packed.read_text().split() if packed.exists() else []:
        data = base64.b64decode(line)
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def pack(folder, packed):
    inputs = sorted({each.read_bytes() for each in folder.iterdir()} - {b""}, key=lambda data: (len(data), data))
    packed.write_text("".join(base64.b64encode(data).decode() + "\n" for data in inputs))


match sys.argv[1:]:
    case ["unpack", packed, folder]:
        unpack(pathlib.Path(packed), pathlib.Path(folder))
    case ["pack", folder, packed]:
        pack(pathlib.Path(folder), pathlib.Path(packed))
    case _:
        sys.exit(__doc__)
