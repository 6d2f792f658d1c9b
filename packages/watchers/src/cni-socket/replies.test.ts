import { type CniReply, type CoreError, parseCniRequest } from "@millrace/core/internal";
import { expect, test } from "vitest";
import { resultAddresses } from "./pod-interface.ts";
import { RemovedContainers } from "./removed-containers.ts";
import { refuseUndecodable } from "./replies.ts";

const request = {
  version: 1,
  command: "ADD",
  containerId: "c1",
  netns: "/run/netns/a",
  ifName: "eth0",
  pod: { namespace: "shop", name: "a", uid: "u1" },
  prevResult: {},
};

function refusalOf(value: unknown): Extract<CniReply, { ok: false }> {
  try {
    parseCniRequest(typeof value === "string" ? value : JSON.stringify(value));
  } catch (error) {
    const reply = refuseUndecodable(error as CoreError);
    if (!reply.ok) return reply;
  }
  throw new Error("the request was accepted");
}

test.each([
  ["no JSON", "{", 6, "not one line of JSON"],
  ["another version", { ...request, version: 2 }, 4, "version"],
  ["an unknown command", { ...request, command: "VERSION" }, 4, "command"],
  ["a missing parameter", { ...request, containerId: undefined }, 4, "containerId"],
  ["a parameter inside the pod", { ...request, pod: { ...request.pod, uid: "" } }, 4, "pod.uid"],
  ["an unknown field", { ...request, extra: 1 }, 4, "extra"],
  ["a fault in prevResult", { ...request, prevResult: { ips: [{ address: 7 }] } }, 7, "prevResult.ips[0].address"],
  ["faults in both", { ...request, ifName: "", prevResult: { ips: 1 } }, 4, "ifName"],
])("refuses %s with the code of the CNI specification, naming the field", (_, value, code, field) => {
  expect(refusalOf(value)).toMatchObject({ code, message: expect.stringContaining(field) });
});

test("takes the addresses of the pod's interface from a result", () => {
  const interfaces = [
    { name: "eth0" },
    { name: "eth0", sandbox: "/run/netns/a" },
    { name: "net1", sandbox: "/run/netns/a" },
  ];
  const ips = [
    { address: "198.18.250.1/24", interface: 0 },
    { address: "198.18.250.11/24", interface: 1 },
    { address: "2001:2:0:FA:0::b/64", interface: 1 },
    { address: "198.18.251.11/24", interface: 2 },
    { address: "198.18.250.12/32" },
    { address: "nonsense", interface: 1 },
  ];
  expect(resultAddresses({ interfaces, ips }, "eth0")).toEqual(["198.18.250.11", "198.18.250.12", "2001:2:0:fa::b"]);
  expect(resultAddresses({}, "eth0")).toEqual([]);
});

test("remembers a bounded number of removed containers", () => {
  const removed = new RemovedContainers(2);
  expect([removed.note("a"), removed.note("a"), removed.note("b"), removed.note("c")]).toEqual([
    true,
    false,
    true,
    true,
  ]);
  expect(removed.note("a")).toBe(true);
  removed.forget("a");
  expect(removed.note("a")).toBe(true);
});
