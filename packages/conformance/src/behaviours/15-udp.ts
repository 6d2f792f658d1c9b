import { defineBehaviour } from "../suite/behaviour.ts";
import { WARM_ROUNDS } from "../suite/contact.ts";
import { countPackets } from "../suite/packet-counter.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "udp-both-ways",
  number: 15,
  title: "UDP never sees the proxy",
  given: "members, a plain pod, the node and a host outside; the proxy's namespace does not forward",
  when: "datagrams go between members, to and from outside, and to and from the node",
  outcome: "all come back, with the original source; none passes the proxy's namespace",
  async run({ bed, family, temperature, expect }) {
    if (temperature === "cold") bed.lab.cool();
    expect.equal(
      "net.ipv4.ip_forward in the proxy's namespace",
      await bed.z.namespace.sysctl("net.ipv4.ip_forward"),
      "0",
    );
    await using passing = await countPackets(bed.z.namespace, "meta l4proto udp");
    const pairs = [
      [bed.m1, bed.ext],
      [bed.ext, bed.m1],
      [bed.m1, bed.m2],
      [bed.p1, bed.m1],
      [bed.m1, bed.s1],
      [bed.node, bed.m1],
      [bed.m1, bed.node],
    ] as const;
    for (const [from, to] of pairs) {
      const client = await from.endpoint();
      const rounds = temperature === "cold" ? 1 : WARM_ROUNDS + 1;
      const dial = { host: to.address(family), port: SERVER_PORT, rounds };
      const { peer } = expect.success(`${from.name} → ${to.name}`, await client.ask("udp", dial));
      if (from !== bed.node) expect.equal(`${to.name} saw`, peer, from.address(family));
      const large = await client.ask("udp", { ...dial, rounds: 1, size: 4_000 });
      expect.success(`${from.name} → ${to.name}, in fragments`, large);
    }
    expect.equal("datagrams in the proxy's namespace", await passing.count(), 0);
  },
});
