"""asyncio: a server and 40 clients in one loop, with work in threads."""
import asyncio
import time


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def client(port, n):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    total = 0
    for i in range(50):
        writer.write(b"hello %d\n" % i)
        await writer.drain()
        total += len(await reader.readline())
        await asyncio.sleep(0.02)
    writer.close()
    await writer.wait_closed()
    return total + await asyncio.to_thread(lambda: time.sleep(0.005) or n)


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(sum(await asyncio.gather(*(client(port, i) for i in range(40)))))
    child = await asyncio.create_subprocess_exec("sort", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    print(await child.communicate(b"b\nc\na\n"), child.returncode)
    server.close()
    await server.wait_closed()


asyncio.run(main())
