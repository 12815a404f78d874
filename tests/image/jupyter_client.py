"""A small Jupyter client over the server's real API and protocol, as a browser speaks it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import requests
import websocket


class Terminal:
    """An open terminal: what is sent is typed."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection

    def send(self, text: str) -> None:
        self._connection.send(json.dumps(["stdin", text]))


class Kernel:
    """A kernel of the server's, reached through its websocket."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection

    def run(self, code: str) -> str:
        """Run a cell and return what it printed."""
        identity = uuid.uuid4().hex
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        header = {"msg_id": identity, "msg_type": "execute_request", "version": "5.3"}
        header.update({"username": "", "session": uuid.uuid4().hex, "date": ""})
        message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}}
        self._connection.send(json.dumps({**message, "content": content}))
        return self._output_of(identity)

    def _output_of(self, identity: str) -> str:
        printed = []
        while True:
            message: dict[str, Any] = json.loads(self._connection.recv())
            if message["parent_header"].get("msg_id") != identity:
                continue
            content = message["content"]
            assert message["msg_type"] != "error", content
            if message["msg_type"] == "stream" and content["name"] == "stdout":
                printed.append(content["text"])
            if message["msg_type"] == "status" and content["execution_state"] == "idle":
                return "".join(printed)


class Jupyter:
    """A JupyterLab server and a token for it; closes what it opened."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"token {token}"}
        self._connections: list[websocket.WebSocket] = []

    def __enter__(self) -> Jupyter:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()

    def get(self, path: str) -> requests.Response:
        return requests.get(self._url + path, headers=self._headers, timeout=30)

    def put(self, path: str, body: dict[str, str]) -> None:
        requests.put(
            self._url + path, json=body, headers=self._headers, timeout=30
        ).raise_for_status()

    def start_kernel(self) -> Kernel:
        identity = self._post("/api/kernels", {"name": "python3"})["id"]
        return Kernel(self._connect(f"/api/kernels/{identity}/channels"))

    def open_terminal(self) -> Terminal:
        name = self._post("/api/terminals", {})["name"]
        return Terminal(self._connect(f"/terminals/websocket/{name}"))

    def _post(self, path: str, body: dict[str, str]) -> dict[str, Any]:
        answer = requests.post(self._url + path, json=body, headers=self._headers, timeout=60)
        answer.raise_for_status()
        return dict(answer.json())

    def _connect(self, path: str) -> websocket.WebSocket:
        url = self._url.replace("http", "ws") + path
        connection: websocket.WebSocket = websocket.create_connection(
            url, header=self._headers, timeout=120
        )
        self._connections.append(connection)
        return connection
