// Prints the TCP connections of a cgroup's processes: node read-events.ts read-events.bpf.o /sys/fs/cgroup
import { attachCgroup, BpfObject, btfCodec, readRingBuffer } from "libbpf-ts";

interface Event {
  time_ns: bigint;
  direction: "OPENED" | "ACCEPTED";
  remote_address: number;
  remote_port: number;
  local_port: number;
}

const [file = "read-events.bpf.o", cgroup = "/sys/fs/cgroup"] = process.argv.slice(2);
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

using object = BpfObject.open(file);
object.load();
const event = btfCodec<Event>(object.btf, object.btf.find("struct", "event"));
using _link = attachCgroup({ program: object.program("watch"), cgroup, attachType: "cgroup_sock_ops" });
console.log("watching");
try {
  // The next batch is read when the loop comes back for it; records wait in the kernel meanwhile.
  for await (const records of readRingBuffer(object.map("events"), stop)) {
    for (const record of records) {
      const { direction, remote_address, remote_port } = event.decode(record);
      const address = [24, 16, 8, 0].map((shift) => (remote_address >>> shift) & 0xff).join(".");
      console.log(`${direction} ${address}:${remote_port}`);
    }
  }
} catch (error) {
  if (!stop.signal.aborted) throw error;
}
console.log(`${object.variable("lost")} lost`);
