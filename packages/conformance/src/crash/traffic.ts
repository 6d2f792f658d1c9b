import { FAMILIES } from "../lab/addresses.ts";
import type { LabHost } from "../lab/lab-host.ts";
import type { LoadFailure, Place, StreamResult } from "../programs/endpoint/protocol.ts";
import type { Endpoint } from "../programs/endpoint.ts";
import { SLOW, within } from "../slow.ts";

export const PORT = 8080;

/** One sender, with the share it has of the new connections. */
export interface Sender {
  readonly from: LabHost;
  readonly to: readonly LabHost[];
  /** New connections a second, on a usual machine. */
  readonly rate: number;
}

/** A connection that failed: when it was begun, in milliseconds since the epoch, and how. */
export interface Failed {
  readonly at: number;
  readonly what: string;
}

export interface Ended {
  readonly connections: number;
  readonly failed: readonly Failed[];
  readonly streams: number;
  readonly broken: readonly string[];
}

const BURST_SECONDS = 2;
const STREAMS = 4;

/** New connections at a steady rate, in bursts that follow each other, and streams that stay, until it is ended. */
export class Traffic {
  readonly #stop = new AbortController();
  readonly #loads: Promise<void>[];
  readonly #failed: Failed[] = [];
  #connections = 0;
  readonly #streams: [Endpoint, { handle: number }][] = [];

  private constructor(senders: readonly Sender[]) {
    this.#loads = senders.map((sender) => this.#load(sender));
  }

  static async start(senders: readonly Sender[], streams: readonly Omit<Sender, "rate">[] = []): Promise<Traffic> {
    const traffic = new Traffic(senders);
    for (const { from, to } of streams) {
      const endpoint = await from.endpoint();
      const targets = Array.from({ length: STREAMS }, (_, index) => places(to)[index % places(to).length] as Place);
      traffic.#streams.push([endpoint, await endpoint.ask("startStreams", { targets, intervalMs: 50 * SLOW })]);
    }
    return traffic;
  }

  /** Ends it and waits for what is on its way. */
  async end(): Promise<Ended> {
    this.#stop.abort();
    const kept: StreamResult[] = [];
    await Promise.all(this.#loads);
    for (const [endpoint, handle] of this.#streams) kept.push(...(await endpoint.ask("stopStreams", handle)));
    const broken = kept.flatMap(({ host, rounds, failure }) =>
      failure === undefined ? [] : [`${failure} after ${rounds} rounds with ${host}`],
    );
    return { connections: this.#connections, failed: this.#failed, streams: kept.length, broken };
  }

  async #load({ from, to, rate }: Sender): Promise<void> {
    const endpoint = await from.endpoint();
    while (!this.#stop.signal.aborted) {
      const began = Date.now();
      const wanted = { targets: places(to), rate: rate / SLOW, seconds: BURST_SECONDS, timeoutMs: within(8_000) };
      const { attempts, failures } = await endpoint.ask("load", wanted);
      this.#connections += attempts;
      this.#failed.push(...failures.map((failure) => ({ at: began + failure.atMs, what: describe(from, failure) })));
    }
  }
}

const places = (hosts: readonly LabHost[]): Place[] =>
  FAMILIES.flatMap((family) => hosts.map((host) => ({ host: host.address(family), port: PORT })));

const describe = (from: LabHost, { target, failure, connected, ms }: LoadFailure): string =>
  `${from.name} to ${target.host}: ${failure} after ${Math.round(ms)} ms, ${connected ? "connected" : "not connected"}`;
