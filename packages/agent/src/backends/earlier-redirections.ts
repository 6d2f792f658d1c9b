import type { Observation, Plugin, Proxies, Redirection, WorkloadUid } from "@millrace/core";
import { AgentError } from "../errors.ts";
import { describeError } from "../logging/describe-error.ts";
import type { Logger } from "../logging/logger.ts";
import type { Backends } from "./backends.ts";
import type { UsedBackends } from "./used-backends.ts";

/** A redirection that an earlier run made by another backend than the one that serves now. */
export interface EarlierRedirection {
  readonly backend: string;
  readonly redirection: Redirection;
  /** What it had in the kernel when this run began. */
  readonly observation: Observation;
}

/**
 * What earlier runs left in the kernel by other backends. It goes on redirecting until the backend that serves has taken its members
 * over, and is uninstalled then: a member is captured by one or the other at every moment, and by one only in the end.
 */
export class EarlierRedirections implements AsyncDisposable {
  readonly #all: EarlierRedirection[] = [];
  readonly #used: UsedBackends;

  private constructor(used: UsedBackends) {
    this.#used = used;
  }

  /**
   * Opens all of them but the first one's, which serves, and those of the others, which a switch has to do with. Throws `ERR_EARLIER_REDIRECTION` when one cannot be opened: nobody could keep it up to date or
   * take it away, so that its members would be half in the hands of either.
   */
  static async open(
    { plugins, create }: Backends,
    used: UsedBackends,
    [serving, ...switching]: readonly [string, ...(string | undefined)[]],
  ): Promise<EarlierRedirections> {
    const earlier = new EarlierRedirections(used);
    try {
      for (const name of used.names().filter((noted) => noted !== serving && !switching.includes(noted))) {
        const redirection = await openEarlier(name, plugins, create, serving);
        earlier.#all.push({ backend: name, redirection, observation: await redirection.observe() });
      }
      return earlier;
    } catch (error) {
      await earlier[Symbol.asyncDispose]();
      throw error;
    }
  }

  get all(): readonly EarlierRedirection[] {
    return this.#all;
  }

  get next(): EarlierRedirection | undefined {
    return this.#all[0];
  }

  /** Whether one of them redirects this workload. */
  has(uid: WorkloadUid): boolean {
    return this.#all.some(({ observation }) => observation.workloads.some((workload) => workload.uid === uid));
  }

  /** Uninstalls {@link next}; it stays the next one when that fails. */
  async retireNext(log: Logger, inUse: Proxies): Promise<void> {
    const next = this.next;
    if (next === undefined) return;
    const { workloads, proxies } = next.observation;
    const left = await withdrawn(next.redirection, inUse);
    // What open connections need is taken away when their proxy is gone: by a later run, or by an uninstallation.
    if (left === "gone") this.#used.forget(next.backend);
    this.#all.shift();
    await next.redirection[Symbol.asyncDispose]();
    log.info(
      { backend: next.backend, workloads: workloads.length, proxies: proxies.length },
      "redirection of an earlier run's backend removed",
    );
  }

  /** Leaves their data paths running. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { redirection } of this.#all.splice(0)) await redirection[Symbol.asyncDispose]();
  }
}

/**
 * Makes `redirection` take members over from `earlier`. What such a member has open is the proxy's, and to it such connections must go
 * on going: `drain` would let them by, because to this backend they are older than the enrolment.
 */
export function takingOver(redirection: Redirection, earlier: EarlierRedirections): Redirection {
  return {
    ...redirection,
    apply: (workload) =>
      redirection.apply(earlier.has(workload.uid) ? { ...workload, enrolExisting: "reset" } : workload),
  };
}

async function withdrawn(redirection: Redirection, inUse: Proxies): Promise<"gone" | "standby"> {
  if (redirection.withdraw !== undefined) return redirection.withdraw(inUse);
  await redirection.uninstall();
  return "gone";
}

/** Throws `ERR_EARLIER_REDIRECTION`. */
export async function openEarlier(
  name: string,
  plugins: readonly Plugin[],
  create: Backends["create"],
  serving: string,
): Promise<Redirection> {
  const plugin = plugins.find((candidate) => candidate.name === name);
  const refuse = (why: string, cause?: unknown) =>
    new AgentError(
      "ERR_EARLIER_REDIRECTION",
      `an earlier run redirected by ${name}, ${serving} is to serve now, and ${name} cannot take its own away: ${why}`,
      { cause },
    );
  if (plugin === undefined) throw refuse("its plugin is not loaded");
  try {
    return await create(plugin).open();
  } catch (error) {
    throw refuse(describeError(error).message, error);
  }
}
