"""`python generated_client.py SERVICE PRODUCT`: a build from its registration to its end, with the
client that was generated from the service's OpenAPI document. Reads the API key from the
environment.
"""

import os
import sys

import httpx
from keeper_client.api.builds import (
    delete_build,
    finish_build,
    issue_credentials,
    presign_urls,
    read_build,
)
from keeper_client.api.products import list_builds, list_products, read_product, register_build
from keeper_client.api.service import root
from keeper_client.api.token import end_token, start_token
from keeper_client.client import AuthenticatedClient, Client
from keeper_client.models import (
    Build,
    CredentialsRequest,
    File,
    Finish,
    NewBuildWithPosts,
    PresignedUrlsRequest,
    Problem,
    StateEnum,
)

service, product = sys.argv[1:]
print(root.sync(client=Client(service)).to_dict()["data"]["server_version"])

with AuthenticatedClient(service, token=os.environ["API_KEY"]) as key:
    session = start_token.sync(client=key)

with AuthenticatedClient(service, token=session.token) as client:
    assert (
        read_product.sync(product, client=client).self_url
        in list_products.sync(client=client).products
    )
    refused = register_build.sync(product, client=client, body=NewBuildWithPosts(git_refs=[]))
    assert isinstance(refused, Problem), refused
    build = register_build.sync(product, client=client, body=NewBuildWithPosts(git_refs=["main"]))
    assert (build.state, build.date_ended) == (StateEnum.OPEN, None)
    number = int(build.self_url.rpartition("/")[2])
    assert list_builds.sync(product, client=client, page_size=1).builds == [build.self_url]

    credentials = issue_credentials.sync(number, client=client, body=CredentialsRequest())
    assert (credentials.root, credentials.version) == (build.bucket_root_dir, 1)
    page = File(key="index.html", content_type="text/html")
    signed = presign_urls.sync(number, client=client, body=PresignedUrlsRequest(files=[page]))
    put = signed.urls["index.html"]
    httpx.put(put.url, content=b"<p>Hello", headers=put.headers.to_dict()).raise_for_status()

    finished = finish_build.sync(number, client=client, body=Finish(uploaded=True))
    assert (finished.state, finished.object_count) == (StateEnum.FINISHED, 1), finished
    assert read_build.sync(number, client=client).finished_at == finished.finished_at
    deleted = delete_build.sync(number, client=client)
    assert isinstance(deleted, Build), deleted
    assert deleted.state == StateEnum.DELETED
    assert deleted.date_ended is not None
    assert end_token.sync_detailed(client=client).status_code == 204
print(build.bucket_root_dir)
