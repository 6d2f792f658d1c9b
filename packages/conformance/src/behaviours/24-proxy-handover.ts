import { setTimeout as sleep } from "node:timers/promises";
import type { Output } from "../programs/endpoint/protocol.ts";
import { within } from "../slow.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { WARM_ROUNDS } from "../suite/contact.ts";
import { countEscapes } from "../suite/escapes.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

const RATE = 100;

export default defineBehaviour({
  id: "proxy-handover",
  number: 24,
  title: "Replacing the proxy breaks nothing",
  given: "streams through the proxy z1, and 100 new connections a second",
  when: "a newer proxy z2 becomes Ready; then z1 is deleted, stops listening and serves what it has to the end",
  outcome: "no new connection fails, no stream breaks, z2 takes all that is new, and no SYN leaves past both",
  async run({ bed, family, temperature, expect }) {
    const targets = [bed.ext, bed.s1, bed.m2].map((host) => ({ host: host.address(family), port: SERVER_PORT }));
    const client = await bed.m1.endpoint();
    if (temperature === "warm") {
      for (const target of targets) {
        const { handle } = expect.success("a connection", await client.ask("open", target));
        expect.success("its round trips", await client.ask("exchange", { handle, rounds: WARM_ROUNDS }));
        await client.ask("close", { handle });
      }
    }
    await bed.settle();
    const z1 = bed.proxy;
    const before = z1.mark();
    await using escapes = await countEscapes(bed.node, bed.m1, [bed.m2, bed.p1]);
    const streams = await client.ask("startStreams", { targets: [...targets, ...targets], intervalMs: 20 });
    const z2 = await bed.addProxy();
    // Second by second for as long as the change takes, and one second more.
    const results: Output<"load">[] = [];
    let isChanging = true;
    const loads = (async () => {
      for (let isLast = false; !isLast; ) {
        isLast = !isChanging;
        results.push(await client.ask("load", { targets, rate: RATE, seconds: 1 }));
      }
    })();
    try {
      await sleep(500);
      bed.node.applyPod(z2.pod);
      await bed.agent.untilActive(z2.pod);
      bed.node.applyPod(bed.z, { deletedAt: new Date() });
      z1.drain();
    } finally {
      isChanging = false;
      await loads;
    }

    const attempts = results.reduce((sum, result) => sum + result.attempts, 0);
    expect.note("load", { attempts, latencyMs: results.map(({ latencyMs }) => latencyMs) });
    expect.equal(
      "new connections that failed",
      results.flatMap(({ failures }) => failures),
      [],
    );
    const ended = () => z1.since(before).length + z2.since().length;
    for (const deadline = performance.now() + within(10_000); ended() < attempts; ) {
      if (performance.now() > deadline) break;
      await bed.settle();
    }
    await bed.settle();
    const atZ1 = z1.since(before).length;
    expect.equal("new connections, by z1 and z2 together", atZ1 + z2.since().length, attempts);
    expect.that("both took some", atZ1 > 0 && z2.since().length > 0, `z1 ${atZ1}, z2 ${z2.since().length}`);

    const held = await client.ask("stopStreams", { handle: streams.handle });
    expect.equal(
      "streams that broke",
      held.filter(({ failure }) => failure !== undefined),
      [],
    );
    expect.that(
      "every stream went on",
      held.every(({ rounds }) => rounds > 20),
      held.map(({ rounds }) => rounds),
    );
    await Promise.race([z1.program.ended, sleep(within(10_000))]);
    expect.equal("z1 ended by itself", z1.program.running, false);
    expect.equal("streams, all by z1", z1.since(before).length - atZ1, held.length);
    expect.equal("SYNs past the proxies", await escapes.count(), 0);
    await bed.succeed(z2);
  },
});
