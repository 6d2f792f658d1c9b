import { hostPort } from "../lab/addresses.ts";
import type { Seen } from "../programs/endpoint/protocol.ts";
import { within } from "../slow.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { WARM_ROUNDS } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "kubelet-probe",
  number: 9,
  title: "Probes reach a member past the proxy, even when the proxy is dead",
  given: "a member; the proxy's process is stopped",
  when: "the node's own process asks the member by HTTP, as the kubelet does",
  outcome: "200 within a second; the member sees an address of the node",
  async run({ bed, family, temperature, expect }) {
    await bed.proxy.stop();
    try {
      if (temperature === "cold") bed.lab.cool();
      const url = `http://${hostPort(bed.m1.address(family), SERVER_PORT)}/healthz`;
      const probes = temperature === "cold" ? 1 : WARM_ROUNDS + 1;
      const bodies: string[] = [];
      for (let count = 0; count < probes; count++) {
        const asked = await bed.node.namespace.run("curl", ["-sS", "--max-time", String(within(1_000) / 1_000), url]);
        expect.equal("curl's exit status", asked.status, 0);
        bodies.push(asked.stdout);
      }
      const seen = JSON.parse(bodies.at(-1) ?? "") as Seen;
      const own = await bed.node.namespace.runChecked("ip", ["-o", "addr", "show"]);
      expect.that("the member saw an address of the node", own.includes(` ${seen.peer}/`), seen.peer);
    } finally {
      await bed.restartProxy();
    }
  },
});
