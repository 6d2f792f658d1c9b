import { within } from "../slow.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

const BULK = 2_000_000;

export default defineBehaviour({
  id: "pmtu-large",
  number: 17,
  title: "Path MTU discovery works for what the proxy dials",
  given: "a host behind a path whose middle has an MTU of 1400, while both ends have 1500",
  when: "a member uploads to it and downloads from it, and it uploads to the member",
  outcome: "all bytes arrive within seconds: no black hole",
  async run({ bed, family, temperature, expect }) {
    const far = { host: bed.far.address(family), port: SERVER_PORT };
    const member = { host: bed.m1.address(family), port: SERVER_PORT };
    // Cold means that the kernels have to find it out.
    if (temperature === "cold") {
      bed.lab.cool();
      await bed.forgetPaths();
    }
    const client = await bed.m1.endpoint();
    const up = expect.success("upload", await client.ask("upload", { ...far, bytes: BULK, timeoutMs: within(6_000) }));
    expect.equal("bytes that arrived", up.bytes, BULK);
    expect.success("download", await client.ask("download", { ...far, bytes: BULK, timeoutMs: within(6_000) }));
    const outside = await bed.far.endpoint();
    const back = expect.success(
      "upload to the member",
      await outside.ask("upload", { ...member, bytes: BULK, timeoutMs: within(6_000) }),
    );
    expect.equal("bytes that arrived at the member", back.bytes, BULK);
    const down = await outside.ask("download", { ...member, bytes: BULK, timeoutMs: within(6_000) });
    expect.success("download from the member", down);
  },
});
