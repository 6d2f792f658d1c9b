import { PROXY_PORTS } from "../programs/haproxy-config.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";

export default defineBehaviour({
  id: "no-hbone-confusion",
  number: 6,
  title: "A member's ports 15001 and 15006 are ports like any other",
  given: "a member that serves on 15001 and 15006",
  when: "a host outside connects to these ports of the member",
  outcome: "each is captured once on 15006, with the port that was dialled, and ends at the member; nothing loops",
  async run(trial) {
    const { bed, family, expect } = trial;
    for (const port of [PROXY_PORTS.outbound, PROXY_PORTS.inbound]) {
      const to = { host: bed.m1.address(family), port };
      const made = await contact(trial, bed.ext, to);
      expect.equal("the member served it on", made.seen.localPort, port);
      await expectCaptured(trial, made, { frontend: "inbound", source: bed.ext.address(family), destination: to });
    }
  },
});
