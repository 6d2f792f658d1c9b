import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

const NODE_PORT = 30081;

export default defineBehaviour({
  id: "nodeport-local",
  number: 12,
  title: "A node port without masquerading keeps the client's address",
  given: "a node port with a member as endpoint, not masqueraded, as under externalTrafficPolicy: Local",
  when: "a host outside connects to the node port",
  outcome: "it is captured on 15006; proxy and member see the client's own address",
  async run(trial) {
    const { bed, family, expect } = trial;
    const rule = {
      address: bed.node.addresses,
      port: NODE_PORT,
      endpoint: bed.m1.addresses,
      endpointPort: SERVER_PORT,
    };
    await bed.node.services.add("local node port", rule);
    try {
      const made = await contact(trial, bed.ext, { host: bed.node.address(family), port: NODE_PORT });
      expect.equal("the member saw", made.seen.peer, bed.ext.address(family));
      const destination = { host: bed.m1.address(family), port: SERVER_PORT };
      await expectCaptured(trial, made, { frontend: "inbound", source: bed.ext.address(family), destination });
    } finally {
      await bed.node.services.remove("local node port");
    }
  },
});
