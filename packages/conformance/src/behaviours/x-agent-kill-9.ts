import { setTimeout as sleep } from "node:timers/promises";
import { compareSnapshots, snapshot } from "../snapshot/snapshot.ts";
import { defineBehaviour, type Trial } from "../suite/behaviour.ts";
import { recordsSince } from "../suite/contact.ts";
import { countEscapes } from "../suite/escapes.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

const RATE = 50;
const SECONDS = 3;

export default defineBehaviour({
  id: "x-agent-kill-9",
  title: "Traffic does not notice that the agent dies and comes back",
  given: "streams and 50 new connections a second through the proxy",
  when: "the agent is killed with SIGKILL and started again",
  outcome:
    "nothing fails or goes past the proxy meanwhile; the restarted agent adopts what is there and changes nothing",
  bed: "own",
  temperatures: ["warm"],
  async run(trial) {
    const { bed, expect } = trial;
    const before = await snapshot(bed.node);
    await killUnderLoad(trial);
    expect.equal("what changed", compareSnapshots(before, await snapshot(bed.node)), []);
  },
});

async function killUnderLoad(trial: Trial): Promise<void> {
  const { bed, family, expect } = trial;
  const targets = [bed.ext, bed.m2].map((host) => ({ host: host.address(family), port: SERVER_PORT }));
  const client = await bed.m1.endpoint();
  const since = bed.proxy.mark();
  await using escapes = await countEscapes(bed.node, bed.m1, [bed.m2]);
  const streams = await client.ask("startStreams", { targets, intervalMs: 10 });
  const load = client.ask("load", { targets, rate: RATE, seconds: SECONDS });
  await sleep(400);
  await bed.agent.kill();
  await sleep(400);
  await bed.agent.restart();
  await bed.agent.untilActive(bed.z);
  await bed.agent.untilEnrolled(bed.m1, bed.m2);
  const result = await load;
  expect.equal("new connections that failed", result.failures, []);
  const held = await client.ask("stopStreams", { handle: streams.handle });
  expect.equal(
    "streams that broke",
    held.filter(({ failure }) => failure !== undefined),
    [],
  );
  const captured = await recordsSince(trial, since, RATE * SECONDS + held.length);
  expect.equal("captured", captured.length, RATE * SECONDS + held.length);
  expect.equal("SYNs past the proxy", await escapes.count(), 0);
}
