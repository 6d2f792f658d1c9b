/** The process behind `Endpoint`: carries out requests from standard input until that is closed. */
import { createInterface } from "node:readline";
import { askDns, askDnsByTcp } from "../endpoint/dns.ts";
import { load } from "../endpoint/load.ts";
import type { Input, Output, Reply, Request, Verb } from "../endpoint/protocol.ts";
import { download, listenTo, OpenConnections, report, upload } from "../endpoint/tcp-client.ts";
import { TcpServers } from "../endpoint/tcp-server.ts";
import { listenUdp, udp } from "../endpoint/udp.ts";

const servers = new TcpServers();
const connections = new OpenConnections();

const verbs: { readonly [V in Verb]: (input: Input<V>) => Output<V> | Promise<Output<V>> } = {
  listen: (input) => servers.listen(input),
  listenOnce: (input) => servers.listenOnce(input),
  listenUdp,
  accepted: (input) => servers.accepted(input),
  report,
  upload,
  download,
  listenTo,
  open: (input) => connections.open(input),
  exchange: (input) => connections.exchange(input),
  close: (input) => connections.close(input),
  udp,
  askDns,
  askDnsByTcp,
  startStreams: (input) => connections.startStreams(input),
  stopStreams: (input) => connections.stopStreams(input),
  load,
};

const reply = (message: Reply): void => {
  process.stdout.write(`${JSON.stringify(message)}\n`);
};

async function carryOut({ id, verb, input }: Request): Promise<void> {
  try {
    const carry = verbs[verb] as (input: unknown) => unknown;
    reply({ id, output: await carry(input) });
  } catch (error) {
    reply({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => void carryOut(JSON.parse(line) as Request));
lines.on("close", () => process.exit(0));
reply({ ready: true });
