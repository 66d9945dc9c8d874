"""The edge, over real connections: slow clients, endless heads, huge bodies, TLS and mutual TLS."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.http.problems import Problem
from gateway.http.requests import body_of
from gateway.http.server import MOST_HEAD, Tls, listening, server_of
from runtime.errors import Misconfigured


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        body = await body_of(Request(scope, receive), 1_000)
        response = Response(f"{len(body)}")
    except Problem as problem:
        response = problem.response()
    await response(scope, receive, send)


def serving(
    test: Callable[[int], Coroutine[Any, Any, None]],
    *,
    tls: Tls | None = None,
    read_seconds: float = 0.3,
    connections: int = 100,
) -> None:
    async def scenario() -> None:
        server = server_of(app, tls=tls, connections=connections, read_seconds=read_seconds, shutdown_seconds=1.0)
        with listening("127.0.0.1", 0) as listener:
            task = asyncio.ensure_future(server.serve(sockets=[listener]))
            while not server.started:
                await asyncio.sleep(0.01)
            try:
                await test(listener.getsockname()[1])
            finally:
                server.should_exit = True
                await task

    asyncio.run(scenario())


HEAD = b"POST /v1/payments HTTP/1.1\r\nHost: gateway\r\nContent-Length: 100\r\n"


@pytest.mark.parametrize("sent", [b"", HEAD, HEAD + b"\r\n" + b"x" * 50], ids=["nothing", "half a head", "half a body"])
def test_a_client_that_does_not_send_its_request_is_hung_up_on(sent: bytes) -> None:
    async def test(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()

    serving(test)


def test_a_client_that_sends_a_byte_now_and_then_is_hung_up_on_too() -> None:
    async def test(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"\r\n")
        for _ in range(60):
            writer.write(b"x")
            await asyncio.sleep(0.05)
            if reader.at_eof() or reader.exception() is not None:
                break
        else:
            raise AssertionError("it may go on for ever")
        writer.close()

    serving(test)


def test_a_connection_that_is_kept_serves_one_request_after_another() -> None:
    async def test(port: int) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            for size in (0, 10, 1_000):
                assert (await client.post("/", content=b"x" * size)).text == f"{size}"
                await asyncio.sleep(0.4)  # longer than a request may take to arrive

    serving(test)


def test_a_huge_body_is_refused_before_it_is_read() -> None:
    async def test(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 99999999999\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 20)
        assert answer.startswith(b"HTTP/1.1 413 ")
        writer.close()

    serving(test)


def test_a_body_without_a_length_is_refused_at_the_bound() -> None:
    async def test(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"".join(b"400\r\n" + b"x" * 1024 + b"\r\n" for _ in range(4)))
        assert (await asyncio.wait_for(reader.readline(), 20)).startswith(b"HTTP/1.1 413 ")
        writer.close()

    serving(test)


def test_an_endless_head_is_refused() -> None:
    async def test(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\n" + (b"X-Long: " + b"x" * 1_000 + b"\r\n") * (MOST_HEAD // 1_000 + 1))
        assert (await asyncio.wait_for(reader.readline(), 20)).startswith(b"HTTP/1.1 400 ")
        writer.close()

    serving(test, read_seconds=30.0)


def test_more_connections_than_there_may_be_are_answered_503() -> None:
    async def test(port: int) -> None:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.post("/")).status_code == 503
        for _, writer in held:
            writer.close()

    serving(test, connections=3, read_seconds=30.0)


def test_mutual_tls_asks_for_a_certificate_and_plain_http_is_no_way_in(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=gateway", "-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key],
        check=True, capture_output=True,
    )  # fmt: skip

    async def test(port: int) -> None:
        url = f"https://127.0.0.1:{port}"
        trusting = ssl.create_default_context(cafile=str(certificate))
        async with httpx.AsyncClient(verify=trusting) as stranger:
            with pytest.raises(httpx.TransportError):
                await stranger.post(url)
        known = ssl.create_default_context(cafile=str(certificate))
        known.load_cert_chain(certificate, key)
        async with httpx.AsyncClient(verify=known) as client:
            assert (await client.post(url, content=b"x")).text == "1"
        async with httpx.AsyncClient() as plain:
            with pytest.raises(httpx.TransportError):
                await plain.post(f"http://127.0.0.1:{port}")

    serving(test, tls=Tls(certificate, key, certificate), read_seconds=30.0)


def test_wrong_files_and_a_taken_port_are_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="FRAUD_GATEWAY_TLS"):
        server_of(app, tls=Tls(tmp_path / "no", tmp_path / "no"), connections=1, read_seconds=1, shutdown_seconds=1)
    with listening("127.0.0.1", 0) as taken, pytest.raises(Misconfigured, match="FRAUD_GATEWAY_PORT"):
        listening("127.0.0.1", taken.getsockname()[1])
