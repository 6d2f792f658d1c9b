import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { expect, test } from "vitest";
import { BpfMap } from "./map.ts";
import { BpfObject } from "./object.ts";
import { attachSocketMap, detachSocketMap, setSocket, socketCookie } from "./sockets.ts";
import { readU64, testObject, u32, u64 } from "./testing/kernel.ts";

function load(): BpfObject {
  const object = BpfObject.open(testObject("hooks"));
  object.load();
  return object;
}

/** The descriptor of one of Node's sockets, which has no public name. */
function descriptor(socket: Socket | Server): number {
  return (socket as unknown as { _handle: { fd: number } })._handle.fd;
}

/** Two ends of a connection over loopback. */
async function pair(): Promise<{ client: Socket; server: Socket } & Disposable> {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as { port: number };
  const client = connect(port, "127.0.0.1");
  const [[server]] = (await Promise.all([once(listener, "connection"), once(client, "connect")])) as [
    [Socket],
    unknown,
  ];
  listener.close();
  for (const socket of [client, server]) socket.on("error", () => {});
  return {
    client,
    server,
    [Symbol.dispose]: () => {
      client.destroy();
      server.destroy();
    },
  };
}

test.for([
  ["sockets", u32(1), u32(2)],
  ["sockets_by_name", u64(1), u64(2)],
] as const)(
  "%s: sockets are put in by descriptor, have a cookie, and leave when they close",
  async ([name, key, other]) => {
    using object = load();
    const map = object.map(name);
    const { client, server } = await pair();
    setSocket(map, key, descriptor(client));
    setSocket(map, other, descriptor(server));
    const cookie = socketCookie(map, key);
    expect(cookie).toBeGreaterThan(0n);
    expect(socketCookie(map, other)).not.toBe(cookie);
    expect(() => setSocket(map, key, descriptor(server), "noexist")).toThrow(
      expect.objectContaining({ code: "EEXIST" }),
    );
    expect(map.delete(other)).toBe(true);
    expect(socketCookie(map, other)).toBeUndefined();
    client.destroy();
    server.destroy();
    await expect.poll(() => socketCookie(map, key)).toBeUndefined();
  },
);

test("a program decides about the messages of a map's sockets", async () => {
  using object = load();
  using refused = await pair();
  using passed = await pair();
  const map = object.map("sockets");
  const attachment = { program: object.program("refuse_message"), map, attachType: "sk_msg_verdict" } as const;
  const messages = () => readU64(object.map("counters").lookup(u32(2)));
  attachSocketMap(attachment);
  setSocket(map, u32(0), descriptor(refused.client));
  const failed = once(refused.client, "error");
  refused.client.write("one");
  expect(await failed).toMatchObject([{ code: "EACCES" }]);
  expect([messages(), refused.server.bytesRead]).toEqual([1, 0]);
  detachSocketMap(attachment);
  expect(() => detachSocketMap(attachment)).toThrow(expect.objectContaining({ code: "ENOENT" }));
  setSocket(map, u32(1), descriptor(passed.client));
  const received = once(passed.server, "data");
  passed.client.write("two");
  expect(String(await received)).toBe("two");
  expect(messages()).toBe(1);
});

test("what is no socket, and what is no map of sockets", async () => {
  using object = load();
  const map = object.map("sockets");
  expect(() => setSocket(map, u32(0), map.fd)).toThrow(expect.objectContaining({ code: "ENOTSOCK" }));
  expect(() => setSocket(map, u32(0), 99_999)).toThrow(expect.objectContaining({ code: "EBADF" }));
  for (const fd of [-1, 0.5, 2 ** 32, Number.NaN]) expect(() => setSocket(map, u32(0), fd)).toThrow(RangeError);
  using array = BpfMap.create({ type: "array", keySize: 4, valueSize: 8, maxEntries: 1 });
  const program = object.program("refuse_message");
  expect(() => attachSocketMap({ program, map: array, attachType: "sk_msg_verdict" })).toThrow(
    expect.objectContaining({ name: "LibbpfError", syscall: "bpf(BPF_PROG_ATTACH)" }),
  );
  expect(() => attachSocketMap({ program, map, attachType: "sk_skb_verdict" })).toThrow(
    expect.objectContaining({ code: "EINVAL" }),
  );
});
