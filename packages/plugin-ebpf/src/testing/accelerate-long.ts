import { fileURLToPath } from "node:url";
import { Agent } from "./agent.ts";
import { NodeBox, proxyOf, workloadOf } from "./node-box.ts";
import { PodProgram, startProxy } from "./traffic.ts";

/**
 * Checksummed streams through accelerated connections, of any size and in pieces of any size, until so many GB came through: both
 * families, both directions at once, while members come to be accelerated and cease to. Ends with 1 at the first stream that is not whole.
 *
 *     accelerate-long.ts GB
 */
const EXCHANGE = fileURLToPath(new URL("./exchange.ts", import.meta.url));
const [GB = Number.NaN] = process.argv.slice(2).map(Number);
const ROUND = ["24", "8", "40000000"];
const COUNTED = ["leg_opened.opened", "leg_sends.redirected_bytes", "leg_sends.tcp_alone", "leg_opened.tcp_before"];

if (!(GB > 0)) throw new RangeError("usage: accelerate-long.ts GB");
using box = await NodeBox.create();
const [client, server, proxyPod] = [box.addPod("client"), box.addPod("server"), box.addPod("proxy")];
await using exchange = new PodProgram(server, process.execPath, EXCHANGE, "serve", "8080");
await exchange.line(/^listening/);
await using _proxy = await startProxy(box, proxyPod);
await using agent = await Agent.open(box, { config: { acceleration: "sockmap", releaseSeconds: 0 } });
await agent.useProxies({ active: proxyOf(proxyPod), draining: [] });
let bytes = 0;
for (let round = 1; bytes < GB * 1e9; round++) {
  // In turn: out through the proxy, in through it, and in the midst of it no more for what begins then.
  const member = round % 2 === 0 ? client : server;
  await agent.apply(workloadOf(member, { acceleration: true }));
  const family = round % 4 < 2 ? "ipv4" : "ipv6";
  await using caller = new PodProgram(client, process.execPath, EXCHANGE, "call", server[family], "8080", ...ROUND);
  const called = caller.line(/^\{/, 600_000);
  if (round % 3 === 0) await agent.apply(workloadOf(member));
  const { failed } = JSON.parse(await called) as { failed: string[] };
  const deadline = performance.now() + 60_000;
  while (exchange.lines.length < 1 + 24 * round && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 10));
  const broken = exchange.lines.slice(1).filter((line) => !/^ok \d+$/.test(line));
  if (failed.length > 0 || broken.length > 0 || exchange.lines.length !== 1 + 24 * round) {
    console.error({ round, failed, broken, streams: exchange.lines.length - 1 });
    process.exitCode = 1;
    break;
  }
  bytes = exchange.lines.reduce((sum, line) => sum + Number(/^ok (\d+)$/.exec(line)?.[1] ?? 0), 0);
  await agent.remove(`uid-${member.name}`);
}
const { counters } = await agent.observe();
console.log(`${(bytes / 1e9).toFixed(2)} GB`, ...COUNTED.map((name) => `${name} ${counters[name]}`));
await agent.uninstall();
