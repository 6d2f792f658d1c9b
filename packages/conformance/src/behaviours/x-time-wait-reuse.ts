import { soon, within } from "../slow.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

/** Below those that the kernel chooses itself (net.ipv4.ip_local_port_range): one of these may be in TIME-WAIT on the host. */
let port = 20_000;

export default defineBehaviour({
  id: "x-time-wait-reuse",
  title: "A source port can be used again while the last connection is in TIME-WAIT",
  given: "a server that closes first, so that TIME-WAIT is at the proxy's end",
  when: "a member connects three times in a row from the same port, out and to another member; and a host outside to it",
  outcome: "each completes within a second (RFC 6191: a SYN with a later timestamp reopens)",
  async run({ bed, family, temperature, expect }) {
    for (const [from, to] of [
      [bed.m1, bed.ext],
      [bed.m1, bed.m2],
      [bed.ext, bed.m1],
    ] as const) {
      port += 1;
      const client = await from.endpoint();
      const dial = { host: to.address(family), port: SERVER_PORT, localPort: port, timeoutMs: within(3_000) };
      const times = temperature === "cold" ? 3 : 20;
      for (let time = 1; time <= times; time++) {
        const outcome = await client.ask("report", dial);
        expect.success(`${from.name} → ${to.name} from port ${port}, time ${time}`, outcome);
        expect.that("within a second", outcome.ms < soon(1_000), `${outcome.ms} ms`);
      }
    }
  },
});
