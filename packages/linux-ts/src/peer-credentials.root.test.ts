import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { peerCredentials } from "./index.ts";

describe("peerCredentials", () => {
  let folder: string;
  let path: string;
  let server: Server;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "linux-ts-"));
    chmodSync(folder, 0o755);
    path = join(folder, "socket");
    server = createServer().listen(path);
    await once(server, "listening");
    chmodSync(path, 0o666);
  });

  afterAll(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  it("tells who connected from another process with another identity", async () => {
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const identity = ["--reuid=54321", "--regid=54322", "--clear-groups"];
    const child = spawn("setpriv", [...identity, "socat", "-u", `UNIX-CONNECT:${path}`, "STDOUT"]);
    const [socket] = await accepted;
    expect(peerCredentials(socket)).toEqual({ pid: child.pid, uid: 54321, gid: 54322 });
    socket.destroy();
    await once(child, "exit");
  });

  it("tells the other end of a connection of one's own, seen from both sides", async () => {
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const client = connect(path);
    const [socket] = await accepted;
    const own = { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() };
    expect(peerCredentials(socket)).toEqual(own);
    expect(peerCredentials(client)).toEqual(own);
    client.destroy();
    socket.destroy();
  });

  it("says that a closed, or never connected, socket has nobody at the other end", async () => {
    const client = connect(path);
    await once(client, "connect");
    client.destroy();
    const none = expect.objectContaining({ code: "ERR_NO_DESCRIPTOR" });
    expect(() => peerCredentials(client)).toThrow(none);
    expect(() => peerCredentials(new Socket())).toThrow(none);
  });

  it("says so too of a socket that is still looking for its address", async () => {
    const client = connect(1, "localhost");
    expect(() => peerCredentials(client)).toThrow(expect.objectContaining({ code: "ERR_NO_DESCRIPTOR" }));
    const [refused] = (await once(client, "error")) as [NodeJS.ErrnoException];
    expect(refused.code).toBe("ECONNREFUSED");
  });

  it("refuses TCP, where the kernel would answer with nobody", async () => {
    const tcp = createServer().listen(0, "127.0.0.1");
    await once(tcp, "listening");
    const { port } = tcp.address() as { port: number };
    const client = connect(port, "127.0.0.1");
    await once(client, "connect");
    expect(() => peerCredentials(client)).toThrow(expect.objectContaining({ code: "EAFNOSUPPORT" }));
    client.destroy();
    tcp.close();
  });
});
