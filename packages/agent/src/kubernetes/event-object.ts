import type { Series } from "./event-series.ts";
import { REASONS } from "./reasons.ts";
import { namespaceOf } from "./regarding.ts";

/** The name of the agent in Events: a qualified name, as `reportingController` has to be. */
export const CONTROLLER = "millrace.dev/agent";

/** The object as events.k8s.io/v1 has it. `name` is client-go's: the object's, and the time in nanoseconds as hex. */
export function eventObject(series: Series, name: string, node: string): object {
  const { regarding, reason, note, firstAt } = series;
  return {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name, namespace: namespaceOf(regarding) },
    eventTime: microTime(firstAt),
    ...(series.count > 1 && { series: seriesObject(series) }),
    reportingController: CONTROLLER,
    // At most 128 characters, and a node's name may have 253.
    reportingInstance: node.slice(0, 128),
    ...REASONS[reason],
    reason,
    regarding,
    note,
  };
}

export const seriesObject = ({ count, lastAt }: Series): object => ({ count, lastObservedTime: microTime(lastAt) });

/** MicroTime: RFC 3339 with six digits (apimachinery meta/v1 `micro_time.go`). */
const microTime = (ms: number): string => new Date(ms).toISOString().replace("Z", "000Z");

/** Two series about one object that begin in one millisecond are told apart by `serial`. At most 253 characters (RFC 1123 subdomain). */
export function eventName({ regarding, firstAt }: Series, serial: number): string {
  const suffix = (BigInt(firstAt) * 1_000_000n + BigInt(serial % 1_000_000)).toString(16);
  return `${regarding.name.slice(0, 253 - suffix.length - 1).replace(/[^a-z0-9]+$/, "")}.${suffix}`;
}
