import { serviceAddresses } from "../lab/addresses.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured, expectUntouched } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

const VIP = serviceAddresses(14);

export default defineBehaviour({
  id: "self-call",
  number: 14,
  title: "A member reaches itself, by its own address and through a Service",
  given: "a Service address whose only endpoint is the member itself",
  when: "the member connects to its own address, and to the Service address",
  outcome:
    "both complete; the first never leaves the pod, the second is captured once with the Service address as destination",
  async run(trial) {
    const { bed, family, expect } = trial;
    const own = await contact(trial, bed.m1, { host: bed.m1.address(family), port: SERVER_PORT });
    expect.equal("it saw itself", own.seen.peer, bed.m1.address(family));
    await expectUntouched(trial, own);

    await bed.node.services.add("self", {
      address: VIP,
      port: 80,
      endpoint: bed.m1.addresses,
      endpointPort: SERVER_PORT,
    });
    try {
      const to = { host: VIP[family], port: 80 };
      const made = await contact(trial, bed.m1, to);
      expect.note("the member saw", made.seen.peer);
      await expectCaptured(trial, made, { frontend: "outbound", source: bed.m1.address(family), destination: to });
    } finally {
      await bed.node.services.remove("self");
    }
  },
});
