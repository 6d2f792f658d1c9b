// Runs a command that may not connect to some ports: node refuse-connections.ts refuse-connections.bpf.o 25,465 -- curl …
import { spawnSync } from "node:child_process";
import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { attachCgroup, BpfObject } from "libbpf-ts";

const [file = "refuse-connections.bpf.o", ports = "25", , ...command] = process.argv.slice(2);
const root = process.env.CGROUP2 ?? "/sys/fs/cgroup";
const cgroup = `${root}/refuse-${process.pid}`;

using object = BpfObject.open(file);
object.load();
const refused = object.typedMap<number, bigint>("refused");
refused.setAll(ports.split(",").map((port) => [Number(port), 0n]));

mkdirSync(cgroup);
{
  using _link = attachCgroup({ program: object.program("connect"), cgroup, attachType: "cgroup_inet4_connect" });
  writeFileSync(`${cgroup}/cgroup.procs`, String(process.pid));
  const { status } = spawnSync(command[0] ?? "true", command.slice(1), { stdio: "inherit" });
  process.exitCode = status ?? 1;
  writeFileSync(`${root}/cgroup.procs`, String(process.pid));
}
rmdirSync(cgroup);
for (const [port, times] of refused) console.log(`port ${port}: ${times} refused`);
