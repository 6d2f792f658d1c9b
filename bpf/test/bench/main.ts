#!/usr/bin/env node
/**
 * How long the programs take for a packet, in nanoseconds, by BPF_PROG_TEST_RUN. Prints figures and judges none. Needs root.
 * `node --conditions=source bpf/test/bench/main.ts [--repeat 1000000] [--json]`, or `make bench-bpf`. With `--json` it prints `[{ "name", "nanoseconds" }, …]` alone.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, loadavg, release, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BpfObject, type BpfProgram } from "libbpf-ts";
import { Datapath } from "../support/datapath.ts";
import { ACK, ipFrame, MAC_OUTBOUND, PROTOCOL, type TcpSpec, tcpFrame, zeros } from "../support/frames.ts";

/** Runs in one go: so few that many a go is not interrupted by what else the machine does. The shortest go counts. */
const GO = 10_000;
const { values } = parseArgs({
  options: { repeat: { type: "string", default: "1000000" }, json: { type: "boolean", default: false } },
});
/** How often a go may be broken off before that is an error. */
const ATTEMPTS = 100;

const repeat = Number(values.repeat);
if (!(repeat > 0)) throw new RangeError(`--repeat ${values.repeat} is no number of runs`);

const IPV4 = { source: "198.18.1.10", destination: "198.18.9.9", sourcePort: 40000, destinationPort: 80 };
const IPV6 = { ...IPV4, source: "2001:2:0:1::a", destination: "2001:2:0:9::9" };

function nanoseconds(program: BpfProgram, data: Uint8Array, context?: Uint8Array): number {
  const go = (): number => {
    for (let attempt = 1; ; attempt++) {
      try {
        return program.testRun({ data, repeat: GO, ...(context && { context }) }).durationNs;
      } catch (error) {
        // The kernel's own work broke off this go: it does not count, and is made again.
        if ((error as { code?: unknown }).code !== "EINTR" || attempt === ATTEMPTS) throw error;
      }
    }
  };
  return Math.min(...Array.from({ length: Math.ceil(repeat / GO) }, go));
}

/** A program that does nothing, for comparison. */
function emptyProgram(stack: DisposableStack): BpfProgram {
  const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  stack.defer(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "empty.bpf.o");
  const source =
    '__attribute__((section("tc"))) int empty(void *skb) { return -1; }\nchar _license[] __attribute__((section("license"))) = "GPL";\n';
  execFileSync("clang", ["-O2", "-g", "-target", "bpf", "-x", "c", "-c", "-", "-o", file], { input: source });
  const object = stack.use(BpfObject.open(file));
  object.load();
  return object.program("empty");
}

using stack = new DisposableStack();
const datapath = stack.use(new Datapath());
datapath.proxy(0, { ifindex: 1, netnsid: 9999, mac: "02:00:00:00:00:01" });
datapath.settings({ active: 1 });
datapath.workload(1);
for (const { destination } of [IPV4, IPV6]) datapath.member(destination, { ifindex: 1, mac: "02:00:00:00:00:02" });
const [proxy] = datapath.proxies;
if (!proxy) throw new Error("there is no proxy's object");

const packet = (ends: TcpSpec) => tcpFrame({ ...ends, flags: ACK, payload: zeros(64) });
const redirected = (ends: TcpSpec) => tcpFrame({ ...ends, flags: ACK }, { from: MAC_OUTBOUND });
const udp = ipFrame({ ...IPV4, protocol: PROTOCOL.udp, payload: zeros(40) });
const outbound = datapath.node.program("app_outbound");
const inbound = datapath.node.program("app_inbound");
const hostIn = datapath.node.program("ztunnel_host_in");
const tproxy = proxy.program("ztunnel_tproxy");
/** struct bpf_sk_lookup (linux/bpf.h): a connection to a port of 127.0.0.1 over IPv4. */
const lookup = new DataView(new ArrayBuffer(72));
lookup.setUint32(8, 2, true);
lookup.setUint32(12, PROTOCOL.tcp, true);
lookup.setUint8(40, 127);
lookup.setUint32(60, 80, true);

const rows: readonly (readonly [string, BpfProgram, Uint8Array, Uint8Array?])[] = [
  ["an empty program", emptyProgram(stack), packet(IPV4)],
  ["app_outbound, IPv4 captured", outbound, packet(IPV4)],
  ["app_outbound, IPv6 captured", outbound, packet(IPV6)],
  ["app_outbound, UDP passed", outbound, udp],
  ["app_inbound, IPv4 captured", inbound, packet(IPV4)],
  ["app_inbound, IPv6 captured", inbound, packet(IPV6)],
  ["app_inbound, UDP passed", inbound, udp],
  ["ztunnel_host_in, IPv4 delivered", hostIn, packet(IPV4)],
  ["ztunnel_host_in, IPv6 delivered", hostIn, packet(IPV6)],
  ["ztunnel_host_in, UDP passed", hostIn, udp],
  ["ztunnel_tproxy, IPv4 passed", tproxy, redirected(IPV4)],
  ["ztunnel_tproxy, IPv6 passed", tproxy, redirected(IPV6)],
  ["ztunnel_lookup, own port", proxy.program("ztunnel_lookup"), zeros(0), new Uint8Array(lookup.buffer)],
];
if (values.json) {
  const figures = rows.map(([name, program, data, context]) => ({
    name,
    nanoseconds: nanoseconds(program, data, context),
  }));
  console.log(JSON.stringify(figures));
} else {
  const [load = 0] = loadavg();
  console.log(
    `Linux ${release()}, ${availableParallelism()} cores, load ${load.toFixed(1)}; ns a packet; ${repeat} runs, of which the fastest ${GO} in a row count`,
  );
  for (const [name, program, data, context] of rows) {
    console.log(`${name.padEnd(36)}${String(nanoseconds(program, data, context)).padStart(5)}`);
  }
}
