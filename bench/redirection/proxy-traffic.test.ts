import { expect, test } from "vitest";
import { counter } from "./proxy-traffic.ts";

const TEXT = `Ip: Forwarding InReceives
Ip: 1 300
Tcp: RtoAlgorithm ActiveOpens PassiveOpens
Tcp: 1 20 30
TcpExt: SyncookiesSent InOctets
TcpExt: 0 7
IpExt: InNoRoutes InOctets
IpExt: 0 4711
`;

test("a counter by its group and name", () => {
  expect(counter(TEXT, "Tcp", "PassiveOpens")).toBe(30);
  expect(counter(TEXT, "IpExt", "InOctets")).toBe(4711);
});

test.each([
  ["Tcp", "Nothing"],
  ["Udp", "InDatagrams"],
])("there is no %s %s", (group, name) => {
  expect(() => counter(TEXT, group, name)).toThrow(RangeError);
});
