import { expect, test } from "vitest";
import { parseIptablesSave } from "./commands/parse-iptables-save.ts";
import { countersOf } from "./counters.ts";

const PRINTED = `*mangle
:PREROUTING ACCEPT [9:900]
:MILLRACE-OUT - [0:0]
:MILLRACE-DIRECT-1 - [0:0]
:MILLRACE-PASS-ALL - [0:0]
:MILLRACE-TCP - [0:0]
[9:900] -A PREROUTING -j MILLRACE-PRE
[4:240] -A MILLRACE-OUT -j MARK --set-xmark 0x2/0x7f
[1:60] -A MILLRACE-OUT -p tcp -m addrtype --dst-type LOCAL -j TEE --gateway 169.254.77.77 --oif millrace-out
[1:60] -A MILLRACE-OUT -p tcp -m addrtype --dst-type LOCAL -j DROP
[7:420] -A MILLRACE-DIRECT-1 -j MARK --set-xmark 0x9/0x7f
[3:180] -A MILLRACE-PASS-ALL -j CONNMARK --set-xmark 0x1/0x7f
[2:120] -A MILLRACE-PASS-ALL -j MARK --set-xmark 0x1/0x7f
[5:300] -A MILLRACE-TCP -i h-z1 -g MILLRACE-PROXY-0
COMMIT
*filter
:MILLRACE-GUARD - [0:0]
[6:360] -A MILLRACE-GUARD -p tcp -j REJECT --reject-with tcp-reset
[8:480] -A MILLRACE-GUARD -j DROP
COMMIT
`;

test("counts by chain and verdict, both families together, and nothing of others", () => {
  const saved = parseIptablesSave(PRINTED);
  expect(countersOf([saved])).toEqual({
    "mangle.out.captured": 4,
    "mangle.out.copied": 1,
    "mangle.out.dropped": 1,
    "mangle.direct-1.direct": 7,
    "mangle.pass-all.passed": 2,
    "filter.guard.rejected": 6,
    "filter.guard.dropped": 8,
  });
  expect(countersOf([saved, saved])["filter.guard.dropped"]).toBe(16);
});
