"""`python slowly.py FOLDER BUCKET ROOT SECONDS SCALE`: boto3, one file after the other, slowly.

botocore asks for new credentials when 15 minutes are left, and insists when 10 are. Here these are
divided by SCALE, like the sessions of the service that is asked.
"""

import sys
import time
from pathlib import Path

import boto3
from botocore.credentials import RefreshableCredentials

folder, bucket, root, seconds, scale = sys.argv[1:]
RefreshableCredentials._advisory_refresh_timeout = 15 * 60 / int(scale)
RefreshableCredentials._mandatory_refresh_timeout = 10 * 60 / int(scale)

s3 = boto3.client("s3")
paths = [path for path in Path(folder).rglob("*") if path.is_file()]
began = time.monotonic()
for number, path in enumerate(paths):
    due = began + float(seconds) * number / (len(paths) - 1)
    time.sleep(max(0.0, due - time.monotonic()))
    key = f"{root}/{path.relative_to(folder).as_posix()}"
    s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), ContentType="text/html")
print(time.monotonic() - began)
