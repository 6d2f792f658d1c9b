import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "member-to-member-same-node",
  number: 7,
  title: "Between members of one node the proxy sees a connection once",
  given: "two members on one node",
  when: "one connects to the other",
  outcome:
    "the proxy sees it once, on 15001, and what it dials itself is not captured again; the server sees the client's address",
  async run(trial) {
    const { bed, family, expect } = trial;
    const to = { host: bed.m2.address(family), port: SERVER_PORT };
    const made = await contact(trial, bed.m1, to);
    expect.equal("the server saw", made.seen.peer, bed.m1.address(family));
    await expectCaptured(trial, made, { frontend: "outbound", source: bed.m1.address(family), destination: to });
  },
});
