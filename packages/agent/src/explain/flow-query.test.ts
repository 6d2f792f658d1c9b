import { expect, test } from "vitest";
import { flowQuery } from "./flow-query.ts";

test("addresses of both families, canonical, with the way they go", () => {
  expect(flowQuery({})).toBeUndefined();
  expect(flowQuery({ to: "198.18.0.1:80" })).toEqual({
    protocol: "tcp",
    direction: "outbound",
    peer: "198.18.0.1",
    port: 80,
  });
  expect(flowQuery({ from: "[2001:2:0:0::A]:53", udp: true })).toEqual({
    protocol: "udp",
    direction: "inbound",
    peer: "2001:2::a",
    port: 53,
  });
});

test.each([
  "198.18.0.1",
  "198.18.0.1:0",
  "198.18.0.1:65536",
  "2001:2::1:80",
  "[198.18.0.1]:80",
  "web:80",
  "",
  "1.2.3:4",
])("%j is refused", (to) => {
  expect(() => flowQuery({ to })).toThrow(expect.objectContaining({ code: "ERR_FLOW_INVALID" }));
});

test("both ways at once are refused", () => {
  const both = { to: "198.18.0.1:80", from: "198.18.0.2:80" };
  expect(() => flowQuery(both)).toThrow(expect.objectContaining({ code: "ERR_FLOW_INVALID" }));
});
