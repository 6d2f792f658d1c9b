import { once } from "node:events";
import { readlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { type TcpSocket, tcpSockets } from "./index.ts";
import { ScratchNetns, until } from "./testing/scratch-netns.ts";

async function listen(host: string): Promise<{ server: Server; port: number }> {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { server, port: address.port };
}

async function connected(port: number, host: string): Promise<Socket> {
  const socket = connect(port, host);
  await once(socket, "connect");
  return socket;
}

const at = (port: number) => (socket: TcpSocket) => socket.sourcePort === port || socket.destinationPort === port;

describe("tcpSockets", () => {
  it.each([
    ["127.0.0.1", "127.0.0.1", 4, "127.0.0.1"],
    ["::1", "::1", 6, "::1"],
    ["::", "127.0.0.1", 6, "::ffff:127.0.0.1"],
  ] as const)("finds a connection from listening at %s to its end", async (host, target, family, source) => {
    const { server, port } = await listen(host);
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const client = await connected(port, target);
    const [peer] = await accepted;

    const found = tcpSockets().filter(at(port));
    expect(found).toContainEqual(expect.objectContaining({ state: "listen", family, source: host, sourcePort: port }));
    const serving = found.find(({ state, sourcePort }) => state === "established" && sourcePort === port);
    expect(serving).toMatchObject({ family, source, destination: source, destinationPort: client.localPort });
    // Of this process: the inode is one of its descriptors.
    const { fd } = (peer as Socket & { _handle: { fd: number } })._handle;
    expect(readlinkSync(`/proc/self/fd/${fd}`)).toBe(`socket:[${serving?.inode}]`);
    expect(tcpSockets(undefined, { states: ["established"] }).filter(at(port))).toHaveLength(2);
    expect(tcpSockets(undefined, { states: ["listen"] }).filter(at(port))).toHaveLength(1);

    server.close();
    client.end();
    peer.end();
    await Promise.all([once(client, "close"), once(peer, "close"), once(server, "close")]);
    const living = () =>
      tcpSockets()
        .filter(at(port))
        .map(({ state }) => state);
    await until("only TIME_WAIT is left", () => living().every((state) => state === "time-wait"));
    expect(living()).toEqual(["time-wait"]);
    expect(tcpSockets().find(at(port))?.inode).toBe(0);
  });

  it("looks into the namespace that is named", async () => {
    using scratch = new ScratchNetns();
    const { server } = await listen("127.0.0.1");
    expect(tcpSockets().length).toBeGreaterThan(0);
    expect(tcpSockets(scratch.fd)).toEqual([]);
    server.close();
  });

  it("finds nothing in no states", () => {
    expect(tcpSockets(undefined, { states: [] })).toEqual([]);
  });
});
