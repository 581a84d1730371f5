"""As in docs/how-to/upload.rst, for a tree: `python boto3_tree.py FOLDER BUCKET ROOT`.

boto3 finds its credentials by itself.
"""

import mimetypes
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3

folder, bucket, root = sys.argv[1:]
s3 = boto3.client("s3")


def upload(path):
    key = f"{root}/{path.relative_to(folder).as_posix()}"
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    s3.upload_file(str(path), bucket, key, ExtraArgs={"ContentType": kind})


with ThreadPoolExecutor(8) as pool:
    list(pool.map(upload, (path for path in Path(folder).rglob("*") if path.is_file())))
