// Counts what a device receives and sends, until Ctrl-C: node count-packets.ts count-packets.bpf.o eth0

import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { attachTcx, BpfObject } from "libbpf-ts";

interface Traffic {
  packets: bigint;
  bytes: bigint;
}

const [file = "count-packets.bpf.o", device = "lo"] = process.argv.slice(2);
const ifindex = Number(readFileSync(`/sys/class/net/${device}/ifindex`, "utf8"));

using object = BpfObject.open(file);
object.load();
const program = object.program("count");
using _received = attachTcx({ program, ifindex, direction: "ingress" });
using _sent = attachTcx({ program, ifindex, direction: "egress" });
let stopped = false;
process.once("SIGINT", () => {
  stopped = true;
});
console.log("counting");
while (!stopped) await setTimeout(200);

// __be16 keys are numbers in host order, a value is there for each CPU.
for (const [protocol, perCpu] of object.typedPerCpuMap<number, Traffic>("traffic")) {
  const packets = perCpu.reduce((sum, traffic) => sum + traffic.packets, 0n);
  const bytes = perCpu.reduce((sum, traffic) => sum + traffic.bytes, 0n);
  console.log(`0x${protocol.toString(16).padStart(4, "0")}: ${packets} packets, ${bytes} bytes`);
}
// `using`: the links close, and with them the program leaves the device.
