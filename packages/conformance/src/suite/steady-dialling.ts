import { setTimeout as sleep } from "node:timers/promises";
import type { LabHost } from "../lab/lab-host.ts";
import type { Place } from "../programs/endpoint/protocol.ts";
import { within } from "../slow.ts";
import type { Expect } from "./expect.ts";

/** Between two connections, and between two round trips of a stream: what else runs needs the most of a slow machine. */
const DIAL_MS = within(50);
const STREAM_MS = within(20);

/** Streams and new connections that go on until they are stopped, and what became of them. */
export class SteadyDialling {
  readonly #from: LabHost;
  readonly #targets: readonly Place[];
  readonly #stop = new AbortController();
  readonly #failures: string[] = [];
  #escaped = 0;
  #captured = 0;
  #running: Promise<void> = Promise.resolve();
  #streams = 0;

  private constructor(from: LabHost, targets: readonly Place[]) {
    this.#from = from;
    this.#targets = targets;
  }

  static async start(from: LabHost, targets: readonly Place[]): Promise<SteadyDialling> {
    const dialling = new SteadyDialling(from, targets);
    const client = await from.endpoint();
    dialling.#streams = (await client.ask("startStreams", { targets, intervalMs: STREAM_MS })).handle;
    dialling.#running = dialling.#dial();
    // A behaviour that fails before it asks how this went leaves it running, until its client is ended with the lab: nobody waits for that then.
    dialling.#running.catch(() => undefined);
    return dialling;
  }

  /** Stops, and expects that nothing failed, no stream broke, and a proxy spoke for the client every time. */
  async expectUnbroken(expect: Expect): Promise<void> {
    this.#stop.abort();
    await this.#running;
    const client = await this.#from.endpoint();
    const streams = await client.ask("stopStreams", { handle: this.#streams });
    expect.equal("new connections that failed", this.#failures, []);
    expect.equal("new connections past the proxy", this.#escaped, 0);
    expect.that("new connections captured", this.#captured > 10, this.#captured);
    const broken = streams.filter(({ failure }) => failure !== undefined);
    expect.equal("streams that broke", broken, []);
    const rounds = streams.map((stream) => stream.rounds);
    expect.that(
      "every stream went on",
      rounds.every((count) => count > 10),
      rounds,
    );
  }

  async #dial(): Promise<void> {
    const client = await this.#from.endpoint();
    for (let count = 0; !this.#stop.signal.aborted; count++) {
      const target = this.#targets[count % this.#targets.length];
      if (target === undefined) return;
      const outcome = await client.ask("report", target);
      if (!outcome.ok) this.#failures.push(`${target.host}: ${outcome.failure} after ${outcome.ms} ms`);
      else if (outcome.value.peerPort === outcome.localPort) this.#escaped++;
      else this.#captured++;
      await sleep(DIAL_MS);
    }
  }
}
