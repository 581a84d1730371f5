"""boto3's own transfer, once for a whole tree: `python transfer_tree.py FOLDER BUCKET ROOT`.

What ltdkeeper-upload does to the store, without the service. boto3 finds its credentials by itself.
"""

import mimetypes
import sys
from pathlib import Path

import boto3
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.config import Config

folder, bucket, root = sys.argv[1:]
s3 = boto3.client("s3", config=Config(max_pool_connections=10))
with create_transfer_manager(s3, TransferConfig(max_concurrency=10)) as transfers:
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            headers = {"ContentType": kind, "CacheControl": "max-age=31536000"}
            key = f"{root}/{path.relative_to(folder).as_posix()}"
            transfers.upload(str(path), bucket, key, headers)
