import { HBONE_SINK_PORT, PROXY_PORTS } from "../programs/haproxy-config.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";

export default defineBehaviour({
  id: "inbound-hbone",
  number: 5,
  title: "HBONE arriving at a member reaches the proxy's HBONE port",
  given: "a member; it serves on 15008 itself, which nobody must notice",
  when: "a host outside connects to the member's port 15008",
  outcome: "the proxy gets it on 15008 with the member's address as destination; nothing arrives at the member",
  async run(trial) {
    const { bed, family, expect } = trial;
    const to = { host: bed.m1.address(family), port: PROXY_PORTS.hbone };
    const member = await bed.m1.endpoint();
    await member.ask("accepted", { clear: true });
    const made = await contact(trial, bed.ext, to);
    expect.equal("answered by the proxy's sink", made.seen.localPort, HBONE_SINK_PORT);
    await expectCaptured(trial, made, { frontend: "hbone", source: bed.ext.address(family), destination: to });
    expect.equal("connections the member accepted", await member.ask("accepted", { port: PROXY_PORTS.hbone }), []);
  },
});
