import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import { makeCertificate } from "../testing/certificate.test.kit.ts";
import { WatchedCluster } from "../testing/watched-cluster.test.kit.ts";

const another = makeCertificate();

test("a CA that was replaced is used from the next request on, on a connection of its own", async () => {
  await using it = await WatchedCluster.create();
  await it.synced();
  it.writeKubeconfig({ ca: `${it.certificate}\n${another.cert}` });
  it.server.endWatches();
  await it.until(() => expect(it.server.watches()).toBe(3));
  await it.until(() => expect(it.server.connections).toBe(1));
  expect(it.server.accepted).toBe(2);
  expect(it.watches()).toEqual([]);
});

test("an API server that the CA does not vouch for is not believed", async () => {
  await using it = await WatchedCluster.create();
  it.writeKubeconfig({ ca: another.cert });
  await it.start();
  await it.until(() => expect(it.recorder.of("watch.lost")).toHaveLength(3));
  expect(it.recorder.of("watch.lost")[0]?.reason).toMatch(/cannot be reached: .*certificate/);
  expect(it.server.asked).toEqual([]);
  it.writeKubeconfig({});
  await it.until(() => expect(it.recorder.of("watch.synced")).toHaveLength(3));
});

test("a certificate for another name is not believed, unless the kubeconfig says that name", async () => {
  await using it = await WatchedCluster.create();
  it.writeKubeconfig({ more: { "tls-server-name": "kubernetes.default.svc" } });
  await it.start();
  await it.until(() => expect(it.recorder.of("watch.lost")).toHaveLength(3));
  expect(it.recorder.of("watch.lost")[0]?.reason).toContain("kubernetes.default.svc");
  expect(it.server.asked).toEqual([]);
});

test("a kubeconfig's proxy is asked for every connection", async () => {
  await using it = await WatchedCluster.create();
  const asked: string[] = [];
  const open = new Set<Socket>();
  const proxy = createServer();
  proxy.on("connect", (request, client: Socket) => {
    asked.push(request.url ?? "");
    const [host, port] = (request.url ?? "").split(":");
    const upstream = connect(Number(port), host, () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      client.pipe(upstream).pipe(client);
    });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket);
      socket.on("error", () => socket.destroy());
      socket.once("close", () => {
        open.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  try {
    it.writeKubeconfig({ more: { "proxy-url": `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` } });
    await it.synced();
    it.server.cluster.pod("b");
    await it.until(() => expect(it.story()).toEqual(["pod.observed pod/b"]));
    const { host } = new URL(it.server.url);
    expect(asked).toEqual(Array(6).fill(host)); // three lists, three watches
    await it.stop();
    await it.until(() => expect(open.size).toBe(0));
  } finally {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => proxy.close(resolve));
  }
});

test("a server that comes back with HTTP/2 is spoken to in it", async () => {
  await using it = await WatchedCluster.create("https");
  await it.synced();
  await it.server.kill();
  await it.until(() => expect(it.recorder.of("watch.lost")).toHaveLength(3));
  it.server.asked.length = 0;
  await it.server.start("h2");
  await it.until(() => expect(it.recorder.of("watch.synced")).toHaveLength(3));
  expect(new Set(it.server.asked.map(({ httpVersion }) => httpVersion))).toEqual(new Set(["2.0"]));
});
