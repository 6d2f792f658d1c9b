import { serviceAddresses } from "../lab/addresses.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

const VIP = serviceAddresses(3);

export default defineBehaviour({
  id: "outbound-vip-local-address",
  number: 3,
  title: "A Service address that the node holds itself is captured all the same",
  given: "a Service address that is bound to an interface of the node, as kube-proxy does in its IPVS mode",
  when: "a member connects to the Service address",
  outcome: "the proxy sees the Service address as destination, and the connection ends at the endpoint",
  async run(trial) {
    const { bed, family, expect } = trial;
    const to = { host: VIP[family], port: 80 };
    const { namespace, services } = bed.node;
    await namespace.ip(
      "link add kube-ipvs0 up type bridge",
      `addr add ${VIP[4]}/32 dev kube-ipvs0`,
      `addr add ${VIP[6]}/128 dev kube-ipvs0 nodad`,
    );
    await services.add("local vip", { address: VIP, port: 80, endpoint: bed.ext.addresses, endpointPort: SERVER_PORT });
    try {
      const made = await contact(trial, bed.m1, to);
      expect.equal("the server saw", made.seen.peer, bed.m1.address(family));
      expect.equal("on its own address", made.seen.local, bed.ext.address(family));
      await expectCaptured(trial, made, { frontend: "outbound", source: bed.m1.address(family), destination: to });
    } finally {
      await services.remove("local vip");
      await namespace.ip("link del kube-ipvs0");
    }
  },
});
