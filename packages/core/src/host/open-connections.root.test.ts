import { once } from "node:events";
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { openConnections } from "../host.ts";

const HERE = { fd: undefined };
const closing: { close(): unknown }[] = [];
afterEach(() => {
  for (const one of closing.splice(0)) one.close();
});

async function connected(listenOn: string, to: string) {
  const server = createServer().listen(0, listenOn);
  closing.push(server);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const client = createConnection(port, to);
  await once(client, "connect");
  const [peer] = await accepted;
  closing.push({ close: () => client.destroy() }, { close: () => peer.destroy() });
  return { port, client, peer };
}

const ofPort = (port: number) => openConnections(HERE).filter((one) => one.localPort === port);

test.each([
  { listenOn: "127.0.0.1", to: "127.0.0.1", family: 4 },
  // The socket is a dual-stack one, and the packets are IPv4.
  { listenOn: "::", to: "127.0.0.1", family: 4 },
  { listenOn: "::1", to: "::1", family: 6 },
])("has both ends of what is open ($listenOn, $to), and not what listens", async ({ listenOn, to, family }) => {
  const { port, client } = await connected(listenOn, to);
  const { localPort = 0 } = client;
  expect(ofPort(port)).toEqual([{ family, local: to, localPort: port, remote: to, remotePort: localPort }]);
  expect(ofPort(localPort)).toEqual([{ family, local: to, localPort, remote: to, remotePort: port }]);
});

test("has not what is over", async () => {
  const { port, client, peer } = await connected("127.0.0.1", "127.0.0.1");
  const { localPort = 0 } = client;
  peer.on("data", () => undefined);
  client.end();
  peer.end();
  await Promise.all([once(client, "close"), once(peer, "close")]);
  await expect.poll(() => [...ofPort(port), ...ofPort(localPort)]).toEqual([]);
});
