/**
 * Where in the chain our entry stands: last. Not before the primary, because the pod's interface must be there. `tuning` may give the
 * interface another MAC address or MTU, which a member's redirection holds. `bandwidth` adds an `ingress` queueing discipline to the
 * node's end of the pod's veth pair, which fails where the agent has put `clsact` before it: the two share one handle
 * (net/sched/sch_ingress.c). On DEL plugins run in reverse (CNI SPEC, section 3), so that ours lets go while the pod still has its address.
 *
 * What others append behind us later stays behind us, these aside: whoever insists on being last fights with the next who does.
 */
const MUST_RUN_BEFORE_US: ReadonlySet<string> = new Set(["tuning", "bandwidth"]);

/** Whether the plugin at `index` of a chain may stay there, if it is ours. */
export function standsWell(types: readonly string[], index: number): boolean {
  return index > 0 && !types.slice(index + 1).some((type) => MUST_RUN_BEFORE_US.has(type));
}
