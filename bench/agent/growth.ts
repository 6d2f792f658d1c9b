import { onSignal } from "../signals.ts";
import type { Distribution } from "../statistics.ts";
import type { Variant } from "../variants.ts";
import { measure } from "../workloads/measure.ts";
import { BenchNode } from "../workloads/node.ts";

/** What so many workloads cost on one node. Milliseconds. */
export interface Growth {
  readonly variant: string;
  readonly count: number;
  /** One workload's redirection, one after the other from none to all. */
  readonly enrol: Distribution;
  /** The same of the last tenth of them: does it take longer where there are many? */
  readonly lastEnrol: Distribution;
  /** Everything from nothing, as many at once as the agent enrols. */
  readonly rebuild: number;
  /** Everything removed again. */
  readonly uninstall: number;
  /** Lines of the kernel's state that differ after all were enrolled once more: there must be none. */
  readonly changedAgain: number;
}

/**
 * Each way of redirecting, on one node with so many pods, one way after the other: each removes all it made before the next one begins. A pod is a network namespace with
 * a veth pair, both families and routes, and no process.
 */
export async function measureGrowth(
  count: number,
  variants: readonly Variant[],
  tell: (growth: Growth) => void,
): Promise<Growth[]> {
  using node = new BenchNode(count);
  using _ = onSignal(() => node[Symbol.dispose]());
  const all: Growth[] = [];
  for (const variant of variants) {
    const { apply: enrol, lastApply: lastEnrol, rebuild, uninstall, changedAgain } = await measure(node, variant);
    const growth = { variant: variant.name, count, enrol, lastEnrol, rebuild, uninstall, changedAgain };
    tell(growth);
    all.push(growth);
  }
  return all;
}
