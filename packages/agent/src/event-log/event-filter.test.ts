import { type EventInput, type EventRecord, inputs } from "@millrace/core/internal";
import { expect, test } from "vitest";
import { paletteFor } from "../cli/colour.ts";
import { EventFilter, type EventQuery } from "./event-filter.ts";
import { eventLine, gist } from "./event-line.ts";

const UID = "0f8fad5b-d9cb-469f-a165-70867728950e";
const TIME = "2026-01-02T03:04:05.678Z";

const workload = {
  uid: UID,
  namespace: "shop",
  name: "web-1",
  addresses: ["198.18.1.11"],
  interface: {
    netns: "/run/netns/w",
    netnsInode: 7,
    name: "eth0",
    mac: "02:00:00:00:00:01",
    hostName: "h-m1",
    hostIndex: 3,
  },
  enrolExisting: "drain" as const,
  dnsCapture: false,
  exclusions: { outboundPorts: [], outboundCidrs: [], inboundPorts: [], inboundCidrs: [] },
};
const proxy = { ...workload, uid: "proxy-uid-1", namespace: "istio-system", name: "ztunnel-1", key: "k" };

const log: EventRecord[] = (
  [
    inputs.namespaceObserved({ name: "shop", labels: { "istio.io/dataplane-mode": "ambient" } }),
    inputs.interfaceAdded({
      containerId: "c1",
      uid: UID,
      namespace: "shop",
      name: "web-1",
      netns: "/run/netns/w",
      netnsInode: 7,
      ifName: "eth0",
      mac: "02:00:00:00:00:01",
      hostIfName: "h-m1",
      hostIfIndex: 3,
      addresses: ["198.18.1.11"],
      source: "cni",
    }),
    { type: "redirection.requested", subject: `workload/${UID}`, data: { cause: 2, action: "apply", spec: workload } },
    {
      type: "redirection.failed",
      subject: `workload/${UID}`,
      data: {
        action: "apply",
        generation: 3,
        attempt: 2,
        durationMs: 1.5,
        error: { code: "ERR_MAP_FULL", message: "no\nroom" },
      },
    },
    {
      type: "redirection.requested",
      subject: "proxies",
      data: { cause: 1, action: "use-proxies", spec: { active: proxy, draining: [] } },
    },
    inputs.interfaceRemoved({ containerId: "c1", uid: UID }),
  ] as EventInput[]
).map((input, index) => ({ seq: index + 1, time: TIME, ...input }) as EventRecord);

function seqs(query: EventQuery): number[] {
  const filter = new EventFilter(query);
  return log.filter((event) => filter.matches(event)).map(({ seq }) => seq);
}

test.each<[EventQuery, number[]]>([
  [{}, [1, 2, 3, 4, 5, 6]],
  [{ since: 4 }, [5, 6]],
  [{ types: ["redirection.requested"] }, [3, 5]],
  [{ types: ["redirection.requested", "redirection.failed"], since: 3 }, [4, 5]],
  [{ subject: "workload" }, [3, 4]],
  [{ subject: `workload/${UID}` }, [3, 4]],
  [{ subject: "work" }, []],
  [{ pod: "web-1" }, [2, 3, 4, 6]],
  [{ pod: "shop/web-1" }, [2, 3, 4, 6]],
  [{ pod: "other/web-1" }, []],
  [{ pod: UID }, [2, 3, 4, 6]],
  [{ pod: UID.slice(0, 8) }, [2, 3, 4, 6]],
  [{ pod: UID.slice(0, 4) }, []],
  [{ pod: "ztunnel-1" }, [5]],
  [{ pod: "web-1", since: 3 }, [4, 6]], // its name is learnt from what is not shown
])("%o finds %j", (query, expected) => {
  expect(seqs(query)).toEqual(expected);
});

test.each([
  [{ on: "ebpf", joins: "iptables" }, "by ebpf, iptables joins"],
  [{ on: "iptables", leaves: "ebpf" }, "by iptables, ebpf leaves"],
  [{ on: "iptables" }, "by iptables"],
])("an intent with the placement %j", (placement, text) => {
  const data = { cause: 2, action: "apply" as const, spec: { ...workload, placement } };
  const intent = { seq: 3, time: TIME, type: "redirection.requested", subject: `workload/${UID}`, data } as EventRecord;
  expect(gist(intent)).toBe(`apply shop/web-1 198.18.1.11 h-m1(3) ${text} because of 2`);
});

test.each<[EventQuery, string[] | undefined, boolean]>([
  [{ pod: "web-1" }, [UID, "another"], true],
  [{ pod: "web-1" }, ["another"], false],
  [{ pod: "web-1" }, undefined, false],
  [{ subject: "switch" }, undefined, true],
])("%o finds a switch of %j: %s", (query, uids, expected) => {
  const filter = new EventFilter(query);
  for (const event of log) filter.matches(event);
  const input = inputs.switchRequested({ to: "iptables", mode: "auto", reason: "asked for", ...(uids && { uids }) });
  expect(filter.matches({ seq: 7, time: TIME, ...input })).toBe(expected);
});

test.each([
  [{ count: 3, reason: "full" }, "3 events not recorded: full"],
  [{ count: 0, reason: "full" }, "events written late: full"],
  [{ count: 0, reason: "not read back", unread: true as const }, "not read back"],
])("a log.gap of %j", (data, text) => {
  expect(gist({ seq: 1, time: TIME, type: "log.gap", subject: "log", data })).toBe(text);
});

test("one line per event, with its gist and without control characters", () => {
  const lines = log.map((event) => eventLine(event, paletteFor({}, {})));
  expect(lines).toMatchInlineSnapshot(`
    [
      "     1 2026-01-02T03:04:05.678Z namespace.observed    namespace/shop istio.io/dataplane-mode=ambient
    ",
      "     2 2026-01-02T03:04:05.678Z interface.added       interface/c1 shop/web-1 h-m1(3) 198.18.1.11 netns 7 by cni
    ",
      "     3 2026-01-02T03:04:05.678Z redirection.requested workload/0f8fad5b-d9cb-469f-a165-70867728950e apply shop/web-1 198.18.1.11 h-m1(3) because of 2
    ",
      "     4 2026-01-02T03:04:05.678Z redirection.failed    workload/0f8fad5b-d9cb-469f-a165-70867728950e apply intent 3 1.5 ms attempt 2 ERR_MAP_FULL: no room
    ",
      "     5 2026-01-02T03:04:05.678Z redirection.requested proxies use-proxies active istio-system/ztunnel-1 because of 1
    ",
      "     6 2026-01-02T03:04:05.678Z interface.removed     interface/c1 pod 0f8fad5b-d9cb-469f-a165-70867728950e
    ",
    ]
  `);
  for (const line of lines) expect(line.match(/\n/g)).toHaveLength(1);
});
