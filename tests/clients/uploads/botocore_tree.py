"""`python botocore_tree.py FOLDER BUCKET ROOT`: a tree with botocore alone, of any age."""

import mimetypes
import os
import sys
from pathlib import Path

import botocore.session

folder, bucket, root = sys.argv[1:]
# Before 1.31 botocore did not read AWS_ENDPOINT_URL.
s3 = botocore.session.get_session().create_client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
for path in Path(folder).rglob("*"):
    if path.is_file():
        with path.open("rb") as body:
            s3.put_object(
                Bucket=bucket,
                Key=f"{root}/{path.relative_to(folder).as_posix()}",
                Body=body,
                ContentType=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
            )
