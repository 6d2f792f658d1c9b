import { serviceAddresses } from "../lab/addresses.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured, expectUntouched } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

const VIP = serviceAddresses(22);

export default defineBehaviour({
  id: "proxy-dials-service",
  number: "2b",
  title: "The proxy reaches a Service address whose endpoint is a member of its own node",
  given: "a Service address whose endpoint is a member on the node",
  when: "another member, a plain pod, and the proxy's own namespace connect to the Service address",
  outcome:
    "all complete: of the first the proxy sees the Service address and dials it for the member; the second is captured where it arrives, at the endpoint; the proxy's own is captured nowhere",
  async run(trial) {
    const { bed, family, expect } = trial;
    const to = { host: VIP[family], port: 80 };
    await bed.node.services.add("local endpoint", {
      address: VIP,
      port: 80,
      endpoint: bed.m2.addresses,
      endpointPort: SERVER_PORT,
    });
    try {
      const endpoint = { host: bed.m2.address(family), port: SERVER_PORT };
      const member = await contact(trial, bed.m1, to);
      expect.equal("the endpoint saw, of the member", member.seen.peer, bed.m1.address(family));
      await expectCaptured(trial, member, { frontend: "outbound", source: bed.m1.address(family), destination: to });

      const plain = await contact(trial, bed.p1, to);
      expect.equal("the endpoint saw, of the plain pod", plain.seen.peer, bed.p1.address(family));
      await expectCaptured(trial, plain, {
        frontend: "inbound",
        source: bed.p1.address(family),
        destination: endpoint,
      });

      const own = await contact(trial, bed.z, to);
      expect.equal("the endpoint saw, of the proxy itself", own.seen.peer, bed.z.address(family));
      await expectUntouched(trial, own);
    } finally {
      await bed.node.services.remove("local endpoint");
    }
  },
});
