import { serviceAddresses } from "../lab/addresses.ts";
import { compareSnapshots, snapshot } from "../snapshot/snapshot.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured, expectUntouched } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

const VIP = serviceAddresses(31);

export default defineBehaviour({
  id: "x-rp-filter-strict",
  title: "Strict reverse-path filtering breaks nothing",
  given: "a node and pods with net.ipv4.conf.*.rp_filter = 1, as some distributions set it",
  when: "members connect out, to each other and to a Service, and are connected to, by hosts outside and by the node",
  outcome: "all is captured as ever, the node's is not; uninstalling gives every sysctl its value back",
  bed: "bare",
  families: [4],
  async run(trial) {
    const { bed, family, expect } = trial;
    const hosts = [bed.node, ...bed.node.pods];
    await Promise.all(hosts.map((host) => setAll(host.namespace, 1)));
    try {
      const before = await snapshot(bed.node);
      await bed.start();
      await bed.node.services.add("strict", {
        address: VIP,
        port: 80,
        endpoint: bed.m2.addresses,
        endpointPort: SERVER_PORT,
      });
      const source = bed.m1.address(family);
      for (const destination of [
        { host: bed.ext.address(family), port: SERVER_PORT },
        { host: bed.m2.address(family), port: SERVER_PORT },
        { host: VIP[family], port: 80 },
      ]) {
        const made = await contact(trial, bed.m1, destination);
        expect.equal("the server saw", made.seen.peer, source);
        await expectCaptured(trial, made, { frontend: "outbound", source, destination });
      }
      const into = { host: source, port: SERVER_PORT };
      for (const from of [bed.ext, bed.p1, bed.s1]) {
        const made = await contact(trial, from, into);
        await expectCaptured(trial, made, { frontend: "inbound", source: from.address(family), destination: into });
      }
      await expectUntouched(trial, await contact(trial, bed.node, into));
      await bed.node.services.clear();
      const uninstalled = await bed.uninstall();
      expect.equal("exit status of uninstall", uninstalled.status, 0);
      expect.equal("what changed", compareSnapshots(before, await snapshot(bed.node)), []);
    } finally {
      await bed.node.services.clear();
      await Promise.all(hosts.map((host) => setAll(host.namespace, 0)));
    }
  },
});

/** `all`, `default` and each interface that is there: the kernel takes the highest of `all` and the interface's. */
async function setAll(namespace: { runChecked(file: string, args: string[]): Promise<string> }, value: number) {
  const script = `for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo ${value} > "$file"; done`;
  await namespace.runChecked("sh", ["-c", script]);
}
