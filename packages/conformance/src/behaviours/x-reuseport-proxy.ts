import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured, recordsSince } from "../suite/contact.ts";
import { countEscapes } from "../suite/escapes.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

const CONNECTIONS = 40;

export default defineBehaviour({
  id: "x-reuseport-proxy",
  title: "A proxy may listen with several sockets per port",
  given: "a proxy with two threads and two listening sockets per port, joined by SO_REUSEPORT",
  when: "a member makes many connections",
  outcome: "all are captured and complete",
  async run(trial) {
    const { bed, family, expect } = trial;
    await bed.proxy.stop();
    await bed.restartProxy({ threads: 2, shards: 2 });
    try {
      const to = { host: bed.ext.address(family), port: SERVER_PORT };
      const made = await contact(trial, bed.m1, to);
      await expectCaptured(trial, made, { frontend: "outbound", source: bed.m1.address(family), destination: to });
      const since = bed.proxy.mark();
      await using escapes = await countEscapes(bed.node, bed.m1);
      const result = await (await bed.m1.endpoint()).ask("load", {
        targets: [to],
        rate: 200,
        seconds: CONNECTIONS / 200,
      });
      expect.equal("failed", result.failures, []);
      expect.equal("SYNs past the proxy", await escapes.count(), 0);
      // HAProxy's threads share one standard output and rather lose a line than wait for each other (src/fd.c, fd_write_frag_line()).
      const recorded = (await recordsSince(trial, since)).length;
      expect.that("recorded", recorded > CONNECTIONS / 2 && recorded <= CONNECTIONS, recorded);
    } finally {
      await bed.proxy.stop();
      await bed.restartProxy();
    }
  },
});
