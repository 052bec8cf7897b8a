"""Stands for GitHub when absurdctl asks which migrations there are, so that the answer needs no network.

Every migration that it offers fails when executed.
"""

import io
import json
import urllib.request


def urlopen(request, *_, **__):
    url = getattr(request, "full_url", request)
    if "api.github.com" not in url:
        return io.BytesIO(b"select 1 / 0;")
    names = ["0.4.0-0.5.0.sql", "0.5.0-0.5.1.sql"]
    entries = [{"name": name, "type": "file", "download_url": f"https://example.org/{name}"} for name in names]
    return io.BytesIO(json.dumps(entries).encode())


urllib.request.urlopen = urlopen
