import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "inbound-plaintext",
  number: 4,
  title: "TCP arriving at a member reaches the proxy",
  given: "a member that serves",
  when: "a host outside, and a pod of another node, connect to it",
  outcome: "the proxy sees each on 15006 with source and destination as they were; the member sees the original source",
  async run(trial) {
    const { bed, family, expect } = trial;
    const to = { host: bed.m1.address(family), port: SERVER_PORT };
    for (const from of [bed.ext, bed.s1]) {
      const made = await contact(trial, from, to);
      expect.equal(`the member saw, of ${from.name}`, made.seen.peer, from.address(family));
      await expectCaptured(trial, made, { frontend: "inbound", source: from.address(family), destination: to });
    }
  },
});
