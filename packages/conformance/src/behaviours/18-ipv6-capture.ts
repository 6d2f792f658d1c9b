import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";
import { countEscapes } from "../suite/escapes.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "ipv6-capture",
  number: 18,
  title: "IPv6 of a dual-stack member is captured like IPv4",
  given: "a dual-stack member",
  when: "it connects out and is connected to over IPv6, by its global addresses and by several ports",
  outcome: "every connection is captured; no SYN leaves the node past the proxy",
  families: [6],
  async run(trial) {
    const { bed, expect } = trial;
    await using escapes = await countEscapes(bed.node, bed.m1, [bed.p1]);
    for (const [from, to] of [
      [bed.m1, bed.ext],
      [bed.m1, bed.p1],
    ] as const) {
      const destination = { host: to.address(6), port: SERVER_PORT };
      const made = await contact(trial, from, destination);
      await expectCaptured(trial, made, { frontend: "outbound", source: from.address(6), destination });
    }
    const destination = { host: bed.m1.address(6), port: SERVER_PORT };
    const made = await contact(trial, bed.ext, destination);
    await expectCaptured(trial, made, { frontend: "inbound", source: bed.ext.address(6), destination });
    expect.equal("SYNs past the proxy", await escapes.count(), 0);
  },
});
