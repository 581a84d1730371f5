"""`python upload_slowly.py SECONDS SCALE ...`: ltdkeeper-upload, waiting so long before each file.

botocore's own windows are divided by SCALE, as in slowly.py.
"""

import sys
import time

from botocore.credentials import RefreshableCredentials
from ltdkeeper_upload import upload
from ltdkeeper_upload.__main__ import main

seconds, scale, *arguments = sys.argv[1:]
RefreshableCredentials._advisory_refresh_timeout = 15 * 60 / int(scale)
RefreshableCredentials._mandatory_refresh_timeout = 10 * 60 / int(scale)


def slow_client(*given, **named):
    client = store_client(*given, **named)
    client.meta.events.register("before-call.s3.PutObject", lambda **_: time.sleep(float(seconds)))
    return client


store_client, upload.store_client = upload.store_client, slow_client
sys.exit(main(["--jobs", "1", *arguments]))
