import type { EventData, EventRecord, EventType, Placement } from "@millrace/core/internal";
import type { Palette } from "../cli/colour.ts";

type Summaries = { readonly [Type in EventType]: (data: EventData[Type]) => string };

const list = (items: readonly string[]): string => (items.length === 0 ? "none" : items.join(","));
const pairs = (labels: Readonly<Record<string, string>>): string =>
  list(Object.entries(labels).map(([key, value]) => `${key}=${value}`));
const words = (...parts: (string | false)[]): string => parts.filter((part) => part !== false && part !== "").join(" ");

/** Who is to have it in the middle of a switch. */
const placed = ({ placement }: { readonly placement?: Placement }): string | false =>
  placement !== undefined &&
  [
    `by ${placement.on}`,
    ...(placement.joins === undefined ? [] : [`${placement.joins} joins`]),
    ...(placement.leaves === undefined ? [] : [`${placement.leaves} leaves`]),
  ].join(", ");

function intent(data: EventData["redirection.requested"]): string {
  const because = `because of ${data.cause}`;
  switch (data.action) {
    case "apply": {
      const { namespace, name, addresses, interface: veth } = data.spec;
      return words(
        "apply",
        `${namespace}/${name}`,
        list(addresses),
        `${veth.hostName}(${veth.hostIndex})`,
        placed(data.spec),
        because,
      );
    }
    case "remove":
      return words("remove", data.spec.uid, because);
    case "use-proxies": {
      const active = data.spec.active === undefined ? "none" : `${data.spec.active.namespace}/${data.spec.active.name}`;
      const draining = data.spec.draining.map((proxy) => `${proxy.namespace}/${proxy.name}`);
      return words(
        "use-proxies",
        `active ${active}`,
        draining.length > 0 && `draining ${list(draining)}`,
        placed(data.spec),
        because,
      );
    }
    case "use-node":
      return words("use-node", list(data.spec.addresses), because);
  }
}

const outcome = (data: { action: string; generation: number; durationMs: number; attempt: number }): string =>
  words(
    data.action,
    `intent ${data.generation}`,
    `${data.durationMs} ms`,
    data.attempt > 1 && `attempt ${data.attempt}`,
  );

/** The gist of each event in a few words, in the vocabulary of the documentation. */
const summaries: Summaries = {
  "agent.started": ({ version, node, config }) =>
    words(`version ${version}`, `node ${node}`, `redirectMode ${config.redirectMode}`, `fails ${config.failurePolicy}`),
  "agent.stopped": ({ reason }) => reason,
  "backend.selected": ({ mode, backend, reason }) => words(backend, `for redirectMode ${mode}:`, reason),
  "switch.requested": ({ to, uids, reason }) =>
    words(`to ${to}`, uids !== undefined && `of ${list(uids)}`, `because ${reason}`),
  "log.gap": ({ count, reason, unread }) =>
    words(!unread && (count === 0 ? "events written late:" : `${count} events not recorded:`), reason),
  "namespace.observed": ({ labels }) => pairs(labels),
  "namespace.removed": () => "",
  "pod.observed": (pod) =>
    words(
      `${pod.namespace}/${pod.name}`,
      pod.phase,
      pod.ready ? "ready" : "not ready",
      pod.terminating && "terminating",
      pod.hostNetwork && "hostNetwork",
      list(pod.addresses),
    ),
  "pod.removed": () => "",
  "node.observed": ({ name, addresses }) => words(name, list(addresses)),
  "host.addresses": ({ addresses }) => list(addresses),
  "watch.synced": () => "",
  "watch.lost": ({ reason }) => reason,
  "interface.added": (found) =>
    words(
      `${found.namespace}/${found.name}`,
      `${found.hostIfName}(${found.hostIfIndex})`,
      list(found.addresses),
      `netns ${found.netnsInode}`,
      `by ${found.source}`,
    ),
  "interface.removed": ({ uid }) => `pod ${uid}`,
  "discovery.failed": ({ attempts }) => attempts.map(({ method, outcome: how }) => `${method}: ${how}`).join("; "),
  "link.changed": ({ name, change }) => words(name, change),
  "proxies.found": ({ proxies }) => list(proxies.map(({ name, role }) => `${role} ${name}`)),
  "redirection.requested": intent,
  "redirection.applied": outcome,
  "redirection.removed": outcome,
  "redirection.failed": (data) => words(outcome(data), `${data.error.code}:`, data.error.message),
  "drift.found": ({ problems }) => problems.join("; "),
  "drift.mended": ({ problems }) => problems.join("; "),
  "resync.due": ({ delayMs }) => `after ${delayMs} ms`,
  "state.snapshot": ({ pods, interfaces, requested }) =>
    words(`${pods.length} pods,`, `${interfaces.length} interfaces,`, `${requested.length} intents`),
  "retry.due": ({ attempt, delayMs }) => `attempt ${attempt} after ${delayMs} ms`,
};

export const BAD: ReadonlySet<EventType> = new Set([
  "redirection.failed",
  "drift.found",
  "log.gap",
  "watch.lost",
  "discovery.failed",
]);
export const GOOD: ReadonlySet<EventType> = new Set([
  "redirection.applied",
  "redirection.removed",
  "drift.mended",
  "watch.synced",
]);
const SEQ_WIDTH = 6;
const TYPE_WIDTH = 21;

/** What an event says, in a few words. Control characters in names and messages become blanks. */
export function gist(event: EventRecord): string {
  const summarize = summaries[event.type] as (data: unknown) => string;
  return summarize(event.data).replaceAll(/\p{Cc}+/gu, " ");
}

/** One event as one line for people: `seq time type subject gist`. */
export function eventLine(event: EventRecord, palette: Palette): string {
  const paint = BAD.has(event.type) ? palette.bad : GOOD.has(event.type) ? palette.good : palette.bold;
  return `${[
    String(event.seq).padStart(SEQ_WIDTH),
    palette.dim(event.time),
    paint(event.type.padEnd(TYPE_WIDTH)),
    event.subject,
    gist(event),
  ]
    .join(" ")
    .trimEnd()}\n`;
}
