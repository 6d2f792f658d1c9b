import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { defineBehaviour } from "./behaviour.ts";
import { contact, expectCaptured, expectUntouched, recordsSince } from "./contact.ts";
import { eventually } from "./eventually.ts";
import { Suite } from "./run.ts";
import { SERVER_PORT } from "./testbed.ts";

const EXAMPLE = fileURLToPath(new URL("../../../../examples/backend-nftables/src/index.ts", import.meta.url));

/** What no behaviour asks of every backend: the choice of whoever runs the node. */
const open = defineBehaviour({
  id: "x-open",
  title: "Without a proxy, members' TCP passes where it is to",
  given: "failurePolicy: open",
  when: "the proxy is not Ready, and Ready again",
  outcome:
    "what a member begins and what is begun with it completes past the proxy, and goes on when that is back; new connections are captured then",
  async run(trial) {
    const { bed, family, expect } = trial;
    const out = { host: bed.ext.address(family), port: SERVER_PORT };
    const into = { host: bed.m1.address(family), port: SERVER_PORT };
    await bed.reconfigure({ failurePolicy: "open" });
    bed.node.applyPod(bed.z, { ready: false });
    await bed.agent.untilActive(undefined);
    // The agent has no active one by now; its backend has yet to hear of it.
    await eventually(expect, "members' TCP passes", async () => {
      const { since } = await contact(trial, bed.m1, out);
      const records = await recordsSince(trial, since);
      return { holds: records.length === 0, seen: records.length };
    });
    await expectUntouched(trial, await contact(trial, bed.ext, into));
    const client = await bed.m1.endpoint();
    const held = expect.success("a connection without a proxy", await client.ask("open", out));
    bed.node.applyPod(bed.z);
    await bed.agent.untilActive(bed.z);
    expect.success("goes on", await client.ask("exchange", { handle: held.handle, rounds: 3 }));
    const made = await contact(trial, bed.m1, out);
    await expectCaptured(trial, made, { frontend: "outbound", source: bed.m1.address(family), destination: out });
  },
});

test("the example lets by what members say without a proxy where that is the node's choice", {
  timeout: 300_000,
}, async () => {
  await using suite = new Suite({
    backend: "nftables",
    backendConfig: {},
    plugins: [EXAMPLE],
    behaviours: [open],
    temperatures: ["cold"],
  });
  for (const one of suite.cases) expect((await suite.run(one)).failure).toBeUndefined();
  expect(suite.cases).toHaveLength(2);
  await suite.end();
});
