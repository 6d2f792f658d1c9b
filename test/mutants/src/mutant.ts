import type { NodePolicy, Redirection, RedirectionBackend, Workload } from "@millrace/core";
import type { Rules } from "./rules.ts";

/** The eBPF backend with one change that a behaviour has to notice. */
export interface Mutant {
  /** Id of the behaviour that has to fail. */
  readonly behaviour: string;
  /** What is wrong, in a sentence. */
  readonly change: string;
  /** How its behaviour has to fail. Anything else, as an agent that does not start, catches nothing. */
  readonly failure: RegExp;
  /** Where it shows; default: IPv4, cold. */
  readonly family?: 6;
  readonly temperature?: "warm";
  /** One of these: what it makes of a node-wide choice, of some verbs of the backend, or of some of its redirection. */
  readonly policy?: Partial<NodePolicy>;
  readonly backend?: (base: RedirectionBackend) => Partial<RedirectionBackend>;
  readonly verbs?: (base: Redirection, rules: Rules) => Partial<Redirection>;
}

/** A backend or a redirection of which some verbs are others: the rest is the base's own. */
export function withVerbs<T extends object>(base: T, verbs: Partial<T>): T {
  return new Proxy(base, {
    get(target, name) {
      const changed = Reflect.get(verbs, name);
      if (changed !== undefined) return changed;
      const own = Reflect.get(target, name);
      return typeof own === "function" ? own.bind(target) : own;
    },
  });
}

/** Workloads are redirected as something else than what was asked for. */
export const applying =
  (change: (workload: Workload) => Workload): NonNullable<Mutant["verbs"]> =>
  (base) => ({ apply: (workload) => base.apply(change(workload)) });

/** Workloads exclude more than was asked for. */
export const excluding = (more: (workload: Workload) => Partial<Workload["exclusions"]>) =>
  applying((workload) => exclude(workload, more(workload)));

export function exclude(workload: Workload, more: Partial<Workload["exclusions"]>): Workload {
  const { outboundPorts, outboundCidrs, inboundPorts, inboundCidrs } = workload.exclusions;
  const ports = (own: readonly number[], others: readonly number[] = []) =>
    [...new Set([...own, ...others])].sort((a, b) => a - b);
  const cidrs = (own: readonly string[], others: readonly string[] = []) => [...new Set([...own, ...others])].sort();
  const exclusions = {
    outboundPorts: ports(outboundPorts, more.outboundPorts),
    outboundCidrs: cidrs(outboundCidrs, more.outboundCidrs),
    inboundPorts: ports(inboundPorts, more.inboundPorts),
    inboundCidrs: cidrs(inboundCidrs, more.inboundCidrs),
  };
  return { ...workload, exclusions };
}

/** Addresses as networks of one address each. */
export const asCidrs = (addresses: readonly string[]): string[] =>
  addresses.map((address) => `${address}/${address.includes(":") ? 128 : 32}`);
