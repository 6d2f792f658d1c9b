import { serviceAddresses } from "../lab/addresses.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

const VIP = serviceAddresses(2);

export default defineBehaviour({
  id: "outbound-vip",
  number: 2,
  title: "A Service address stays one until the proxy has seen it",
  given: "the node translates a Service address to an endpoint, as kube-proxy does",
  when: "a member connects to the Service address",
  outcome:
    "the proxy sees the Service address, not the endpoint; the node's translation table has no entry of the member's own connection",
  async run(trial) {
    const { bed, family, expect } = trial;
    const to = { host: VIP[family], port: 80 };
    await bed.node.services.add("vip", {
      address: VIP,
      port: 80,
      endpoint: bed.ext.addresses,
      endpointPort: SERVER_PORT,
    });
    try {
      const made = await contact(trial, bed.m1, to);
      expect.equal("the server saw", made.seen.peer, bed.m1.address(family));
      expect.equal("on its own address", made.seen.local, bed.ext.address(family));
      await expectCaptured(trial, made, { frontend: "outbound", source: bed.m1.address(family), destination: to });

      const client = await bed.m1.endpoint();
      const { handle } = expect.success("a connection", await client.ask("open", to));
      const echoed = await client.ask("exchange", { handle, rounds: 2 });
      expect.success("round trips", echoed);
      const localPort = echoed.ok ? echoed.localPort : 0;
      const filter = [
        "-L",
        "-f",
        `ipv${family}`,
        "-p",
        "tcp",
        "--orig-src",
        bed.m1.address(family),
        "--sport",
        String(localPort),
      ];
      const entries = (await bed.node.namespace.runChecked("conntrack", filter))
        .split("\n")
        .filter((line) => line !== "");
      await client.ask("close", { handle });
      // The proxy dials from a port of its own choice, so an entry with the client's port would be the client's packets.
      expect.equal(
        "translated entries of the member's own connection",
        entries.filter((line) => line.includes(bed.ext.address(family))),
        [],
      );
    } finally {
      await bed.node.services.remove("vip");
    }
  },
});
