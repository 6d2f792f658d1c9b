import { expect, test } from "vitest";
import { CNI_CODES, cniReply, formatCniReply, parseCniRequest } from "./protocol.ts";

const ADD = {
  version: 1,
  command: "ADD",
  containerId: "c1",
  netns: "/run/netns/a",
  ifName: "eth0",
  pod: { namespace: "shop", name: "web", uid: "u1" },
  prevResult: {
    cniVersion: "1.0.0",
    interfaces: [
      { name: "veth1", mac: "02:00:00:00:00:01" },
      { name: "eth0", sandbox: "/run/netns/a", mtu: 1500 },
    ],
    ips: [{ address: "198.18.1.10/32", interface: 1, gateway: "198.18.1.1" }],
    dns: {},
  },
};

test("a request is decoded; of the previous result, what is not ours stays as it is", () => {
  expect(parseCniRequest(JSON.stringify(ADD))).toEqual(ADD);
});

test("DEL may come without a namespace and without a previous result", () => {
  const { netns: _, prevResult: __, ...rest } = ADD;
  expect(parseCniRequest(JSON.stringify({ ...rest, command: "DEL" }))).toMatchObject({
    command: "DEL",
    containerId: "c1",
  });
});

test("STATUS needs nothing but its name", () => {
  expect(parseCniRequest('{"version":1,"command":"STATUS"}')).toEqual({ version: 1, command: "STATUS" });
});

test("GC tells what is still valid, which may be nothing", () => {
  for (const validAttachments of [[], [{ containerId: "c1", ifName: "eth0" }]])
    expect(parseCniRequest(JSON.stringify({ version: 1, command: "GC", validAttachments }))).toEqual({
      version: 1,
      command: "GC",
      validAttachments,
    });
});

test.each([
  ["not JSON", "{", /not one line of JSON/],
  ["an unknown command", JSON.stringify({ ...ADD, command: "VERSION" }), /command/],
  ["GC without a list", JSON.stringify({ version: 1, command: "GC" }), /validAttachments/],
  ["another version", JSON.stringify({ ...ADD, version: 2 }), /version/],
  ["ADD without a namespace", JSON.stringify({ ...ADD, netns: "" }), /netns/],
  ["a pod without uid", JSON.stringify({ ...ADD, pod: { namespace: "a", name: "b" } }), /uid/],
])("%s is refused", (_, line, reason) => {
  expect(() => parseCniRequest(line)).toThrow(
    expect.objectContaining({ code: "ERR_CNI_REQUEST_INVALID", message: expect.stringMatching(reason) }),
  );
});

test("a reply is one line", () => {
  const reply = { ok: false, code: CNI_CODES.tryAgainLater, message: "later", details: "line\nbreak" } as const;
  const line = formatCniReply(reply);
  expect(line.indexOf("\n")).toBe(line.length - 1);
  expect(cniReply.parse(JSON.parse(line))).toEqual(reply);
});
