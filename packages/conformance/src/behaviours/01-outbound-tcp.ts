import { within } from "../slow.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured, recordsSince } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

const BULK = 10_000_000;

export default defineBehaviour({
  id: "outbound-tcp",
  number: 1,
  title: "TCP leaving a member reaches the proxy",
  given: "a member and a ready proxy",
  when: "the member connects to a host outside",
  outcome:
    "the proxy sees it on 15001 with source and destination as they were; the server sees the member; 10 MB each way arrive whole",
  async run(trial) {
    const { bed, family, expect } = trial;
    const to = { host: bed.ext.address(family), port: SERVER_PORT };
    const source = bed.m1.address(family);
    const made = await contact(trial, bed.m1, to);
    expect.equal("the server saw", made.seen.peer, source);
    await expectCaptured(trial, made, { frontend: "outbound", source, destination: to });

    const client = await bed.m1.endpoint();
    const since = bed.proxy.mark();
    const up = expect.success("upload", await client.ask("upload", { ...to, bytes: BULK, timeoutMs: within(10_000) }));
    expect.equal("bytes that arrived", up.bytes, BULK);
    expect.equal("their SHA-256", up.sha256, up.sentSha256);
    expect.success("download", await client.ask("download", { ...to, bytes: BULK, timeoutMs: within(10_000) }));
    const bulk = await recordsSince(trial, since, 2);
    expect.equal(
      "bytes through the proxy",
      bulk.map(({ received, sent }) => received > BULK || sent >= BULK),
      [true, true],
    );
  },
});
