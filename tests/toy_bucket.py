"""An S3 server on loopback, and a bucket of it that a test looks into."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


class Bucket:
    """A bucket and the server's address; everything is in memory."""

    def __init__(self, url: str, name: str) -> None:
        import boto3

        self.url, self.name = url, name
        self.client: Any = boto3.client("s3", endpoint_url=url)
        self.client.create_bucket(Bucket=name)

    def contents(self) -> dict[str, bytes]:
        """Return all objects by key."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        return {key: self.client.get_object(Bucket=self.name, Key=key)["Body"].read() for key in keys}

    def put(self, key: str, content: bytes) -> None:
        """Write an object."""
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self.client.delete_object(Bucket=self.name, Key=key)


@contextlib.contextmanager
def buckets(*names: str) -> Iterator[list[Bucket]]:
    """Serve empty buckets until the block ends, with credentials in this process's environment."""
    from moto.server import ThreadedMotoServer

    before = {name: os.environ.get(name) for name in CREDENTIALS}
    os.environ.update(CREDENTIALS)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield [Bucket(f"http://{host}:{port}", name) for name in names]
    finally:
        server.stop()
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
