"""`python libraries.py LIBRARY FOLDER BUCKET ROOT`: a tree with one library, as its pages say.

Each finds credentials by itself; those that do not read AWS_ENDPOINT_URL are told the address.
"""

# ruff: noqa: PLC0415 - one library at a time

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

library, folder, bucket, root = sys.argv[1:]
endpoint, region = os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_DEFAULT_REGION"]
files = {p.relative_to(folder).as_posix(): p for p in Path(folder).rglob("*") if p.is_file()}


def obstore():
    from obstore.store import S3Store

    store = S3Store(bucket, prefix=root, endpoint=endpoint, client_options={"allow_http": True})
    for name, path in files.items():
        store.put(name, path)


def opendal():
    import opendal

    s3 = opendal.Operator("s3", bucket=bucket, root=f"/{root}", endpoint=endpoint, region=region)
    for name, path in files.items():
        s3.write(name, path.read_bytes())


def pyarrow_streams():
    s3 = pyarrow_s3()
    for name, path in files.items():
        with s3.open_output_stream(f"{bucket}/{root}/{name}") as stream:
            stream.write(path.read_bytes())


def pyarrow_copy_files():
    from pyarrow import fs

    fs.copy_files(folder, f"{bucket}/{root}", fs.LocalFileSystem(), pyarrow_s3())


def pyarrow_s3():
    from pyarrow import fs

    parts = urlsplit(endpoint)
    return fs.S3FileSystem(region=region, scheme=parts.scheme, endpoint_override=parts.netloc)


def cloudpathlib():
    from cloudpathlib import S3Client

    client = S3Client(endpoint_url=endpoint)
    client.CloudPath(f"s3://{bucket}/{root}").upload_from(folder)


def fsspec_rsync():
    from fsspec.generic import rsync

    rsync(f"file://{folder}", f"s3://{bucket}/{root}")


def smart_open():
    from smart_open import open as open_anywhere

    for name, path in files.items():
        with open_anywhere(f"s3://{bucket}/{root}/{name}", "wb") as stream:
            stream.write(path.read_bytes())


def minio():
    from minio import Minio
    from minio.credentials import IamAwsProvider

    parts = urlsplit(endpoint)
    client = Minio(
        parts.netloc,
        secure=parts.scheme == "https",
        region=region,
        credentials=IamAwsProvider(),
    )
    for name, path in files.items():
        client.fput_object(bucket, f"{root}/{name}", str(path))


def boto3():
    import boto3

    s3 = boto3.client("s3", endpoint_url=endpoint)
    for name, path in files.items():
        s3.upload_file(str(path), bucket, f"{root}/{name}")


globals()[library]()
