import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

const NODE_PORT = 30080;

export default defineBehaviour({
  id: "nodeport-masquerade",
  number: 11,
  title: "A masqueraded node port leads through the proxy to a local member",
  given: "a node port with a member as endpoint, masqueraded as under externalTrafficPolicy: Cluster",
  when: "a host outside connects to the node port",
  outcome:
    "it is captured on 15006 and completes; proxy and member see the same source: the node's address or the client's, as documented for the backend",
  async run(trial) {
    const { bed, family, expect } = trial;
    const rule = {
      address: bed.node.addresses,
      port: NODE_PORT,
      endpoint: bed.m1.addresses,
      endpointPort: SERVER_PORT,
    };
    await bed.node.services.add("node port", { ...rule, masquerade: true });
    try {
      const made = await contact(trial, bed.ext, { host: bed.node.address(family), port: NODE_PORT });
      if (trial.difference("masqueraded-source") === "client") {
        expect.equal("the member saw", made.seen.peer, bed.ext.address(family));
      } else {
        const addresses = await bed.node.namespace.runChecked("ip", ["-o", "addr", "show"]);
        expect.that("the member saw an address of the node", addresses.includes(` ${made.seen.peer}/`), made.seen.peer);
      }
      const destination = { host: bed.m1.address(family), port: SERVER_PORT };
      await expectCaptured(trial, made, { frontend: "inbound", source: made.seen.peer, destination });
    } finally {
      await bed.node.services.remove("node port");
    }
  },
});
