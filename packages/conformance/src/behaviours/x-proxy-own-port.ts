import { hostPort } from "../lab/addresses.ts";
import { PROXY_PORTS } from "../programs/haproxy-config.ts";
import { within } from "../slow.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { recordsSince, WARM_ROUNDS } from "../suite/contact.ts";

export default defineBehaviour({
  id: "x-proxy-own-port",
  title: "The proxy's own ports answer as always, and it is never made to dial itself",
  given: "a proxy with a readiness port of its own",
  when: "the node, a plain pod, a member and a host outside ask that port; then a plain pod and a member connect to its capture ports",
  outcome:
    "the readiness port answers everybody; the capture ports refuse those who dial them, at once; the proxy records nothing",
  async run(trial) {
    const { bed, family, temperature, expect } = trial;
    if (temperature === "cold") bed.lab.cool();
    const since = bed.proxy.mark();
    const host = bed.z.address(family);
    const url = `http://${hostPort(host, PROXY_PORTS.readiness)}/`;
    for (const from of [bed.node, bed.p1, bed.m1, bed.ext]) {
      const times = temperature === "cold" ? 1 : WARM_ROUNDS / 4;
      for (let time = 0; time < times; time++) {
        const asked = await from.namespace.run("curl", ["-sS", "--max-time", String(within(2_000) / 1_000), url]);
        expect.equal(`${from.name} got`, `${asked.status} ${asked.stdout}${asked.stderr}`, "0 ready");
      }
    }
    for (const from of [bed.p1, bed.m1]) {
      for (const port of [PROXY_PORTS.outbound, PROXY_PORTS.inbound]) {
        const outcome = await (await from.endpoint()).ask("report", { host, port, timeoutMs: within(2_000) });
        expect.failure(`${from.name} → the proxy's port ${port}`, outcome);
        expect.that("at once", !outcome.ok && outcome.failure !== "TIMEOUT", `${outcome.ms} ms`);
      }
    }
    expect.equal("the proxy recorded", (await recordsSince(trial, since)).length, 0);
  },
});
